"""A split of a dataset as one uint8 matrix `[columns, height]` on disk, ready to be mapped into memory.

Every image is scaled to the height of a patch and stored column by column, one image after the other. A patch is
then one contiguous block of the file, a batch of patches is one gather, and nothing is ever decoded again.

TensorFlow slices a tensor without copying it where the slice begins and ends at multiples of 64 bytes. Of those some
lie at every phase of a row of `row_width` columns, so the matrix can also be looked at as one of rows, from any phase,
in which a patch is one row and a batch takes one copy a patch. Columns of paper before the first image and after the
last make room for that.

A strips folder holds two files: `columns`, the matrix without any header, and `index.npz`, which says where each
image starts and what is known of it. It is written beside and renamed, under a lock, so that it is whole or absent. What a
killed program has laid by then is not laid again.
"""

import concurrent.futures
import dataclasses
import io
import itertools
import json
import logging
import math
import os
import pathlib
import shutil
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator

import filelock
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow.core.framework import attr_value_pb2

from pipelines.system.cores import usable_cores
from pipelines.system.progress import progress_bar
from pipelines.two_tones import two_tones

log = logging.getLogger(__name__)

VERSION = 3
"""Of the files' layout and of what `lay` does to an image. Strips of another version are built anew."""

ALIGNMENT = 64
"""Bytes. Slices along the first axis that begin and end at its multiples are views, in every build of TensorFlow."""

JOURNAL_SECONDS = 10
"""A program that is killed while it lays images loses no more than these."""

PAPER = 255

MAX_ENLARGEMENT = 8
"""An image of a few pixels' height is not blown up into megabytes; it is padded to the height instead."""


@dataclasses.dataclass(frozen=True)
class Example:
    """An image file with its label, and what evaluation will want to know of it."""

    image: bytes
    label: int
    id: str = ""
    group: str = ""


