"""The index of a strips folder, the journal of one that is being built, and the checks on both.

A strips folder holds two files: `columns`, the matrix without any header, and `index.npz`, which says where each image
starts, what is known of it, and how the matrix was laid. While `columns` is written, `written.npz` says how far it is
complete: a later program goes on from there.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.system.arrays import load_arrays

VERSION = 3
"""Version of the files' layout and of what `lay` does to an image. Strips of another version are built anew."""

ALIGNMENT = 64
"""Bytes. TensorFlow slices a tensor along its first axis without a copy where the slice begins and ends at a multiple."""

INDEX, JOURNAL = "index.npz", "written.npz"

_UNREADABLE = (OSError, ValueError)


@dataclasses.dataclass(frozen=True)
class Layout:
    """What strips are made from, and how. Strips with another layout are built anew.

    Attributes:
      version: VERSION.
      height: of a patch, in pixels.
      min_width: of a strip, in columns.
      black_on_white: whether images were reduced to two tones.
      source: names what the images are.
    """

    version: int
    height: int
    min_width: int
    black_on_white: bool
    source: str

    @property
    def columns_before(self) -> int:
        """Columns of paper before the first image: room for the last view of `Strips.rows`."""
        return ALIGNMENT * self.min_width

    @property
    def columns_after(self) -> int:
        """Columns of paper after the last image: the same, and room to round rows up to a multiple of ALIGNMENT."""
        return 2 * ALIGNMENT * (self.min_width + 1)


@dataclasses.dataclass
class Written:
    """What a columns file holds so far: the paper before the first image, and images.

    Attributes:
      widths: of the images, in columns.
      labels: their classes.
      ids: their names.
      groups: what each is a part of.
      checksum: CRC-32 of all bytes.
    """

    widths: list[int] = dataclasses.field(default_factory=list)
    labels: list[int] = dataclasses.field(default_factory=list)
    ids: list[str] = dataclasses.field(default_factory=list)
    groups: list[str] = dataclasses.field(default_factory=list)
    checksum: int = 0

    @classmethod
    def left_in(cls, folder: pathlib.Path, layout: Layout) -> "Written | None":
        """What a killed program with the same layout has written, or None if it cannot be used."""
        try:
            index = load_index(folder, JOURNAL)
            size = (folder / "columns").stat().st_size
        except _UNREADABLE:
            return None
        checksum = index.meta.pop("checksum", None)
        written = int(index.first_column[-1]) * layout.height
        if index.meta != dataclasses.asdict(layout) or size < written:
            return None
        if _checksum(folder / "columns", written) != checksum:
            return None
        labels, ids, groups = (array.tolist() for array in (index.labels, index.ids, index.groups))
        return cls(np.diff(index.first_column).tolist(), labels, ids, groups, checksum)

    def save(self, path: pathlib.Path, layout: Layout, **more: int) -> None:
        """Writes the index. It is written beside and renamed, so that the file is whole or absent.

        Args:
          path: of the file.
          layout: of the strips.
          more: what else to keep of the columns file: its size in bytes and the time of its last change.
        """
        beside = path.with_name(f"beside-{path.name}")
        meta = dataclasses.asdict(layout) | {"checksum": self.checksum} | more
        arrays: dict[str, Any] = {
            "first_column": layout.columns_before + np.cumsum([0, *self.widths], dtype=np.int64),
            "labels": np.array(self.labels, np.int32),
            "ids": np.array(self.ids, dtype=np.str_),
            "groups": np.array(self.groups, dtype=np.str_),
            "meta": np.array(json.dumps(meta)),
        }
        np.savez(beside, **arrays, digest=np.array(_digest(arrays)))
        with open(beside, "rb") as file:
            os.fsync(file.fileno())
        beside.rename(path)


@dataclasses.dataclass(frozen=True)
class Index:
    """What `index.npz` or `written.npz` holds. See `pipelines.strips.Strips` for the arrays.

    Attributes:
      meta: the fields of the layout, and `checksum`; in `index.npz` also `bytes` and `mtime_ns`.
    """

    first_column: NDArray[np.int64]
    labels: NDArray[np.int32]
    ids: NDArray[np.str_]
    groups: NDArray[np.str_]
    meta: dict[str, Any]


def load_index(folder: pathlib.Path, name: str = INDEX) -> Index:
    """Reads an index.

    Raises:
      OSError: the file cannot be read.
      ValueError: it is damaged, or another version wrote it.
    """
    try:
        arrays = load_arrays(folder / name)
        digest = str(arrays.pop("digest", ""))
        if digest != _digest(arrays):
            raise ValueError(
                "its arrays are not those that were written" if digest else "another version wrote it"
            )
        meta = json.loads(str(arrays.pop("meta")))
        return Index(**arrays, meta=meta)
    except (OSError, ValueError):
        raise
    except Exception as error:  # numpy, zipfile and zlib raise errors of many types for a damaged file.
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 of the names, kinds, shapes and bytes of arrays, in hexadecimal."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def fault(folder: pathlib.Path, layout: Layout) -> str | None:
    """Why the strips in `folder` cannot be used, or None if they can."""
    if not folder.exists():
        return f"there are none in {folder}"
    try:
        stat = (folder / "columns").stat()
        meta = load_index(folder).meta
    except _UNREADABLE as error:
        return f"{folder} is damaged ({error})"
    for name, value in dataclasses.asdict(layout).items():
        if meta.get(name) != value:
            return f"{folder} has {name} {meta.get(name)!r} where {value!r} is wanted"
    if stat.st_size != meta["bytes"]:
        return f"{folder} is damaged ({stat.st_size:,} bytes where {meta['bytes']:,} were written)"
    # It takes seconds to read gigabytes, so a file that nobody has touched is not read.
    if stat.st_mtime_ns != meta["mtime_ns"] and _checksum(folder / "columns") != meta["checksum"]:
        return f"{folder} is damaged (its bytes are not those that were written)"
    return None


def _checksum(path: pathlib.Path, size: int | None = None) -> int:
    """CRC-32 of a file, or of so many bytes at its beginning."""
    checksum, left = 0, path.stat().st_size if size is None else size
    with open(path, "rb") as file:
        while left > 0 and (block := file.read(min(left, 1 << 20))):
            checksum = zlib.crc32(block, checksum)
            left -= len(block)
    return checksum
