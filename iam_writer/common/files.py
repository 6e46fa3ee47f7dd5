"""Writes files so that a file is either complete or absent. Does not import TensorFlow."""

import os
import pathlib


def write_beside(path: str | os.PathLike[str], data: bytes | str) -> None:
    """Writes a file under another name in the same folder, then renames it.

    Raises:
      OSError: the file cannot be written. A file that was at `path` is unchanged, and no other file is left.
    """
    path = pathlib.Path(path)
    beside = path.with_name(f".{path.name}.incomplete")
    try:
        beside.write_bytes(data.encode() if isinstance(data, str) else data)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
