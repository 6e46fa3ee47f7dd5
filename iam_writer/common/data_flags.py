"""The flags that say where the handwriting is. All programs that read a dataset share them.

After `flags.adopt_module_key_flags(data_flags)`, the --help of a program lists them.
"""

from absl import flags

from iam_writer.common.names import DATASETS as DATASETS

flags.DEFINE_string(
    "manual_dir",
    None,
    "The folder of IAM's files. For iam_writer/folder: it holds a folder of scans for each writer. With several datasets, "
    "name one folder for all, or one for each that is read from files, with commas between.",
)
flags.DEFINE_string(
    "page_pattern",
    None,
    "For iam_writer/folder: a regular expression that finds the page in the path of an image, such as '(?P<page>.+)_[^_]+'.",
)
flags.DEFINE_string("writer_pattern", None, "The same for the writer, such as '^(?P<writer>[^-]+)'.")
flags.DEFINE_string(
    "data_dir", None, "The folder in which TFDS keeps datasets. Default: ~/tensorflow_datasets."
)
flags.DEFINE_float("max_bad_images", 0.01, "The share of images that may be unreadable.", 0, 1)


@flags.validator("max_bad_images", "must be a number.")
def _is_number(share):
    return share == share  # NaN is within all bounds, and not itself.
