"""Reads your own scans: a folder a writer, a file a text line. No TensorFlow.

    <folder>/<writer>/<form>-<anything>.png

Lines of one page share a form, so that a split keeps a page together: it is the file's name up to its
last `-`. A name without `-` is a page of its own.
"""

import hashlib
import os
import pathlib

from iam_writer import errors, images
from iam_writer.handwriting import Census, Line

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


class HandwritingFolder:
    """The lines in a folder of scans (a `handwriting.Handwriting`).

    Attributes:
      lines: all lines, sorted by id (`<writer>/<file name without its suffix>`). Each is a row of its own.
      expected: their census.
      ignored: names, relative to the folder, of what is neither hidden nor an image in a writer's folder.
      fingerprint: SHA-256 over ids, sizes and times of change, in hexadecimal.

    Raises:
      MissingDataError: no folder is given, there is no such folder, or no image in it.
      IndexFileError: two files of a writer differ in their suffix only, or a name is not UTF-8.
    """

    def __init__(self, folder: str | os.PathLike | None):
        self.ignored: list[str] = []
        self._paths: dict[str, str] = {}
        if not folder:
            raise errors.MissingDataError(
                f"Where are the scans? Pass their folder as --manual_dir. {_LAYOUT}"
            )
        folder = pathlib.Path(folder).expanduser()
        if not folder.is_dir():
            raise errors.MissingDataError(f"There is no folder {folder}. {_LAYOUT}")
        for writer in _entries(folder):
            if writer.is_dir():
                self._add_writer(writer)
            else:
                self.ignored.append(writer.name)
        if not self._paths:
            seen = ", ".join(self.ignored[:5]) or "nothing"
            raise errors.MissingDataError(f"There is no image in {folder}; found {seen}. {_LAYOUT}")
        self.lines = [_line(id) for id in sorted(self._paths)]
        self.expected = Census.of(self.lines)
        self.fingerprint = self._fingerprint()

    def read(self, line: Line) -> bytes:
        """The line's image as an 8-bit gray PNG file.

        Raises:
          BadImageError: it cannot be read; the message names the file and says why.
        """
        return images.read_gray_png(self._paths[line.id])

    def _add_writer(self, writer: os.DirEntry) -> None:
        for file in _entries(writer.path):
            stem, suffix = os.path.splitext(file.name)
            if suffix.lower() not in SUFFIXES or not file.is_file():
                self.ignored.append(f"{writer.name}/{file.name}")
                continue
            other = self._paths.setdefault(f"{writer.name}/{stem}", file.path)
            if other != file.path:
                raise errors.IndexFileError(
                    f"{other} and {file.path} would be one image: rename or remove one"
                )

    def _fingerprint(self) -> str:
        stats = ((id, os.stat(path)) for id, path in sorted(self._paths.items()))
        rows = [(id, stat.st_size, stat.st_mtime_ns) for id, stat in stats]
        return hashlib.sha256(repr(rows).encode()).hexdigest()


_LAYOUT = f"""Expected is a folder a writer, in it an image a text line:
  <folder>/<writer>/<page>-<line>.png, such as scans/anna/letter1-03.png
({", ".join(SUFFIXES)}; all lines of a page have the name up to the last '-' in common)"""


def _entries(folder: str | os.PathLike) -> list[os.DirEntry]:
    """What is in the folder, hidden things left out, sorted by name."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise errors.MissingDataError(f"{folder} cannot be read: {error.strerror}") from error
    for entry in entries:
        # Python spells bytes that are no text as surrogates; neither SHA-256 nor TFDS would take them.
        if any("\ud800" <= letter <= "\udfff" for letter in entry.name):
            raise errors.IndexFileError(f"The name of {entry.path!a} is not UTF-8: rename it")
    return [entry for entry in entries if not entry.name.startswith(".")]


def _line(id: str) -> Line:
    writer, stem = id.split("/")
    return Line(id=id, writer=writer, form=f"{writer}/{stem.rpartition('-')[0] or stem}", row=id)