@dataclasses.dataclass(frozen=True)
class Strips:
    """A split laid out in columns.

    Attributes:
      folder: where the two files lie.
      height: bytes of a column, which is the height of a patch.
      first_column: int64 `[images + 1]`, where each image starts, and where the last one ends; more columns, of
        paper, lie before and after.
      labels: int32 `[images]`.
      ids: `[images]` names of the images.
      groups: `[images]` what each image is a part of, such as its form.
    """

    folder: pathlib.Path
    height: int
    first_column: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    groups: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def widths(self) -> np.ndarray:
        """float64 `[images]`, in multiples of their height."""
        return np.diff(self.first_column) / self.height

    def columns(self) -> tf.Tensor:
        """uint8 `[columns, height]`, mapped from the file: takes no time, and all processes share one copy.

        The tensor lives on the host. In a graph that is built to be sent away it is an op that holds a path.
        """
        path, shape = str(self.folder / "columns"), (self.num_columns, self.height)
        # A function, since run on its own TensorFlow (2.21) would copy what the op gives.
        return tf.function(lambda: _mapped(path, shape), autograph=False).get_concrete_function()()

    @property
    def num_columns(self) -> int:
        """All columns of the file, those of paper before and after the images included."""
        return (self.folder / "columns").stat().st_size // self.height

    def row_width(self, patch_width: int) -> int:
        """Columns of a row: the largest divisor of `patch_width` for which a view can begin at every phase.

        113 for 113, and so for 226; 1 if height and width have factors in common with ALIGNMENT, which works, slower.
        """
        step = self._aligned_columns
        # The last phase's view may begin only before the first image.
        widths = (w for w in range(patch_width, 0, -1) if step * (w - 1) <= self.first_column[0])
        return next(w for w in widths if patch_width % w == 0 and math.gcd(w, step) == 1)

    def rows(self, columns: tf.Tensor, row_width: int, column: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The matrix of rows in which a column of the strips is the first of a row; a view, nothing is copied.

        Args:
          columns: what `columns` returned.
          row_width: what `row_width` returned.
          column: int64 scalar.

        Returns:
          uint8 `[rows, row_width * height]`; int64, the column at which it begins, `column` being a whole number of
          rows further.
        """
        step, height = self._aligned_columns, self.height
        inverse = pow(step, -1, row_width) if row_width > 1 else 0
        begin = (column % row_width) * inverse % row_width * step
        # As many rows as there are from the latest beginning, and so many that they end at a multiple of ALIGNMENT.
        rows = (columns.shape[0] - step * (row_width - 1)) // row_width
        rows -= rows % (ALIGNMENT // math.gcd(ALIGNMENT, row_width * height))
        view = tf.slice(tf.reshape(columns, [-1]), [begin * height], [rows * row_width * height])
        return tf.reshape(view, (rows, row_width * height)), begin

    @property
    def _aligned_columns(self) -> int:
        """From a column that begins at a multiple of ALIGNMENT to the next."""
        return ALIGNMENT // math.gcd(ALIGNMENT, self.height)


def _mapped(path: str, shape: tuple[int, int]) -> tf.Tensor:
    tensor = tf.raw_ops.ImmutableConst(dtype=tf.uint8, shape=shape, memory_region_name=path)
    # TensorFlow would run an op without inputs ahead of time, copy what comes out, and keep the copy: the whole corpus.
    # From that it exempts outputs that are somebody's scoped allocation. Nobody's is as good.
    no_scope = attr_value_pb2.AttrValue(list=attr_value_pb2.AttrValue.ListValue())
    tensor.op._set_attr("_scoped_allocator", no_scope)
    return tensor


def lay(image: bytes, height: int, min_width: int, black_on_white: bool = False) -> np.ndarray:
    """Scales an image to `height` rows and turns it into columns.

    An image narrower than `min_width` is padded on its right, and one that would be enlarged beyond MAX_ENLARGEMENT
    above and below, with its background, which is taken to be its median gray.

    Args:
      image: a file that Pillow can read.
      height: rows.
      min_width: the least number of columns that come out.
      black_on_white: whether to reduce it to two tones first, see `two_tones`.

    Returns:
      uint8 `[columns, height]`.
    """
    with Image.open(io.BytesIO(image)) as picture:
        gray = picture.convert("L")
    if black_on_white:
        gray = Image.fromarray(two_tones(np.asarray(gray)))
    scale = min(height / gray.height, MAX_ENLARGEMENT)
    size = (max(1, round(gray.width * scale)), max(1, round(gray.height * scale)))
    pixels = np.asarray(gray.resize(size, Image.Resampling.BILINEAR)).T
    missing_columns, missing_rows = max(0, min_width - size[0]), height - size[1]
    if missing_columns or missing_rows:
        above = missing_rows // 2
        background = int(np.median(pixels))
        padding = ((0, missing_columns), (above, missing_rows - above))
        pixels = np.pad(pixels, padding, constant_values=background)
    return np.ascontiguousarray(pixels)


def examples_of_split(
    builder: tfds.core.DatasetBuilder,
    split: str,
    *,
    image: str = "image",
    label: str = "label",
    id: str | None = None,
    group: str | None = None,
) -> Iterator[Example]:
    """The examples of a split of a prepared TFDS dataset, still encoded: whoever decodes them can do so on all cores.

    Args: see `strips_of_split`.
    """
    dataset = builder.as_dataset(split=split, decoders={image: tfds.decode.SkipDecoding()})
    for row in tfds.as_numpy(dataset):
        texts = (row[name].decode() if name else "" for name in (id, group))
        yield Example(row[image], int(row[label]), *texts)


def strips_of_split(
    builder: tfds.core.DatasetBuilder,
    split: str,
    *,
    height: int,
    min_width: int,
    black_on_white: bool = False,
    folder: os.PathLike | None = None,
    image: str = "image",
    label: str = "label",
    id: str | None = None,
    group: str | None = None,
) -> Strips:
    """The strips of a split of a prepared TFDS dataset: those on disk if they are sound, else built now.

    Args:
      builder: the dataset; its examples have an Image, a ClassLabel and perhaps two texts.
      split: such as 'train'.
      height: of a patch.
      min_width: of a strip; at least the width of a patch.
      black_on_white: whether to reduce images to two tones, see `two_tones`.
      folder: where to keep strips, by default `strips` in the dataset's own folder.
      image: name of the Image feature, and so on.
      label: name of the ClassLabel feature.
      id: name of the Text that names an image; None: there is none.
      group: name of the Text that says what the image is a part of; None: there is none.

    Returns:
      The strips, in the dataset's order.

    Raises:
      OSError: they cannot be written; what was written so far is removed.
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
    folder: os.PathLike,
    examples,
    *,
    height: int,
    min_width: int,
    source: str,
    black_on_white: bool = False,
    total: int | None = None,
) -> Strips:
    """The strips in `folder` if they are sound and of this source, height and width; else built from `examples`.

    Two programs that do this at the same time wait for each other, and the second finds what the first has built.

    Args:
      folder: of the strips.
      examples: called without arguments if they are to be built; returns an iterable of Example.
      height: of a patch.
      min_width: of a strip.
      source: names what the examples are; strips of another source are built anew.
      black_on_white: whether to reduce images to two tones, see `two_tones`.
      total: how many examples there are, for the progress bar.

    Returns:
      The strips.

    Raises:
      OSError: they cannot be written.
    """
    folder = pathlib.Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    wanted = {
        "version": VERSION,
        "height": height,
        "min_width": min_width,
        "black_on_white": black_on_white,
        "source": source,
    }
    with filelock.FileLock(folder.with_name(folder.name + ".lock")):
        fault = _fault(folder, wanted)
        if fault:
            if folder.exists():
                log.warning("Building strips anew, since %s.", fault)
            _build(folder, examples(), wanted, total)
        return _open(folder)


