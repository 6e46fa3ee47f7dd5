"""Finds the scans in a folder, their writers and their pages. Does not use TensorFlow.

A folder is read in the first of these ways that fits:

- a table `manifest.csv` lies in it (see `manifest`)
- a pattern finds the writer in each path (`--writer_pattern`)
- its folders are train, validation and test, and each holds a folder for each writer
- it holds a folder for each writer
"""

import collections
import dataclasses
import os
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence

from iam_writer.common import errors
from iam_writer.handwriting import images, manifest, namings
from iam_writer.handwriting.splits import NAMES, TEST, TRAIN, VALIDATION

_DEPTH = 8
"""So many levels of folders are searched."""

SPLIT_FOLDERS = {
    name: split
    for split, names in {
        TRAIN: ("train", "training"),
        VALIDATION: ("validation", "valid", "val", "dev"),
        TEST: ("test", "testing"),
    }.items()
    for name in names
}
"""Names of folders, in small letters → the split that they hold."""


@dataclasses.dataclass(frozen=True)
class Scan:
    """An image file, or a box on it.

    Attributes:
      id: the path below the folder, without the suffix. The id of a box also has its number.
      path: the image file.
      writer: the writer.
      inside: the path in the folder of the writer, without the suffix; the whole id if there is no such folder.
      page: the name of the page that a line image is from, without the writer.
      told: whether a pattern, a table or a known naming says the page. Then all text lines on the scan are of this page.
        Otherwise a scan of several text lines is a page of its own.
      guessed: whether the page was guessed from a name that follows no known naming.
      split: the split that it belongs to; empty if the owner has not chosen.
      box: x, y, width and height of a text line on the image, in pixels; None for the whole image.
    """

    id: str
    path: str
    writer: str
    inside: str
    page: str
    told: bool = False
    guessed: bool = False
    split: str = ""
    box: tuple[int, int, int, int] | None = None

    @property
    def form(self) -> str:
        return f"{self.writer}/{self.page}"


@dataclasses.dataclass
class Found:
    """What lies in a folder.

    Attributes:
      scans: sorted by id.
      ignored: paths below the folder of files that are no scan of a writer.
      warnings: what is odd about the layout.
    """

    scans: list[Scan]
    ignored: list[str]
    warnings: list[str]


def find(
    folder: pathlib.Path,
    page_pattern: re.Pattern[str] | None = None,
    writer_pattern: re.Pattern[str] | None = None,
) -> Found:
    """Finds the scans in a folder.

    Args:
      folder: where to search.
      page_pattern: finds the page of a line image in its path. It has a group `page`.
      writer_pattern: finds the writer in a path. It has a group `writer`.

    Raises:
      IndexFileError: two files have the same name but for their suffix; a pattern finds nothing in a path; the table is
        wrong; a name is not UTF-8, or cannot be a writer's name.
      MissingDataError: a folder cannot be read.
    """
    found = Found([], [], [])
    if (folder / manifest.NAME).is_file():
        _by_table(folder, found)
    elif writer_pattern:
        for path in walk(folder):
            if _is_image(path, found, folder):
                id = _id(path, folder)
                _add(found, folder, path, namings.page_by(writer_pattern, id, "writer"))
    else:
        top = entries(folder)
        folders = [entry for entry in top if entry.is_dir()]
        found.ignored += [entry.name for entry in top if not entry.is_dir()]
        splits = {SPLIT_FOLDERS.get(entry.name.lower(), "") for entry in folders}
        if {TRAIN, TEST} <= splits <= set(NAMES):
            for part in folders:
                for entry in entries(part.path):
                    _add_writer(found, folder, entry, SPLIT_FOLDERS[part.name.lower()])
        else:
            for entry in folders:
                _add_writer(found, folder, entry, "")
    found.scans.sort(key=lambda scan: scan.id)
    _check_ids(found.scans)
    found.scans = (
        [_told_by(page_pattern, scan) for scan in found.scans]
        if page_pattern
        else _with_known_namings(found.scans)
    )
    found.warnings += _about_splits(found.scans)
    return found


def walk(folder: str | os.PathLike[str], depth: int = _DEPTH) -> Iterator[str]:
    """Paths of the files in a folder and below, sorted. Hidden files and folders are left out.

    Raises:
      IndexFileError, MissingDataError: see `entries`.
    """
    for entry in entries(folder):
        if entry.is_file():
            yield entry.path
        elif entry.is_dir() and depth:
            yield from walk(entry.path, depth - 1)


