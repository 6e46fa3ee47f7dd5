"""Writes files so that a file is either complete or absent. Does not import TensorFlow."""

import contextlib
import errno
import os
import pathlib
from collections.abc import Iterator


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


@contextlib.contextmanager
def full_disk_as_oserror(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Raises OSError (ENOSPC) if a library says in an error of another type that the disk is full.

    TensorFlow and TFDS raise several types.

    Args:
      folder: that is written into, for the message.
    """
    try:
        yield
    except Exception as error:
        if not any(os.strerror(number) in str(error) for number in (errno.ENOSPC, errno.EDQUOT)):
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(folder)) from error
