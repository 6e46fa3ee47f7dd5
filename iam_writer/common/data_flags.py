"""The flags that say where handwriting lies, of every program that reads a dataset.

A program makes them its own with `flags.adopt_module_key_flags(data_flags)`.
"""

from absl import flags

from iam_writer.common.names import DATASETS as DATASETS

flags.DEFINE_string(
    "manual_dir",
    None,
    "Where the handwriting lies: IAM's files; for iam_writer/folder, a folder a writer with scans of pages or lines. Of "
    "several datasets one for each that is read from files, with commas between, or one for all.",
)
flags.DEFINE_string("data_dir", None, "Where TFDS keeps datasets. Default: ~/tensorflow_datasets.")
flags.DEFINE_float("max_bad_images", 0.01, "Share of images that may be unreadable.", 0, 1)


@flags.validator("max_bad_images", "must be a number.")
def _is_number(share):
    return share == share  # NaN is within all bounds, and not itself.
