r"""Draws random patches of a dataset, a row a writer: what the network sees.

  python -m iam_writer.studies.collage --dataset=top50 --output=patches.png

The dataset must have been prepared, which iam_writer.train does. The picture shows handwriting of the dataset: mind its
license.

Exit status: 0 done; 1 a flag is wrong, or the dataset is not there.
"""

import io
import os

import numpy as np
from absl import app, flags
from PIL import Image, ImageDraw, ImageFont

from iam_writer.common import programs
from iam_writer.common.errors import MissingDataError
from iam_writer.common.files import write_beside

flags.DEFINE_string(
    "dataset", None, "Its config, such as top50 or synthetic, with or without iam_writer/.", required=True
)
flags.DEFINE_string("data_dir", None, "Where TFDS keeps datasets. Default: ~/tensorflow_datasets.")
flags.DEFINE_integer("rows", 8, "Writers.", 1)
flags.DEFINE_integer("columns", 10, "Patches of each writer.", 1)
flags.DEFINE_integer("patch_height", 113, "Height of a patch.", 16)
flags.DEFINE_integer("patch_width", 113, "Width of a patch.", 16)
flags.DEFINE_integer("seed", 0, "Another seed, other patches.", 0)
flags.DEFINE_string("output", "patches.png", "The picture.")


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
    if len(argv) > 1:
        raise app.UsageError(f"Unknown argument {argv[1]!r}; flags begin with --.")
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
            f"The dataset {dataset} is not there; train on it first, or name its --data_dir."
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
    print(output)
    return 0


if __name__ == "__main__":
    app.run(main)