def entries(folder: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    """The entries of a folder that are not hidden, sorted by name.

    Raises:
      IndexFileError: a name is not UTF-8.
      MissingDataError: the folder cannot be read.
    """
    try:
        found = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise errors.MissingDataError(f"The folder {folder} cannot be read: {error.strerror}.") from error
    for entry in found:
        # Python turns bytes that are not text into surrogates. SHA-256 and TFDS do not accept surrogates.
        if any("\ud800" <= letter <= "\udfff" for letter in entry.name):
            raise errors.IndexFileError(f"The name of {entry.path!a} is not UTF-8. Rename it.")
    return [entry for entry in found if not entry.name.startswith(".")]


def check_writer(writer: str, place: str) -> None:
    """Raises IndexFileError if a writer's name has blanks around it, or several lines."""
    if writer.strip().splitlines() != [writer]:  # TFDS writes one name a line and strips it.
        raise errors.IndexFileError(
            f"The name {place!r} begins or ends with a blank, or has a line break. Rename it."
        )


def page_by_standard(stem: str) -> str:
    """The page of `<page>-<line>`. Any other name is a page of its own."""
    match = namings.STANDARD.fullmatch(stem)
    return match["page"] if match else stem


def _add_writer(found: Found, root: pathlib.Path, folder: os.DirEntry[str], split: str) -> None:
    if not folder.is_dir():
        found.ignored.append(_below(folder.path, root))
        return
    check_writer(folder.name, folder.path)
    for path in walk(folder.path):
        if _is_image(path, found, root):
            _add(found, root, path, folder.name, split, folder.path)


def _add(
    found: Found, root: pathlib.Path, path: str, writer: str, split: str = "", base: str | None = None
) -> None:
    """Adds a scan. `base` is the folder of the writer, if there is one: a folder in it is a page, with lines in it."""
    check_writer(writer, path)
    id = _id(path, root)
    inside = _id(path, pathlib.Path(base)) if base else id
    folder = os.path.dirname(inside) if base else ""
    page = folder or page_by_standard(os.path.basename(id))
    found.scans.append(Scan(id, path, writer, inside, page, guessed=not folder, split=split))


def _by_table(folder: pathlib.Path, found: Found) -> None:
    rows = manifest.read(folder)
    boxes: collections.Counter[str] = collections.Counter()
    for row in rows:
        check_writer(row.writer, f"{manifest.NAME}: writer {row.writer}")
        id = _id(str(folder / row.file), folder)
        boxes[id] += 1
        page = row.page or page_by_standard(id.rpartition("/")[2])
        found.scans.append(
            Scan(
                id=f"{id}#{boxes[id]:02}" if row.box else id,
                path=str(folder / row.file),
                writer=row.writer,
                inside=id,
                page=page,
                told=bool(row.page),
                guessed=not row.page,
                split=row.split,
                box=row.box,
            )
        )
    listed = {os.path.normpath(scan.path) for scan in found.scans}
    others = [path for path in walk(folder) if os.path.normpath(path) not in listed]
    found.ignored += [name for path in others if (name := _below(path, folder)) != manifest.NAME]


def _is_image(path: str, found: Found, root: pathlib.Path) -> bool:
    if path.lower().endswith(images.SUFFIXES):
        return True
    found.ignored.append(_below(path, root))
    return False


def _check_ids(scans: Sequence[Scan]) -> None:
    seen: dict[str, Scan] = {}
    for scan in scans:
        other = seen.setdefault(scan.id, scan)
        if other is not scan:
            raise errors.IndexFileError(
                f"{other.path} and {scan.path} have the same name apart from their suffix. Rename or remove one of them."
            )


def _told_by(pattern: re.Pattern[str], scan: Scan) -> Scan:
    page = namings.page_by(pattern, scan.id).removeprefix(f"{scan.writer}/")
    return dataclasses.replace(scan, page=page, told=True, guessed=False)


def _with_known_namings(scans: Sequence[Scan]) -> list[Scan]:
    names = collections.defaultdict(list)
    for scan in scans:
        if not scan.told:
            names[scan.writer].append(scan.id.rpartition("/")[2])
    known: Mapping[str, namings.Naming] = namings.recognised(names)

    def told(scan: Scan) -> Scan:
        if scan.told or scan.writer not in known:
            return scan
        match = known[scan.writer].pattern.fullmatch(scan.id.rpartition("/")[2])
        assert match
        return dataclasses.replace(scan, page=match["page"], told=True)

    return [told(scan) for scan in scans]


def _about_splits(scans: Sequence[Scan]) -> list[str]:
    """Sentences about what is odd in splits that the user has chosen."""
    chosen = [scan for scan in scans if scan.split]
    if not chosen:
        return []
    said = []
    names: dict[str, dict[str, set[str]]] = collections.defaultdict(lambda: collections.defaultdict(set))
    for scan in chosen:
        names[scan.form][scan.split].add(scan.id.rpartition("/")[2])
    # The same names in both parts are two pages of one name, such as train/ada/1-01.png and test/ada/1-01.png.
    shared = [
        form
        for form, parts in sorted(names.items())
        if len(parts) > 1 and len(set.union(*parts.values())) > max(map(len, parts.values()))
    ]
    if shared:
        said.append(
            f"in your splits, {len(shared):,} pages have lines in more than one of train, validation and test, so the "
            f"accuracies will be too high: {', '.join(shared[:5])}"
        )
    learnt = {scan.writer for scan in chosen if scan.split == TRAIN}
    others = sorted({scan.writer for scan in chosen} - learnt)
    if others:
        said.append(
            f"{len(others):,} writers have no image in train, so the network cannot learn them: {', '.join(others[:5])}"
        )
    return said


def _id(path: str, folder: pathlib.Path) -> str:
    return os.path.splitext(_below(path, folder))[0]


def _below(path: str, folder: pathlib.Path) -> str:
    return pathlib.Path(os.path.relpath(path, folder)).as_posix()
