"""Reads your own scans: files of text lines or of pages, and who wrote them. Does not use TensorFlow.

    <folder>/<writer>/<page>.png               a page
    <folder>/<writer>/<page>-<anything>.png    a text line
    <folder>/<writer>/<page>/<anything>.png    a text line
    <folder>/train/<writer>/…                  splits that you have chosen: train, validation, test
    <folder>/manifest.csv                      any other layout (see `manifest`)

A scan on which `pages` finds several text lines is a page. Its lines have the names `<page>-01`, `<page>-02`, … Any other
scan is a text line and stays as it is. If a PAGE-XML or ALTO file lies beside a page, its lines are taken (see
`layout_files`). The page of a text line is told by a pattern, by a table, by a folder, or by a known naming (see
`namings`); otherwise it is the name up to the last `-`. Lines of one page always come into the same split, and so do
pages that are copies of each other (see `copies`).
"""

import collections
import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Collection, Mapping, Sequence

from iam_writer.common import errors
from iam_writer.handwriting import copies, cut_pages, images, layout_files, namings, pages, scans
from iam_writer.handwriting.cut_pages import CutPage
from iam_writer.handwriting.line import Census, Line
from iam_writer.handwriting.scans import Found, Scan

MIN_PAGE_HEIGHT = 150
"""Pixels. An image of less height is taken for a text line without a search, since two lines of writing are higher."""

LITTLE = 20
"""Line heights. A writer has written little if all lines together are shorter. A line of IAM is 12 line heights long."""


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where the image of a line is: a file, the line's number on it if it was cut from a page, or its box."""

    path: str
    number: int = 0
    box: tuple[int, int, int, int] | None = None


