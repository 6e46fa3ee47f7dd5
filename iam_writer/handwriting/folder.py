"""Reads your own scans: a folder a writer, a file a text line or a whole page. No TensorFlow.

    <folder>/<writer>/<form>-<anything>.png    a text line
    <folder>/<writer>/<form>.png               a page

A scan on which `pages` finds several text lines is a page; its name is its form, and its lines are `<form>-01`,
`<form>-02`, … Any other is a text line and stays as it is. Lines of one page share a form, so that a split keeps a page
together: it is their name up to its last `-`. A name without `-` is a form of its own.
"""

import collections
import hashlib
import os
import pathlib
from collections.abc import Sequence

from iam_writer.common import errors
from iam_writer.handwriting import cut_pages, images, pages
from iam_writer.handwriting.cut_pages import CutPage
from iam_writer.handwriting.line import Census, Line

MIN_PAGE_HEIGHT = 150
"""Pixels; a lower image is a text line and not looked at: two lines of writing take more."""

LITTLE = 20
"""Line heights; a writer whose lines are together less long has written little. A line of IAM's is 12 long."""


class HandwritingFolder:
    """The lines in a folder of scans (a `handwriting.Handwriting`).

    Args:
      folder: of the scans.
      cache_dir: where the lines cut from pages are kept, by default `.lines` in the folder.

    Attributes:
      lines: all lines, sorted by id (`<writer>/<file name without its suffix>`, and of a page's lines `-<number>`).
        Each is a row of its own.
      expected: their census.
      ignored: names, relative to the folder, of what is neither hidden nor an image in a writer's folder, and of images
        on which no text line was found, with the reason.
      warnings: pages that look odd, names that do not fit what is on the scan, writers of whom there is little.
      fingerprint: SHA-256 over ids, sizes and times of change, in hexadecimal.

    Raises:
      MissingDataError: no folder is given, there is no such folder, or no image in it.
      NoWritingError: a writer has images, but there is no text line on any.
      IndexFileError: two files of a writer differ in their suffix only, a line cut from a page has a file's name, or a
        name is not UTF-8, or no name for a writer.
    """

    def __init__(
        self, folder: str | os.PathLike[str] | None, cache_dir: str | os.PathLike[str] | None = None
    ):
        self.ignored: list[str] = []
        self.warnings: list[str] = []
        if not folder:
            raise errors.MissingDataError(
                f"Where are the scans? Pass their folder as --manual_dir. {_LAYOUT}"
            )
        folder = pathlib.Path(folder).expanduser()
        if not folder.is_dir():
            raise errors.MissingDataError(f"There is no folder {folder}. {_LAYOUT}")
        scans: dict[str, str] = {}
        for writer in _entries(folder):
            if writer.is_dir():
                self._add_writer(writer, scans)
            else:
                self.ignored.append(writer.name)
        if not scans:
            seen = ", ".join(self.ignored[:5]) or "nothing"
            raise errors.MissingDataError(f"There is no image in {folder}; found {seen}. {_LAYOUT}")
        self.lines: list[Line] = []
        self._files: dict[str, tuple[str, int]] = {}
        self._archives: dict[str, str] = {}
        self._find_lines(scans, pathlib.Path(cache_dir or folder / ".lines").expanduser())
        self.expected = Census.of(self.lines)
        self.fingerprint = _fingerprint(scans, cut=bool(self._archives))

    def read(self, line: Line) -> bytes:
        """The line's image as an 8-bit gray PNG file.

        Raises:
          BadImageError: it cannot be read; the message names the file and says why.
        """
        path, number = self._files[line.id]
        return cut_pages.read(self._archives[path], number) if number else images.read_gray_png(path)

    def _add_writer(self, writer: os.DirEntry[str], scans: dict[str, str]) -> None:
        if writer.name.strip().splitlines() != [writer.name]:  # TFDS keeps a name a line, stripped.
            raise errors.IndexFileError(
                f"{writer.path!r} begins or ends with a blank, or has a line break in its name: rename it"
            )
        for file in _entries(writer.path):
            stem, suffix = os.path.splitext(file.name)
            if suffix.lower() not in images.SUFFIXES or not file.is_file():
                self.ignored.append(f"{writer.name}/{file.name}")
                continue
            other = scans.setdefault(f"{writer.name}/{stem}", file.path)
            if other != file.path:
                raise errors.IndexFileError(
                    f"{other} and {file.path} would be one image: rename or remove one"
                )

    def _find_lines(self, scans: dict[str, str], cache: pathlib.Path) -> None:
        sizes = {id: images.size(path) for id, path in scans.items()}
        high = [scans[id] for id, (_, height) in sizes.items() if height >= MIN_PAGE_HEIGHT]
        cut = cut_pages.cut(high, cache)
        lengths = {id.split("/")[0]: 0.0 for id in scans}
        for ids in self._of_one_name(scans, cut):
            are_pages = _are_pages([cut.get(scans[id]) for id in ids])
            for id in ids:
                path, page = scans[id], cut.get(scans[id])
                found, odd = [(id, 0, sizes[id])], []
                if page is not None and are_pages:
                    self._archives[path] = page.archive
                    found = [(f"{id}-{i:02}", i, size) for i, size in enumerate(page.sizes, 1)]
                    odd = page.warnings
                elif page is not None and len(page.sizes) > 1:
                    odd = [
                        "there seem to be several lines on it, but it is taken for one, as others of its name are"
                    ]
                self.warnings += [f"{_relative(path)}: {why}" for why in odd]
                for line_id, number, (width, height) in found:
                    self._add(_line(line_id), path, number)
                    lengths[line_id.split("/")[0]] += width / max(1, height)
        self.lines.sort(key=lambda line: line.id)
        self._check(lengths)
        several = [
            f"{_relative(path)}: {why}" for path in scans.values() for why in images.several_pages(path)
        ]
        self.warnings = several + self.warnings

    def _of_one_name(self, scans: dict[str, str], cut: dict[str, CutPage]) -> list[list[str]]:
        """The ids of scans that have a form's name in common. Those without any writing become `ignored`."""
        of_name = collections.defaultdict(list)
        for id, path in sorted(scans.items()):
            page = cut.get(path)
            if page is not None and not page.sizes:
                self.ignored.append(f"{_relative(path)} ({'; '.join(page.warnings)})")
            else:
                of_name[_line(id).form, "-" in id.split("/")[1]].append(id)
        return list(of_name.values())

    def _add(self, line: Line, path: str, number: int) -> None:
        other = self._files.setdefault(line.id, (path, number))
        if other != (path, number):
            raise errors.IndexFileError(
                f"{other[0]} and {path} would both hold the line {line.id}: rename or remove one"
            )
        self.lines.append(line)

    def _check(self, lengths: dict[str, float]) -> None:
        """Says of whom there is little writing, given the lengths of their lines in line heights."""
        for writer in sorted(lengths.keys() - {line.writer for line in self.lines}):
            why = ", ".join(name for name in self.ignored if name.startswith(f"{writer}/"))
            raise errors.NoWritingError(
                f"There is no text line on any scan of {writer}: {why}. Scan more of this hand, or remove the folder."
            )
        little = sorted(writer for writer, length in lengths.items() if length < LITTLE)
        if little:
            self.warnings.insert(
                0,
                f"{len(little)} writers have less than two lines of writing: {', '.join(little[:10])}",
            )


_LAYOUT = f"""Expected is a folder a writer, in it an image a page or a text line:
  <folder>/<writer>/<page>.png, such as scans/anna/letter1.png
  <folder>/<writer>/<page>-<line>.png, such as scans/anna/letter1-03.png
({", ".join(images.SUFFIXES)}; all lines of a page have the name up to the last '-' in common)"""


def _are_pages(scans: Sequence[CutPage | None]) -> bool:
    """Whether scans of one name are pages: half of them at least, for now and then a text line is taken for two."""
    return 2 * sum(scan is not None and len(scan.sizes) > 1 for scan in scans) >= len(scans)


def _relative(path: str) -> str:
    return "/".join(pathlib.Path(path).parts[-2:])


def _fingerprint(scans: dict[str, str], cut: bool) -> str:
    stats = ((id, os.stat(path)) for id, path in sorted(scans.items()))
    rows = [(id, stat.st_size, stat.st_mtime_ns) for id, stat in stats]
    # The version of what cuts pages matters only where pages were cut.
    return hashlib.sha256(repr([*rows, *[pages.VERSION] * cut]).encode()).hexdigest()


def _entries(folder: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
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
