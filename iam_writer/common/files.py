"""Files that are whole or absent. No TensorFlow."""

import os
import pathlib


def write_beside(path: str | os.PathLike[str], data: bytes | str) -> None:
    """Writes a file beside its place, then renames it.

    Raises:
      OSError: it cannot be written; what was at `path` is untouched, and nothing is left beside it.
    """
    path = pathlib.Path(path)
    beside = path.with_name(f".{path.name}.incomplete")
    try:
        beside.write_bytes(data.encode() if isinstance(data, str) else data)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
