"""Draws random patches of a dataset, to show what a network sees. Each row has the patches of one writer.

  python -m iam_writer.studies.collage --dataset=top50 --output=patches.png

The dataset must have been built before. iam_writer.train builds it. The picture shows handwriting of the dataset, so read
the license of the dataset before you pass the picture on.

Exit status: 0 done; 1 a flag is wrong, or the dataset is not there.
"""

import io
import os

import numpy as np
from absl import flags
from PIL import Image, ImageDraw, ImageFont

from iam_writer.common import programs
from iam_writer.common.errors import MissingDataError
from iam_writer.common.files import write_beside
from pipelines.system import command_line

flags.DEFINE_string("dataset", None, "The dataset, such as top50 or iam_writer/top50.", required=True)
flags.DEFINE_string(
    "data_dir", None, "The folder in which TFDS keeps datasets. Default: ~/tensorflow_datasets."
)
flags.DEFINE_integer("rows", 8, "The number of writers.", 1)
flags.DEFINE_integer("columns", 10, "The number of patches of each writer.", 1)
flags.DEFINE_integer("patch_height", 113, "The height of a patch, in pixels.", 16)
flags.DEFINE_integer("patch_width", 113, "The width of a patch, in pixels.", 16)
flags.DEFINE_integer("seed", 0, "Another seed gives other patches.", 0)
flags.DEFINE_string("output", "patches.png", "The PNG file to write.")


GAP, GRAY = 4, 160
"""Pixels between patches, and the gray of these pixels. They are not white, because patches are white."""

NAME = 96
"""Pixels to the left of a row, for the writer's name."""


def _label(name: str, height: int) -> np.ndarray:
    """A writer's name beside a row of patches: uint8 `[height, NAME]`."""
    picture = Image.new("L", (NAME, height), 255)
    ImageDraw.Draw(picture).text((4, height // 2), name, fill=0, anchor="lm", font=ImageFont.load_default(14))
    return np.asarray(picture)


def main(argv: list[str]) -> None:
    command_line.check_no_arguments(argv)
    names = "dataset data_dir rows columns patch_height patch_width seed output".split()
    programs.run(lambda: _collage(**{name: flags.FLAGS[name].value for name in names}))


def _collage(
    dataset: str,
    data_dir: str | None,
    rows: int,
    columns: int,
    patch_height: int,
    patch_width: int,
    seed: int,
    output: str,
) -> int:
    output, data_dir = os.path.expanduser(output), data_dir and os.path.expanduser(data_dir)
    programs.check_folder(output)
    import tensorflow_datasets as tfds

    from iam_writer.common import (
        datasets,
    )  # TensorFlow takes seconds to load, so a wrong flag is reported before.

    folders = datasets.prepared(f"iam_writer/{dataset.removeprefix('iam_writer/')}", data_dir)
    if not folders:
        raise MissingDataError(
            f"The dataset {dataset} was not found. Train on it first, or name its folder with --data_dir."
        )
    builder = tfds.builder_from_directory(folders[0])
    strips = datasets.line_strips(builder, "train", patch_height, patch_width)
    names = builder.info.features["writer"].names
    random = np.random.default_rng(seed)
    matrix = strips.columns().numpy()
    pictures = []
    for writer in random.permutation(np.unique(strips.labels))[:rows]:
        lines = random.choice(np.nonzero(strips.labels == writer)[0], columns)
        starts = random.integers(strips.first_column[lines], strips.first_column[lines + 1] - patch_width + 1)
        patches = [matrix[start : start + patch_width].T for start in starts]
        framed = [np.pad(patch, GAP // 2, constant_values=GRAY) for patch in patches]
        pictures.append(np.hstack([_label(names[writer], len(framed[0])), *framed]))
    file = io.BytesIO()
    Image.fromarray(np.vstack(pictures)).save(file, "PNG")
    write_beside(output, file.getvalue())
    print(f"The picture is in {output}.")
    return 0


if __name__ == "__main__":
    command_line.start(main)
