"""A split of a dataset as one uint8 matrix `[columns, height]` on disk, which is mapped into memory.

Every image is scaled to the height of a patch and stored column by column, one image after the other. So a patch is one
contiguous block of the file, a batch of patches is one gather, and nothing is ever decoded again.

A batch takes one copy a patch if a patch is one row of a matrix. So the file can also be viewed as a matrix of rows of
`row_width` columns that begins at any column. TensorFlow makes such a view without a copy only if it begins and ends at
a multiple of 64 bytes. For every place within a row there are such multiples. The file has columns of paper before the
first image and after the last one, which make room for the views.

`pipelines.building` says what a strips folder holds, and builds it.
"""

import dataclasses
import math
import os
import pathlib
from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from numpy.typing import NDArray
from tensorflow.core.framework import attr_value_pb2

from pipelines.building import builder as building
from pipelines.building import journal
from pipelines.building.examples import Example, examples_of_split
from pipelines.building.journal import ALIGNMENT
from pipelines.building.laying import lay

__all__ = ["Example", "Strips", "examples_of_split", "lay", "open_or_build", "strips_of_split"]


@dataclasses.dataclass(frozen=True)
class Strips:
    """A split laid out in columns.

    Attributes:
      folder: where the two files lie.
      height: bytes of a column, which is the height of a patch.
      first_column: int64 `[images + 1]`, where each image starts, and where the last one ends. Columns of paper lie
        before and after.
      labels: int32 `[images]`.
      ids: `[images]` names of the images.
      groups: `[images]` what each image is a part of, such as its form.
    """

    folder: pathlib.Path
    height: int
    first_column: NDArray[np.int64]
    labels: NDArray[np.int32]
    ids: NDArray[np.str_]
    groups: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def widths(self) -> NDArray[np.float64]:
        """float64 `[images]`: the width of each image as a multiple of its height."""
        return np.diff(self.first_column) / self.height

    def columns(self) -> tf.Tensor:
        """uint8 `[columns, height]`, mapped from the file: this takes no time, and all processes share one copy.

        The tensor lives on the host. In a graph that is sent to another machine it is an op that holds the file's path.
        """
        path, shape = str(self.folder / "columns"), (self.num_columns, self.height)
        # The op runs in a function, since TensorFlow (2.21) copies its result when it runs eagerly.
        return tf.function(lambda: _mapped(path, shape), autograph=False).get_concrete_function()()

    @property
    def num_columns(self) -> int:
        """The number of all columns of the file, including the paper before and after the images."""
        return (self.folder / "columns").stat().st_size // self.height

    def row_width(self, patch_width: int) -> int:
        """Columns of a row: the largest divisor of `patch_width` for which a view can begin at every phase.

        It is 113 for a width of 113, and 113 for 226. It is 1 if height and width share factors with ALIGNMENT: then
        patches are gathered column by column, which is slower.
        """
        step = self._aligned_columns
        # The view of every phase must begin before the first image.
        widths = (w for w in range(patch_width, 0, -1) if step * (w - 1) <= self.first_column[0])
        return next(w for w in widths if patch_width % w == 0 and math.gcd(w, step) == 1)

    def rows(self, columns: tf.Tensor, row_width: int, column: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The columns as a matrix of rows, one of which begins at a given column. It is a view: nothing is copied.

        Args:
          columns: what `columns` returned.
          row_width: what `row_width` returned.
          column: int64 scalar.

        Returns:
          uint8 `[rows, row_width * height]`, and the int64 column at which it begins. `column` is a whole number of
          rows further.
        """
        step, height = self._aligned_columns, self.height
        inverse = pow(step, -1, row_width) if row_width > 1 else 0
        begin = (column % row_width) * inverse % row_width * step
        # As many rows as fit after the last possible beginning, rounded down to end at a multiple of ALIGNMENT.
        rows = (columns.shape[0] - step * (row_width - 1)) // row_width
        rows -= rows % (ALIGNMENT // math.gcd(ALIGNMENT, row_width * height))
        view = tf.slice(tf.reshape(columns, [-1]), [begin * height], [rows * row_width * height])
        return tf.reshape(view, (rows, row_width * height)), begin

    @property
    def _aligned_columns(self) -> int:
        """Number of columns from one that begins at a multiple of ALIGNMENT to the next such column."""
        return ALIGNMENT // math.gcd(ALIGNMENT, self.height)


def _mapped(path: str, shape: tuple[int, int]) -> tf.Tensor:
    tensor = tf.raw_ops.ImmutableConst(dtype=tf.uint8, shape=shape, memory_region_name=path)
    # TensorFlow runs an op without inputs while it optimizes a graph, and keeps a copy of the result: the whole corpus.
    # It leaves out ops that have the attribute `_scoped_allocator`. An empty list of scopes is enough, and has no
    # other effect.
    no_scope = attr_value_pb2.AttrValue(list=attr_value_pb2.AttrValue.ListValue())
    tensor.op._set_attr("_scoped_allocator", no_scope)
    return tensor


def strips_of_split(
    builder: tfds.core.DatasetBuilder,
    split: str,
    *,
    height: int,
    min_width: int,
    black_on_white: bool = False,
    folder: os.PathLike[str] | None = None,
    image: str | None = None,
    label: str | None = None,
    id: str | None = None,
    group: str | None = None,
) -> Strips:
    """The strips of a split of a prepared TFDS dataset. They are built if they are not on disk, or not sound.

    Args:
      builder: the dataset; its examples have an Image, a ClassLabel and perhaps two texts.
      split: such as 'train'.
      height: of a patch.
      min_width: of a strip; at least the width of a patch.
      black_on_white: whether to reduce images to two tones, see `two_tones`.
      folder: where to keep strips, by default `strips` in the dataset's own folder.
      image: name of the Image feature; None: the dataset's only one.
      label: name of the ClassLabel feature; None: the dataset's only one.
      id: name of the Text that names an image; None: there is none.
      group: name of the Text that says what the image is a part of; None: there is none.

    Returns:
      The strips, in the dataset's order.

    Raises:
      ValueError: `image` or `label` is None, and the dataset has no such feature or several.
      OSError: the strips cannot be written. What was written so far is removed.
    """
    info = builder.info.splits[split]
    parent = pathlib.Path(folder or builder.data_path / "strips")
    return open_or_build(
        parent / f"{split}-{height}x{min_width}{'-black' * black_on_white}",
        lambda: examples_of_split(builder, split, image=image, label=label, id=id, group=group),
        height=height,
        min_width=min_width,
        black_on_white=black_on_white,
        source=f"{builder.info.full_name} {split}: {info.num_examples} images in {info.num_bytes} bytes",
        total=info.num_examples,
    )


def open_or_build(
    folder: os.PathLike[str],
    examples: Callable[[], Iterable[Example]],
    *,
    height: int,
    min_width: int,
    source: str,
    black_on_white: bool = False,
    total: int | None = None,
) -> Strips:
    """The strips in `folder` if they are sound and of this source, height and width; else built from `examples`.

    Two programs that do this at the same time wait for each other, and the second uses what the first has built.

    Args:
      folder: of the strips.
      examples: called without arguments if they are to be built.
      height: of a patch.
      min_width: of a strip.
      source: names what the examples are; strips of another source are built anew.
      black_on_white: whether to reduce images to two tones, see `two_tones`.
      total: how many examples there are, for the progress bar.

    Returns:
      The strips.

    Raises:
      OSError: the strips cannot be written. What was written so far is removed.
    """
    folder = pathlib.Path(folder)
    layout = journal.Layout(journal.VERSION, height, min_width, black_on_white, source)
    building.ensure(folder, examples, layout, total)
    index = journal.load_index(folder)
    return Strips(folder, height, index.first_column, index.labels, index.ids, index.groups)
