"""Extracts tar and zip archives, also those of unknown origin.

No file is written outside the target folder, and no file is left half-written. Python's own `tarfile.data_filter` and
`zipfile.ZipFile.extract` keep the names of files inside the folder. This module adds limits on sizes, and it checks
that a tar archive is read to its last byte.
"""

import gzip
import hashlib
import os
import pathlib
import shutil
import tarfile
import typing
import zipfile
import zlib
from collections.abc import Callable
from typing import IO

from iam_writer.common import errors

# IAM's largest archive holds 115,320 images (words) and its images have less than 1 MB each.
MAX_MEMBERS = 200_000
MAX_MEMBER_BYTES = 100 * 10**6
MAX_BYTES = 20 * 10**9

SUFFIXES = (".tgz", ".tar.gz", ".tar", ".zip")
"""The names of archives end with one of these. The first bytes of an archive tell its kind."""


def extract(
    archive: pathlib.Path, extract_dir: pathlib.Path, is_wanted: Callable[[str], bool]
) -> pathlib.Path:
    """Extracts the files that are wanted from a tar or zip archive, once, and returns their folder.

    The folder lies below `extract_dir`. Its name depends on the archive's name, size and time of change. The folder
    appears only when it is complete, so processes that extract the same archive at once do not disturb each other.

    Args:
      archive: path of the archive.
      extract_dir: the folder for extracted archives.
      is_wanted: says by a file's name, without folders, whether the file is extracted.

    Raises:
      ArchiveError: the archive is damaged, is encrypted, is too large (MAX_MEMBERS, MAX_MEMBER_BYTES, MAX_BYTES),
        or holds links, devices or names that lead outside of the folder. Then no extracted file is left.
    """
    stat = archive.stat()
    identity = hashlib.sha256(repr((archive.name, stat.st_size, stat.st_mtime_ns)).encode()).hexdigest()[:16]
    target = extract_dir / f"{archive.name.split('.')[0]}-{identity}"
    if target.is_dir():
        return target
    unfinished = extract_dir / f"{target.name}.unfinished-{os.getpid()}"
    try:
        shutil.rmtree(unfinished, ignore_errors=True)  # A killed process may have had the same process id.
        unfinished.mkdir(parents=True)
        with archive.open("rb") as file:
            signature = file.read(4)
        # The suffix does not decide: some servers decompress an archive while they send it.
        if signature in (b"PK\3\4", b"PK\5\6"):
            _extract_zip(archive, unfinished, is_wanted)
        elif signature.startswith(b"\x1f\x8b"):
            with gzip.open(archive) as unpacked:
                _extract_tar(unpacked, unfinished, is_wanted)
        else:
            with archive.open("rb") as file:
                _extract_tar(file, unfinished, is_wanted)
        _move(unfinished, target)
    except _RefusedError as error:
        raise errors.ArchiveError(
            f"{archive} was not extracted, because {error}. The archives of public sets hold nothing of this kind. Download it "
            "again from its publisher."
        ) from error
    except _DAMAGE as error:
        raise errors.ArchiveError(
            f"{archive} cannot be read as a tar or zip archive ({error}). It is incomplete or damaged, or it is a web page "
            "that was saved under this name. Download it again."
        ) from error
    except OSError as error:
        raise errors.ArchiveError(f"{archive} cannot be extracted into {extract_dir}: {error}.") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


class _RefusedError(Exception):
    """An archive holds something that no real archive of IAM holds."""


_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    EOFError,
    zlib.error,
    gzip.BadGzipFile,
    ValueError,
    RecursionError,
)


_Stream = IO[bytes] | gzip.GzipFile


class _BoundedReads:
    """A stream that refuses to read very many bytes at once. tarfile itself would read a file name of any length."""

    def __init__(self, stream: _Stream):
        self._stream = stream
        self.seek = stream.seek
        self.tell = stream.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MAX_MEMBER_BYTES:
            raise _RefusedError(f"it has a part of {size:,} bytes, more than {MAX_MEMBER_BYTES:,}")
        return self._stream.read(size)


def _extract_tar(stream: _Stream, folder: pathlib.Path, is_wanted: Callable[[str], bool]) -> None:
    bounded = _BoundedReads(stream)
    total = end = 0
    with tarfile.open(fileobj=typing.cast(IO[bytes], bounded), mode="r:") as tar:
        for count, member in enumerate(tar, 1):
            total += member.size
            _check_size(member.name, member.size, count, total)
            # The filter refuses only links that lead outside. IAM's archives have no links, so all links are refused.
            if not (member.isfile() or member.isdir()) or member.issparse():
                raise _RefusedError(f"{member.name!r} is neither a file nor a folder, but a link or a device")
            try:
                tarfile.data_filter(member, str(folder))
                if member.isfile() and is_wanted(pathlib.PurePosixPath(member.name).name):
                    tar.extract(member, folder, set_attrs=False, filter="data")
            except tarfile.FilterError as error:
                raise _RefusedError(f"{member.name!r} would be written outside of the folder") from error
            blocks = -(-member.size // tarfile.BLOCKSIZE) if member.isfile() else 0
            end = member.offset_data + blocks * tarfile.BLOCKSIZE
    _check_end(bounded, end)


def _extract_zip(archive: pathlib.Path, folder: pathlib.Path, is_wanted: Callable[[str], bool]) -> None:
    """Extracts a zip archive. It holds a checksum of each file, which `ZipFile.extract` compares."""
    total = 0
    with zipfile.ZipFile(archive) as file:
        for count, member in enumerate(file.infolist(), 1):
            total += member.file_size
            _check_size(member.filename, member.file_size, count, total)
            if member.is_dir() or not is_wanted(pathlib.PurePosixPath(member.filename).name):
                continue
            try:
                file.extract(member, folder)
            except RuntimeError as error:  # The file is encrypted, or Python lacks its compression.
                raise _RefusedError(
                    f"it is encrypted or compressed in an unknown way ({error}). Unpack it with another program, and put the files "
                    "where the archive is"
                ) from error


def _check_size(name: str, size: int, count: int, total: int) -> None:
    if not 0 <= size <= MAX_MEMBER_BYTES:
        raise _RefusedError(f"{name!r} is larger than {MAX_MEMBER_BYTES:,} bytes")
    if count > MAX_MEMBERS:
        raise _RefusedError(f"it holds more than {MAX_MEMBERS:,} files")
    if total > MAX_BYTES:
        raise _RefusedError(f"its files have more than {MAX_BYTES:,} bytes")


def _check_end(stream: _BoundedReads, end: int) -> None:
    """Raises ReadError unless the archive has a proper end mark.

    tarfile also takes a broken header, or missing data, for the end of an archive. The archive is read to its last
    byte, since only then does gzip compare its checksum.
    """
    stream.seek(end)
    tail = stream.read(MAX_MEMBER_BYTES)
    if len(tail) < tarfile.BLOCKSIZE or any(tail) or stream.read(1):
        raise tarfile.ReadError("no end mark")


def _move(unfinished: pathlib.Path, target: pathlib.Path) -> None:
    try:
        unfinished.rename(target)
    except OSError:
        if not target.is_dir():  # Otherwise another process was faster, and its copy is used.
            raise
