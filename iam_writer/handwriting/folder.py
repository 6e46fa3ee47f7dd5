"""Reads your own scans: one folder for each writer, with files of text lines or of pages. Does not use TensorFlow.

    <folder>/<writer>/<form>-<anything>.png    a text line
    <folder>/<writer>/<form>.png               a page

A scan on which `pages` finds several text lines is a page. The page's name is its form, and its lines have the names
`<form>-01`, `<form>-02`, … Any other scan is a text line and stays as it is. The form of a text line is its name up to
the last `-`. A name without `-` is a form of its own. Lines of one form always come into the same split.
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
"""Pixels. An image of less height is taken for a text line without a search, since two lines of writing are higher."""

LITTLE = 20
"""Line heights. A writer has written little if all lines together are shorter. A line of IAM is 12 line heights long."""


class HandwritingFolder:
    """The lines in a folder of scans (a `handwriting.Handwriting`).

    Args:
      folder: the folder of the scans.
      cache_dir: where the lines cut from pages are kept, by default `.lines` in the folder.

    Attributes:
      lines: all lines, sorted by id. An id is `<writer>/<file name without its suffix>`; the id of a line cut from a
        page also ends with `-<number>`. Each line is a row of its own.
      expected: the census of the lines.
      ignored: names, relative to the folder, of files that are not images in a writer's folder, and of images without
        any text line, with the reason. Hidden files are not listed.
      warnings: pages that look odd, names that do not fit the content of the scan, and writers with little writing.
      fingerprint: SHA-256 over ids, sizes and times of change, in hexadecimal.

    Raises:
      MissingDataError: no folder is given, there is no such folder, or there is no image in it.
      NoWritingError: a writer has images, but none of them has a text line.
      IndexFileError: two files of a writer differ in their suffix only; or a line cut from a page has the name of a
        file; or a name is not UTF-8; or a folder's name cannot be a writer's name.
    """

    def __init__(
        self, folder: str | os.PathLike[str] | None, cache_dir: str | os.PathLike[str] | None = None
    ):
        self.ignored: list[str] = []
        self.warnings: list[str] = []
        if not folder:
            raise errors.MissingDataError(
                f"No folder of scans is named. Name it with --manual_dir.\n{_LAYOUT}"
            )
        folder = pathlib.Path(folder).expanduser()
        if not folder.is_dir():
            raise errors.MissingDataError(
                f"There is no folder {folder}. Name the folder of the scans with --manual_dir.\n{_LAYOUT}"
            )
        scans: dict[str, str] = {}
        for writer in _entries(folder):
            if writer.is_dir():
                self._add_writer(writer, scans)
            else:
                self.ignored.append(writer.name)
        if not scans:
            seen = ", ".join(self.ignored[:5]) or "nothing"
            raise errors.MissingDataError(
                f"There is no image of a writer in {folder}. It holds: {seen}.\n{_LAYOUT}"
            )
        self.lines: list[Line] = []
        self._files: dict[str, tuple[str, int]] = {}
        self._archives: dict[str, str] = {}
        self._find_lines(scans, pathlib.Path(cache_dir or folder / ".lines").expanduser())
        self.expected = Census.of(self.lines)
        self.fingerprint = _fingerprint(scans, cut=bool(self._archives))

    def read(self, line: Line) -> bytes:
        """The content of an 8-bit gray PNG file of the line.

        Raises:
          BadImageError: the image cannot be read. The message names the file and the reason.
        """
        path, number = self._files[line.id]
        return cut_pages.read(self._archives[path], number) if number else images.read_gray_png(path)

    def _add_writer(self, writer: os.DirEntry[str], scans: dict[str, str]) -> None:
        if writer.name.strip().splitlines() != [writer.name]:  # TFDS writes one name a line and strips it.
            raise errors.IndexFileError(
                f"The name of the folder {writer.path!r} begins or ends with a blank, or has a line break. Rename the folder."
            )
        for file in _entries(writer.path):
            stem, suffix = os.path.splitext(file.name)
            if suffix.lower() not in images.SUFFIXES or not file.is_file():
                self.ignored.append(f"{writer.name}/{file.name}")
                continue
            other = scans.setdefault(f"{writer.name}/{stem}", file.path)
            if other != file.path:
                raise errors.IndexFileError(
                    f"{other} and {file.path} have the same name apart from their suffix. Rename or remove one of them."
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
        """Groups the ids of scans that have the name of a form in common. Scans without writing go to `ignored`."""
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
                f"{other[0]} and {path} would both give the line {line.id}. Rename or remove one of them."
            )
        self.lines.append(line)

    def _check(self, lengths: dict[str, float]) -> None:
        """Raises NoWritingError if a writer has no line, and warns of writers with little writing.

        Args:
          lengths: writer → the length of all lines together, in line heights.
        """
        for writer in sorted(lengths.keys() - {line.writer for line in self.lines}):
            why = ", ".join(name for name in self.ignored if name.startswith(f"{writer}/"))
            raise errors.NoWritingError(
                f"No text line was found on the scans of {writer}: {why}. Add scans of this writer, or remove the folder."
            )
        little = sorted(writer for writer, length in lengths.items() if length < LITTLE)
        if little:
            self.warnings.insert(
                0,
                f"{len(little)} writers have less than two lines of writing, which is little to learn from: "
                f"{', '.join(little[:10])}",
            )


_LAYOUT = f"""Make a folder for each writer. Put images of pages, or of single text lines, into it:
  <folder>/<writer>/<page>.png, such as scans/anna/letter1.png
  <folder>/<writer>/<page>-<line>.png, such as scans/anna/letter1-03.png
The lines of one page have the same name up to the last '-'. These suffixes are read: {", ".join(images.SUFFIXES)}."""


def _are_pages(scans: Sequence[CutPage | None]) -> bool:
    """Whether scans of one name are pages. They are if at least half of them have several text lines.

    One scan alone does not decide, since a text line is sometimes taken for two.
    """
    return 2 * sum(scan is not None and len(scan.sizes) > 1 for scan in scans) >= len(scans)


def _relative(path: str) -> str:
    return "/".join(pathlib.Path(path).parts[-2:])


def _fingerprint(scans: dict[str, str], cut: bool) -> str:
    stats = ((id, os.stat(path)) for id, path in sorted(scans.items()))
    rows = [(id, stat.st_size, stat.st_mtime_ns) for id, stat in stats]
    # The version of the code that cuts pages matters only if pages were cut.
    return hashlib.sha256(repr([*rows, *[pages.VERSION] * cut]).encode()).hexdigest()


def _entries(folder: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    """The entries of a folder that are not hidden, sorted by name."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise errors.MissingDataError(f"The folder {folder} cannot be read: {error.strerror}.") from error
    for entry in entries:
        # Python turns bytes that are not text into surrogates. SHA-256 and TFDS do not accept surrogates.
        if any("\ud800" <= letter <= "\udfff" for letter in entry.name):
            raise errors.IndexFileError(f"The name of {entry.path!a} is not UTF-8. Rename it.")
    return [entry for entry in entries if not entry.name.startswith(".")]


def _line(id: str) -> Line:
    writer, stem = id.split("/")
    return Line(id=id, writer=writer, form=f"{writer}/{stem.rpartition('-')[0] or stem}", row=id)