def _build(folder: pathlib.Path, examples: Iterable[Example], meta: dict, total: int | None) -> None:
    # The lock is ours, so whatever lies there was left by a program that was killed.
    incomplete = folder.with_name(folder.name + ".incomplete")
    written = _Written.left_in(incomplete, meta)
    if written is None:
        shutil.rmtree(incomplete, ignore_errors=True)
        incomplete.mkdir()
        written = _Written()
    try:
        stat = _write_columns(incomplete, examples, meta, total, written)
        checks = {"checksum": written.checksum, "bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}
        written.save(incomplete / "index.npz", meta | checks)
        (incomplete / _JOURNAL).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        incomplete.rename(folder)
    except Exception:  # Of a full disk, say. Being interrupted is none: what is written then will be of use.
        shutil.rmtree(incomplete, ignore_errors=True)
        raise


_JOURNAL = "written.npz"


@dataclasses.dataclass
class _Written:
    """What is in a columns file so far: the paper before the first image, and images."""

    widths: list[int] = dataclasses.field(default_factory=list)
    labels: list[int] = dataclasses.field(default_factory=list)
    ids: list[str] = dataclasses.field(default_factory=list)
    groups: list[str] = dataclasses.field(default_factory=list)
    checksum: int = 0

    @classmethod
    def left_in(cls, folder: pathlib.Path, meta: dict) -> "_Written | None":
        """What a killed program with the same `meta` has written, or None if that is of no use."""
        try:
            index = _load_index(folder, _JOURNAL)
            size = (folder / "columns").stat().st_size
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        checksum = index["meta"].pop("checksum")
        if index["meta"] != meta or size < index["first_column"][-1] * meta["height"]:
            return None
        lists = (index[name].tolist() for name in ("labels", "ids", "groups"))
        return cls(np.diff(index["first_column"]).tolist(), *lists, checksum)

    def save(self, path: pathlib.Path, meta: dict) -> None:
        """Writes the index, so that it is whole or absent."""
        beside = path.with_name(f"beside-{path.name}")
        np.savez(
            beside,
            first_column=_columns_before(meta) + np.cumsum([0, *self.widths], dtype=np.int64),
            labels=np.array(self.labels, np.int32),
            ids=np.array(self.ids, dtype=np.str_),
            groups=np.array(self.groups, dtype=np.str_),
            meta=np.array(json.dumps(meta)),
        )
        _flush_to_disk(beside)
        beside.rename(path)


def _columns_before(meta: dict) -> int:
    """Columns before the first image: as many as the latest view of `Strips.rows` begins after the first."""
    return ALIGNMENT * meta["min_width"]


def _columns_after(meta: dict) -> int:
    """Columns after the last image: those, and as many rows as may be missing to the next multiple of ALIGNMENT."""
    return 2 * ALIGNMENT * (meta["min_width"] + 1)


def _write_columns(
    folder: pathlib.Path, examples: Iterable[Example], meta: dict, total: int | None, written: _Written
) -> os.stat_result:
    """Writes the matrix, from where `written` ends, and adds to it."""
    path = folder / "columns"
    path.touch()
    with open(path, "r+b") as file:

        def write(pixels: np.ndarray) -> None:
            file.write(pixels)
            written.checksum = zlib.crc32(pixels, written.checksum)

        if written.widths:
            file.truncate((_columns_before(meta) + sum(written.widths)) * meta["height"])
            file.seek(0, os.SEEK_END)
            log.info("%d images are there already.", len(written.widths))
        else:
            file.truncate(0)
            written.checksum = 0
            write(np.full((_columns_before(meta), meta["height"]), PAPER, np.uint8))
        progress = progress_bar(
            _lay_in_parallel(itertools.islice(examples, len(written.widths), None), meta),
            total=total,
            initial=len(written.widths),
            desc=folder.stem,
            unit=" images",
        )
        saved = time.monotonic()
        for example, pixels in progress:
            write(pixels)
            written.widths.append(len(pixels))
            written.labels.append(example.label)
            written.ids.append(example.id)
            written.groups.append(example.group)
            if time.monotonic() - saved > JOURNAL_SECONDS:
                file.flush()
                os.fsync(file.fileno())
                written.save(folder / _JOURNAL, meta | {"checksum": written.checksum})
                saved = time.monotonic()
        write(np.full((_columns_after(meta), meta["height"]), PAPER, np.uint8))
        file.flush()
        os.fsync(file.fileno())
    return path.stat()


def _lay_in_parallel(examples: Iterable[Example], meta: dict) -> Iterator[tuple[Example, np.ndarray]]:
    """In order, on all cores (Pillow lets go of the interpreter's lock), with a bounded number of images under way."""
    examples = iter(examples)
    cores = usable_cores()
    with concurrent.futures.ThreadPoolExecutor(cores) as pool:

        def submit(example):
            return example, pool.submit(
                lay, example.image, meta["height"], meta["min_width"], meta["black_on_white"]
            )

        under_way = [submit(example) for example in itertools.islice(examples, 8 * cores)]
        while under_way:
            example, pixels = under_way.pop(0)
            under_way.extend(submit(following) for following in itertools.islice(examples, 1))
            yield example, pixels.result()


def _flush_to_disk(path: pathlib.Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _fault(folder: pathlib.Path, wanted: dict) -> str | None:
    """Why the strips in `folder` cannot be used, or None if they can."""
    if not folder.exists():
        return f"there are none in {folder}"
    try:
        stat = (folder / "columns").stat()
        meta = _load_index(folder)["meta"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        return f"{folder} is damaged ({error})"
    for name, value in wanted.items():
        if meta.get(name) != value:
            return f"{folder} has {name} {meta.get(name)!r} where {value!r} is wanted"
    if stat.st_size != meta["bytes"]:
        return f"{folder} is damaged ({stat.st_size:,} bytes where {meta['bytes']:,} were written)"
    # Reading all bytes would take seconds for gigabytes; an untouched file need not be read.
    if stat.st_mtime_ns != meta["mtime_ns"] and _checksum(folder / "columns") != meta["checksum"]:
        return f"{folder} is damaged (its bytes are not those that were written)"
    return None


def _checksum(path: pathlib.Path) -> int:
    checksum = 0
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            checksum = zlib.crc32(block, checksum)
    return checksum


def _load_index(folder: pathlib.Path, name: str = "index.npz") -> dict:
    with np.load(folder / name) as arrays:
        index = dict(arrays)
    return index | {"meta": json.loads(str(index["meta"]))}


def _open(folder: pathlib.Path) -> Strips:
    index = _load_index(folder)
    return Strips(
        folder, index["meta"]["height"], index["first_column"], index["labels"], index["ids"], index["groups"]
    )
