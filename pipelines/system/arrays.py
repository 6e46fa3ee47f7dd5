"""Reads .npz and .npy files that may be damaged, within memory of the size of the file.

`np.load` believes the header of an array: it reserves memory for any shape that the header tells. These functions compare the shape
with the number of bytes first. They raise ValueError for any damage, while NumPy, zipfile and zlib raise errors of many types.
"""

import io
import math
import os
import pathlib
import zipfile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

_MOST_PACKED = 1032
"""Deflate makes nothing smaller than by this factor (zlib's documentation). A member that tells a larger size is damaged."""

_MOST_EMPTY = 1_000_000
"""The largest number of elements of an array of empty texts, which take no bytes."""


def load_arrays(source: str | os.PathLike[str] | bytes) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz file, by name.

    Args:
      source: the path of the file, or its bytes.

    Raises:
      OSError: the file cannot be read.
      ValueError: it is damaged, or it holds Python objects.
    """
    data = source if isinstance(source, bytes) else pathlib.Path(source).read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = {}
            for member in archive.infolist():
                packed = member.compress_size
                if packed > len(data) or member.file_size > _MOST_PACKED * packed + 64:
                    raise ValueError(f"{member.filename} is said to have {member.file_size:,} bytes")
                with archive.open(member) as file:
                    found[member.filename.removesuffix(".npy")] = _array(
                        file, member.file_size, member.filename
                    )
                    file.read(1)  # At the end, zipfile compares the checksum.
            return found
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def load_array(path: str | os.PathLike[str]) -> NDArray[Any]:
    """The array of an .npy file.

    Raises:
      OSError: the file cannot be read.
      ValueError: it is damaged, or it holds Python objects.
    """
    with open(path, "rb") as file:
        return _array(file, os.fstat(file.fileno()).st_size, os.fspath(path))


def _array(file: IO[bytes], size: int, name: str) -> NDArray[Any]:
    """The array in a file of so many bytes."""
    try:
        version = np.lib.format.read_magic(file)
        # NumPy writes version 3 only for fields with names in other letters than Latin ones. We have no fields.
        if version == (1, 0):
            shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, by_columns, dtype = np.lib.format.read_array_header_2_0(file)
        else:
            raise ValueError(f"its format has version {version}")
    except (
        Exception
    ) as error:  # The header is a Python expression. What is wrong with it has many types, MemoryError too.
        raise ValueError(f"the header of {name} is damaged: {error}") from error
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects")
    number, left = math.prod(shape), size - file.tell()
    if min(shape, default=0) < 0 or number * dtype.itemsize != left:
        raise ValueError(f"{name} has {left:,} bytes, which do not fit its shape {shape} of {dtype}")
    if not dtype.itemsize:
        if number > _MOST_EMPTY:
            raise ValueError(f"{name} is said to hold {number:,} empty texts")
        return np.zeros(shape, dtype)
    content = bytearray(left)
    if file.readinto(content) != left:  # type: ignore[attr-defined]
        raise ValueError(f"{name} is incomplete")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if by_columns else "C")