class HandwritingFolder:
    """The lines in a folder of scans (a `handwriting.Handwriting`).

    Args:
      folder: the folder of the scans.
      cache_dir: where the lines cut from pages are kept, by default `.lines` in the folder.
      page_pattern: a regular expression with a group `page`, which finds the page of a line image in its path below the
        folder, without the suffix. It replaces the other ways to tell the page.
      writer_pattern: the same with a group `writer`. The scans may then lie anywhere in the folder.

    Attributes:
      lines: all lines, sorted by id. An id is the path below the folder without its suffix; the id of a line cut from a
        page also ends with `-<number>`. Each line is a row of its own.
      expected: the census of the lines.
      ignored: names, relative to the folder, of files that are not images in a writer's folder, and of images without
        any text line, with the reason. Hidden files are not listed.
      warnings: pages that look odd, names that do not fit the content of the scan, copies, and writers with little
        writing.
      fingerprint: SHA-256 over ids, pages, splits, sizes and times of change, in hexadecimal.

    Raises:
      MissingDataError: no folder is given, there is no such folder, or there is no image in it.
      NoWritingError: a writer has images, but none of them has a text line.
      IndexFileError: two files of a writer differ in their suffix only; or a line cut from a page has the name of a
        file; or a name is not UTF-8; or a folder's name cannot be a writer's name; or the table is wrong.
      UnclearPagesError: the names do not tell which line images are of one page.
      FlagError: a pattern is wrong.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | None,
        cache_dir: str | os.PathLike[str] | None = None,
        *,
        page_pattern: str | None = None,
        writer_pattern: str | None = None,
    ):
        expressions = namings.compiled(page_pattern, "page"), namings.compiled(writer_pattern, "writer")
        root = existing(folder, _LAYOUT)
        self._load(scans.find(root, *expressions), root, cache_dir)

    def _load(self, found: Found, root: pathlib.Path, cache_dir: str | os.PathLike[str] | None) -> None:
        self.ignored = found.ignored
        self.warnings = found.warnings
        if not found.scans:
            seen = ", ".join(self.ignored[:5]) or "nothing"
            raise errors.MissingDataError(
                f"There is no image of a writer in {root}. It holds: {seen}.\n{_LAYOUT}"
            )
        cache = pathlib.Path(cache_dir or root / ".lines").expanduser()
        self._root = root
        self.lines: list[Line] = []
        self._places: dict[str, _Place] = {}
        self._archives: dict[str, str] = {}
        self._find_lines(found.scans, cache)
        self.expected = Census.of(self.lines)
        self.fingerprint = _fingerprint(found.scans, self._archives)

    def read(self, line: Line) -> bytes:
        """The content of an 8-bit gray PNG file of the line.

        Raises:
          BadImageError: the image cannot be read. The message names the file and the reason.
        """
        place = self._places[line.id]
        if place.number:
            archive = self._archives[place.path]
            # Checked as any image, since a damaged archive may hold a damaged line.
            return images.gray_png(cut_pages.read(archive, place.number), f"Line {place.number} in {archive}")
        png = images.read_gray_png(place.path)
        if place.box is None:
            return png
        try:
            return images.crop_png(png, place.box)
        except ValueError as error:
            raise errors.BadImageError(f"{place.path}: {error}") from error

    def _find_lines(self, found: Sequence[Scan], cache: pathlib.Path) -> None:
        paths = {scan.path: images.size(scan.path) for scan in found}
        high = [scan.path for scan in found if not scan.box and paths[scan.path][1] >= MIN_PAGE_HEIGHT]
        cut = cut_pages.cut(high, cache)
        lengths = dict.fromkeys(sorted({scan.writer for scan in found}), 0.0)
        guessed: list[namings.Named] = []
        form_of: dict[str, str] = {}
        for group in self._of_one_page(found, cut):
            are_pages = _are_pages([cut.get(scan.path) for scan in group])
            for scan in group:
                page = cut.get(scan.path) if not scan.box else None
                is_page = page is not None and are_pages
                if page is not None and is_page:
                    self._archives[scan.path] = page.archive
                    self._warn(scan, page.warnings)
                    form = scan.form if scan.told else f"{scan.writer}/{scan.inside}"
                    rows = [
                        (f"{scan.id}-{i:02}", _Place(scan.path, i), size)
                        for i, size in enumerate(page.sizes, 1)
                    ]
                else:
                    if page is not None and len(page.sizes) > 1:
                        self._warn(scan, [_SEVERAL])
                    form = scan.form
                    size = scan.box[2:] if scan.box else paths[scan.path]
                    rows = [(scan.id, _Place(scan.path, box=scan.box), size)]
                    if scan.guessed and not scan.told and not scan.split:
                        guessed.append(namings.Named(scan.writer, scan.id, scan.page))
                form_of[scan.id] = form
                for id, place, (width, height) in rows:
                    self._add(Line(id, scan.writer, form, row=id, split=scan.split), place)
                    lengths[scan.writer] += width / max(1, height)
        namings.check(guessed)
        self.lines.sort(key=lambda line: line.id)
        self._check(lengths)
        self._mark_copies(
            [scan for scan in found if scan.id in form_of and not scan.box], paths, form_of, cache
        )
        several = [f"{self._below(path)}: {why}" for path in paths for why in images.several_pages(path)]
        given = layout_files.in_words([cut[path].layout for path in self._archives])
        self.warnings = ([given] if given else []) + several + self.warnings

    def _of_one_page(self, found: Sequence[Scan], cut: Mapping[str, CutPage]) -> list[list[Scan]]:
        """Groups scans that have the page in common. Scans without writing go to `ignored`."""
        of_page = collections.defaultdict(list)
        for scan in found:
            page = cut.get(scan.path)
            if page is not None and not page.sizes and not scan.box:
                self.ignored.append(f"{self._below(scan.path)} ({'; '.join(page.warnings)})")
            else:
                is_line = scan.page != scan.inside
                of_page[scan.form, is_line].append(scan)
        return list(of_page.values())

    def _mark_copies(
        self,
        found: Sequence[Scan],
        sizes: Mapping[str, tuple[int, int]],
        form_of: Mapping[str, str],
        cache: pathlib.Path,
    ) -> None:
        """Tells which scans are copies, and gives the lines of their pages one name for `copies`."""
        groups = copies.groups(
            {scan.id: scan.path for scan in found}, {scan.id: sizes[scan.path] for scan in found}, cache
        )
        if not groups:
            return
        writer_of = {scan.id: scan.writer for scan in found}
        path_of = {scan.id: self._below(scan.path) for scan in found}
        names = [", ".join(path_of[id] for id in group[:4]) + " …" * (len(group) > 4) for group in groups]
        self.warnings.append(
            f"{sum(map(len, groups)):,} scans are copies of each other, or nearly so, and stay in one split: "
            + "; ".join(names[:5])
        )
        mixed = [
            name for name, group in zip(names, groups, strict=True) if len({*map(writer_of.get, group)}) > 1
        ]
        if mixed:
            self.warnings.append(
                f"Copies lie in the folders of several writers; who wrote them? {'; '.join(mixed[:5])}"
            )
        pairs = [(form_of[group[0]], form_of[id]) for group in groups for id in group[1:]]
        name_of = {form: group[0] for group in copies.joined(pairs) for form in group}
        self.lines = [dataclasses.replace(line, copies=name_of.get(line.form, "")) for line in self.lines]

    def _warn(self, scan: Scan, odd: Sequence[str]) -> None:
        self.warnings += [f"{self._below(scan.path)}: {why}" for why in odd]

    def _below(self, path: str) -> str:
        return pathlib.Path(os.path.relpath(path, self._root)).as_posix()

    def _add(self, line: Line, place: _Place) -> None:
        other = self._places.setdefault(line.id, place)
        if other != place:
            raise errors.IndexFileError(
                f"{other.path} and {place.path} would both give the line {line.id}. Rename or remove one of them."
            )
        self.lines.append(line)

    def _check(self, lengths: dict[str, float]) -> None:
        """Raises NoWritingError if a writer has no line, and warns of writers with little writing.

        Args:
          lengths: writer → the length of all lines together, in line heights.
        """
        for writer in sorted(lengths.keys() - {line.writer for line in self.lines}):
            why = ", ".join(name for name in self.ignored if f"{writer}/" in name)
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


def existing(folder: str | os.PathLike[str] | None, layout: str) -> pathlib.Path:
    """The folder, if it is there.

    Raises:
      MissingDataError: no folder is given, or there is none. The message ends with `layout`.
    """
    if not folder:
        raise errors.MissingDataError(f"No folder of scans is named. Name it with --manual_dir.\n{layout}")
    path = pathlib.Path(folder).expanduser()
    if not path.is_dir():
        raise errors.MissingDataError(
            f"There is no folder {path}. Name the folder of the scans with --manual_dir.\n{layout}"
        )
    return path


_SEVERAL = "there seem to be several lines on it, but it is taken for one, as others of its name are"

_LAYOUT = f"""Make a folder for each writer. Put images of pages, or of single text lines, into it:
  <folder>/<writer>/<page>.png, such as scans/anna/letter1.png
  <folder>/<writer>/<page>-<line>.png, such as scans/anna/letter1-03.png
The lines of one page have the same name up to the last '-'. These suffixes are read: {", ".join(images.SUFFIXES)}.
For other layouts see --page_pattern, --writer_pattern, or write a table manifest.csv."""


def _are_pages(found: Sequence[CutPage | None]) -> bool:
    """Whether scans of one name are pages. They are if at least half of them have several text lines, or lines that a file gives.

    One scan alone does not decide, since a text line is sometimes taken for two.
    """
    return 2 * sum(scan is not None and (len(scan.sizes) > 1 or scan.layout != "") for scan in found) >= len(
        found
    )


def _fingerprint(found: Sequence[Scan], cut: Collection[str]) -> str:
    stats = ((scan, os.stat(scan.path)) for scan in found)
    rows = [
        (scan.id, scan.writer, scan.page, scan.told, scan.split, scan.box, stat.st_size, stat.st_mtime_ns)
        for scan, stat in stats
    ]
    # The version of the code that cuts pages matters only if pages were cut.
    given = [file.sha256 for file in map(layout_files.find, cut) if file]
    return hashlib.sha256(repr([*rows, *[pages.VERSION] * bool(cut), *given]).encode()).hexdigest()
