"""Extracts tar archives that come from anywhere: nothing is written outside the target, nothing is half-written."""

import gzip
import hashlib
import os
import pathlib
import shutil
import tarfile
import zlib
from collections.abc import Callable
from typing import BinaryIO

from iam_writer.common import errors

# IAM's largest archive holds 115,320 images (words) and its images have less than 1 MB each.
MAX_MEMBERS = 200_000
MAX_MEMBER_BYTES = 100 * 10**6
MAX_BYTES = 20 * 10**9


def extract(
    archive: pathlib.Path, extract_dir: pathlib.Path, is_wanted: Callable[[str], bool]
) -> pathlib.Path:
    """Extracts the files of a tar archive whose name `is_wanted`, once, and returns their folder.

    The folder is below `extract_dir` and named after the archive's name, size and time of change. It appears
    when it is complete: processes that extract the same archive at once do not disturb each other.

    Raises:
      ArchiveError: the archive is damaged, is too large (MAX_MEMBERS, MAX_MEMBER_BYTES, MAX_BYTES), or holds
        links, devices or names that lead outside of it. Nothing is left of it then.
    """
    stat = archive.stat()
    identity = hashlib.sha256(repr((archive.name, stat.st_size, stat.st_mtime_ns)).encode()).hexdigest()[:16]
    target = extract_dir / f"{archive.name.split('.')[0]}-{identity}"
    if target.is_dir():
        return target
    unfinished = extract_dir / f"{target.name}.unfinished-{os.getpid()}"
    try:
        shutil.rmtree(unfinished, ignore_errors=True)  # of a killed process that had our number
        unfinished.mkdir(parents=True)
        with _open(archive) as stream:
            _extract_tar(stream, unfinished, is_wanted)
        _move(unfinished, target)
    except _RefusedError as error:
        raise errors.ArchiveError(f"{archive}: {error}. Nothing was extracted") from error
    except _DAMAGE as error:
        raise errors.ArchiveError(
            f"{archive} is truncated, damaged, or no tar archive (a saved login page?): download it again. "
            f"({error})"
        ) from error
    except OSError as error:
        raise errors.ArchiveError(f"{archive} cannot be extracted to {extract_dir}: {error}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


class _RefusedError(Exception):
    """An archive's content is not what an honest archive of IAM holds."""


_DAMAGE = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError, RecursionError)


class _BoundedReads:
    """A stream of which nobody reads much at once: tarfile would read a file name of any length."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self.seek = stream.seek
        self.tell = stream.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MAX_MEMBER_BYTES:
            raise _RefusedError(f"a part of {size:,} bytes is not believable")
        return self._stream.read(size)


def _extract_tar(stream: BinaryIO, folder: pathlib.Path, is_wanted: Callable[[str], bool]) -> None:
    stream = _BoundedReads(stream)
    total = end = 0
    with tarfile.open(fileobj=stream, mode="r:") as tar:
        for count, member in enumerate(tar, 1):
            total += member.size
            _check_member(member, count, total)
            name = pathlib.PurePosixPath(member.name)
            if member.isfile() and is_wanted(name.name):
                data = tar.extractfile(member).read()
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("xb") as file:
                    file.write(data)
            blocks = -(-member.size // tarfile.BLOCKSIZE) if member.isfile() else 0
            end = member.offset_data + blocks * tarfile.BLOCKSIZE
    _check_end(stream, end)


def _check_member(member: tarfile.TarInfo, count: int, total: int) -> None:
    name = member.name
    parts = pathlib.PurePosixPath(name)
    # A backslash or a colon would be harmless here, but not on Windows.
    if parts.is_absolute() or ".." in parts.parts or any(letter in name for letter in "\\:\0"):
        raise _RefusedError(f"{name!r} leads outside of the archive's folder")
    if not (member.isfile() or member.isdir()) or member.issparse():
        raise _RefusedError(f"{name!r} is a link, a device or another odd thing")
    if not 0 <= member.size <= MAX_MEMBER_BYTES:
        raise _RefusedError(f"{name!r} is larger than {MAX_MEMBER_BYTES:,} bytes")
    if count > MAX_MEMBERS:
        raise _RefusedError(f"it holds more than {MAX_MEMBERS:,} files, {name!r} is the first beyond")
    if total > MAX_BYTES:
        raise _RefusedError(f"its files have more than {MAX_BYTES:,} bytes, {name!r} is the first beyond")


def _check_end(stream: _BoundedReads, end: int) -> None:
    """Refuses what tarfile takes for an end too: a broken header, no more data.

    Reading on to the last byte makes gzip compare its checksum.
    """
    stream.seek(end)
    tail = stream.read(MAX_MEMBER_BYTES)
    if len(tail) < tarfile.BLOCKSIZE or any(tail) or stream.read(1):
        raise tarfile.ReadError("no end mark")


def _open(archive: pathlib.Path) -> BinaryIO:
    with archive.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"  # whatever the suffix says: some servers unpack on the way
    return gzip.open(archive) if compressed else archive.open("rb")


def _move(unfinished: pathlib.Path, target: pathlib.Path) -> None:
    try:
        unfinished.rename(target)
    except OSError:
        if not target.is_dir():  # otherwise another process was faster, and its copy is as good
            raise
