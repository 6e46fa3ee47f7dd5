"""Reads the IAM handwriting database, as its site serves it or as copies of it are arranged. Does not use TensorFlow.

The files are searched in one folder and in the folders below it:

- the index: `forms.txt` (or `forms_for_parsing.txt`, the same without its header) and, optionally,
  `sentences.txt` or `lines.txt`; as files, or in `ascii.tgz`
- the images: in three places, in this order. First, below a folder `sentences` or `lines`. Second, in `sentences.tgz`
  or `lines.tgz`. Third, any image with a fitting name (`a01-000u-s00-00.png`), in one folder or in a folder for each
  writer.

Only the first of these three places that has images is used. An archive is extracted once.
"""

import collections
import dataclasses
import functools
import hashlib
import os
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from iam_writer.common import errors
from iam_writer.handwriting import archives, images
from iam_writer.handwriting.line import Census, Line

# So many levels of folders below manual_dir are searched. iam/data/sentences/a01/a01-000u/ needs five.
_DEPTH = 6

# Rows of the index files, as the headers of these files describe them. The text may hold blanks.
_FORM = "[a-z][0-9]{2}-[0-9]{3}[a-z]?"
_FORMS_ROW = re.compile(
    rf"(?P<form>{_FORM})\s+(?P<writer>\S+)\s+\d+\s+(prt|all)\s+(?P<lines>\d+)(\s+\d+){{3}}"
)
_BOX_AND_TEXT = r"\d+\s+\d+\s+(?P<x>-?\d+)\s+-?\d+\s+(?P<width>-?\d+)\s+-?\d+\s+(?P<text>.*)"
_ID = {
    "sentences": re.compile(rf"(?P<form>{_FORM})-s[0-9]{{2}}-[0-9]{{2}}"),
    "lines": re.compile(rf"(?P<form>{_FORM})-[0-9]{{2}}"),
}
# `err` means that the words are cut wrongly. The image of the line is right all the same.
_ROW = {
    "sentences": re.compile(rf"(?P<id>{_ID['sentences'].pattern})\s+\d+\s+(ok|err?)\s+{_BOX_AND_TEXT}"),
    "lines": re.compile(rf"(?P<id>{_ID['lines'].pattern})\s+(ok|err)\s+{_BOX_AND_TEXT}"),
}


@dataclasses.dataclass(frozen=True)
class Form:
    """A row of forms.txt: the writer of a page, and how many physical text lines the page has."""

    writer: str
    lines: int


@dataclasses.dataclass(frozen=True)
class Piece:
    """A row of sentences.txt or lines.txt: a line, or the part of a line that belongs to one sentence.

    `x` and `width` are in pixels of the form's scan.
    """

    id: str
    form: str
    x: int
    width: int
    text: str


class IamDatabase:
    """Lines of IAM, or pieces of lines (a `handwriting.Handwriting`).

    Args:
      manual_dir: the folder that holds IAM, or a part of it. Images that the index promises may be absent.
      unit: `sentences` (pieces of lines: a line is cut where a sentence ends, as in the article) or `lines`.
      extract_dir: the folder into which archives are extracted. It is needed only if there are archives.

    Attributes:
      lines: the images that were found, sorted by id.
      expected: the census that the index promises. Without sentences.txt the number of its images is not known; then
        the number of images found is taken.
      fingerprint: SHA-256 over the ids and sizes of the images and over the index files, in hexadecimal.

    Raises:
      MissingDataError: the index or the images are not there. The message says how to get them.
      ArchiveError: an archive is damaged, too large, or would write outside of its folder.
      IndexFileError: a row is malformed, files contradict each other, or an image is there twice.
    """

    def __init__(
        self,
        manual_dir: str | os.PathLike[str] | None,
        unit: str = "sentences",
        extract_dir: str | os.PathLike[str] | None = None,
    ):
        if unit not in _ID:
            raise ValueError(f"unit is {unit!r}. It must be one of {', '.join(_ID)}.")
        source = _Source(manual_dir, unit, extract_dir)
        forms = read_forms(source.forms_file)
        pieces = read_pieces(source.pieces_file, unit) if source.pieces_file else None
        # These are paths, not directory entries, so that Apache Beam can send a reader to its workers.
        self._paths = {id: file.path for id, file in source.images.items()}
        self.lines = _lines(source.images, source.forms_file.name, forms, pieces, unit)
        self.expected = _expected(self.lines, forms, pieces, unit)
        self.ignored = ()
        self.warnings = ()
        self.fingerprint = _fingerprint(source.images, [source.forms_file, source.pieces_file])

    def read(self, line: Line) -> bytes:
        """The content of an 8-bit gray PNG file of the line.

        Raises:
          BadImageError: the image cannot be read. The message names the file and the reason.
        """
        return images.read_gray_png(self._paths[line.id])


def read_forms(path: pathlib.Path) -> dict[str, Form]:
    """The pages in forms.txt, by id.

    Raises:
      IndexFileError: a row is malformed, or a form has two writers.
    """
    forms: dict[str, Form] = {}
    for place, row in _rows(path, _FORMS_ROW):
        form = Form(row["writer"], int(row["lines"]))
        other = forms.setdefault(row["form"], form)
        if other.writer != form.writer:
            raise errors.IndexFileError(
                f"{place}: form {row['form']} has writer {form.writer} here, but writer {other.writer} in an earlier row. Correct "
                "one of the rows, or download the file again."
            )
    return forms


def read_pieces(path: pathlib.Path, unit: str) -> dict[str, Piece]:
    """The rows of sentences.txt or lines.txt (`unit` says which), by id, in reading order.

    Raises:
      IndexFileError: a row is malformed, or an id comes twice.
    """
    pieces = {}
    for place, row in _rows(path, _ROW[unit]):
        if row["id"] in pieces:
            raise errors.IndexFileError(
                f"{place}: {row['id']} has an earlier row. Remove one of the rows, or download the file again."
            )
        text = row["text"].replace("|", " ")
        pieces[row["id"]] = Piece(row["id"], row["form"], int(row["x"]), int(row["width"]), text)
    return dict(sorted(pieces.items()))


def physical_rows(pieces: Iterable[Piece]) -> dict[str, str]:
    """Piece of a sentence → the id of the first piece on the same physical text line.

    A sentence is cut only at the ends of lines. So only the first piece of a sentence can lie in the same row as the
    piece before it. It lies in that row if it starts to the right of the middle of the piece before it. On the whole
    of IAM this rule finds exactly the 13,353 lines of lines.txt. The vertical positions do not help, since steep lines
    overlap their neighbours.

    Args:
      pieces: in reading order.

    Returns:
      Id of each piece → id of the first piece in its row.
    """
    rows: dict[str, str] = {}
    before: Piece | None = None
    for piece in pieces:
        if (
            before is not None
            and before.form == piece.form
            and piece.id.endswith("-00")
            and piece.x > before.x + before.width / 2
        ):
            rows[piece.id] = rows[before.id]
        else:
            rows[piece.id] = piece.id
        before = piece
    return rows


class _Source:
    """The files of IAM that were found.

    Attributes:
      forms_file: forms.txt, or forms_for_parsing.txt.
      pieces_file: sentences.txt or lines.txt, depending on the unit; None if there is no such file.
      images: the image files by id, sorted.
    """

    def __init__(
        self, manual_dir: str | os.PathLike[str] | None, unit: str, extract_dir: str | os.PathLike[str] | None
    ):
        if not manual_dir:
            raise errors.MissingDataError(
                f"The folder of the IAM database is not named. Name it with --manual_dir.\n{_how_to_get(unit)}"
            )
        self._folder = _absolute(manual_dir)
        self._unit = unit
        self._extract_dir = _absolute(extract_dir) if extract_dir else None
        if not self._folder.is_dir():
            raise errors.MissingDataError(
                f"There is no folder {self._folder}. Name the folder of the IAM database with --manual_dir.\n{_how_to_get(unit)}"
            )
        self._entries = list(_walk(self._folder, _DEPTH, self._extract_dir))
        forms_file = self._index_file("forms.txt", "forms_for_parsing.txt")
        self.pieces_file = self._index_file(f"{unit}.txt")
        self.images = self._find_images()
        self.forms_file = self._complete(forms_file)

    def _index_file(self, *names: str) -> pathlib.Path | None:
        found = _first(self._entries, names)
        if not found and self._ascii_folder:
            found = _first(_walk(self._ascii_folder, _DEPTH), names)
        return found

    @functools.cached_property
    def _ascii_folder(self) -> pathlib.Path | None:
        return self._extract("ascii")

    def _extract(self, stem: str) -> pathlib.Path | None:
        archive = _first(self._entries, [stem + suffix for suffix in archives.SUFFIXES])
        if archive and not self._extract_dir:
            raise errors.MissingDataError(
                f"{archive} must be extracted, but no folder for that is named. Name it with extract_dir."
            )
        if not archive or not self._extract_dir:
            return None
        return archives.extract(archive, self._extract_dir, _is_wanted)

    def _find_images(self) -> dict[str, os.DirEntry[str]]:
        found = self._images_in(self._entries)
        below = len(str(self._folder))
        tree = [(id, file) for id, file in found if self._unit in file.path[below:].split(os.sep)]
        if tree:
            return _unique(tree)
        extracted = self._extract(self._unit)
        return _unique(self._images_in(_walk(extracted, _DEPTH)) if extracted else found)

    def _images_in(self, entries: Iterable[os.DirEntry[str]]) -> list[tuple[str, os.DirEntry[str]]]:
        stems = ((os.path.splitext(entry.name), entry) for entry in entries)
        id = _ID[self._unit]
        return [
            (stem, entry)
            for (stem, suffix), entry in stems
            if suffix.lower() in images.SUFFIXES and id.fullmatch(stem)
        ]

    def _complete(self, forms_file: pathlib.Path | None) -> pathlib.Path:
        """Returns `forms_file` if the file and images were found. Otherwise raises MissingDataError with what is missing."""
        if forms_file and self.images:
            return forms_file
        missing = []
        if not forms_file:
            missing.append("forms.txt (or forms_for_parsing.txt, or ascii.tgz, which holds it)")
        if not self.images:
            example = "a01-000u-s00-00.png" if self._unit == "sentences" else "a01-000u-00.png"
            missing.append(
                f"images with names like {example} (in {self._unit}.tgz, in a folder {self._unit}, or in any other folder)"
            )
        names = sorted(entry.name for entry in os.scandir(self._folder))
        found = ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")
        raise errors.MissingDataError(
            f"The IAM database in {self._folder} is not complete.\n"
            f"  missing: {'; '.join(missing)}\n"
            f"  found: {found or 'nothing'}\n{_how_to_get(self._unit)}"
        )


def _is_wanted(name: str) -> bool:
    return name.lower().endswith((*images.SUFFIXES, ".txt"))


def _how_to_get(unit: str) -> str:
    return (
        "To get the database, register at\n"
        "  https://fki.tic.heia-fr.ch/databases/iam-handwriting-database\n"
        f"(free, for non-commercial research). Download ascii.tgz and {unit}.tgz into one folder. You need not extract them."
    )


def _absolute(folder: str | os.PathLike[str]) -> pathlib.Path:
    return pathlib.Path(os.path.abspath(pathlib.Path(folder).expanduser()))


def _walk(
    folder: str | os.PathLike[str], depth: int, skip: pathlib.Path | None = None
) -> Iterator[os.DirEntry[str]]:
    """The files in a folder, then those up to `depth` folders below, by name. Hidden names are left out."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: (entry.is_dir(), entry.name))
    except OSError as error:
        raise errors.MissingDataError(f"The folder {folder} cannot be read: {error.strerror}.") from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_file():
            yield entry
        elif entry.is_dir() and depth and pathlib.Path(entry.path) != skip:
            yield from _walk(entry.path, depth - 1, skip)


def _first(entries: Iterable[os.DirEntry[str]], names: Sequence[str]) -> pathlib.Path | None:
    """The file with the first of the names that was found. Among several such files, the least deep one."""
    found = [entry for entry in entries if entry.name in names]
    best = min(
        found, key=lambda entry: (names.index(entry.name), entry.path.count(os.sep), entry.path), default=None
    )
    return pathlib.Path(best.path) if best else None


def _unique(found: Sequence[tuple[str, os.DirEntry[str]]]) -> dict[str, os.DirEntry[str]]:
    files: dict[str, os.DirEntry[str]] = {}
    for id, entry in sorted(found, key=lambda item: item[0]):
        other = files.setdefault(id, entry)
        if other is not entry:
            raise errors.IndexFileError(
                f"There are two images of {id}: {other.path} and {entry.path}. Remove one of them."
            )
    return files


def _rows(path: pathlib.Path, pattern: re.Pattern[str]) -> Iterator[tuple[str, re.Match[str]]]:
    """Each row that is not a comment, with its place for error messages."""
    text = path.read_text("utf-8-sig", errors="replace")
    for number, row in enumerate(text.split("\n"), 1):
        row = row.strip()
        if not row or row.startswith("#"):
            continue
        match = pattern.fullmatch(row)
        if not match:
            raise errors.IndexFileError(
                f"{path}, line {number}: the row {row[:80]!r} has not the form of a row of this file. Download the file again."
            )
        yield f"{path}, line {number}", match


def _lines(
    files: Mapping[str, os.DirEntry[str]],
    forms_name: str,
    forms: Mapping[str, Form],
    pieces: Mapping[str, Piece] | None,
    unit: str,
) -> list[Line]:
    form_of = {id: match["form"] for id in files if (match := _ID[unit].fullmatch(id))}
    _check_known(
        [id for id in files if form_of[id] not in forms], f"belong to forms that are not in {forms_name}"
    )
    if pieces is not None:
        _check_known([id for id in files if id not in pieces], f"are not in {unit}.txt")
    rows = {id: id for id in files} if unit == "lines" else physical_rows((pieces or {}).values())
    return [
        Line(
            id=id,
            writer=forms[form_of[id]].writer,
            form=form_of[id],
            row=rows.get(id, ""),
            text=pieces[id].text if pieces else "",
        )
        for id in files
    ]


def _check_known(strangers: Sequence[str], why: str) -> None:
    if strangers:
        first = ", ".join(strangers[:5]) + (" ..." if len(strangers) > 5 else "")
        raise errors.IndexFileError(
            f"{len(strangers):,} images {why}: {first}. Remove these images, or complete the file."
        )


def _expected(
    lines: Sequence[Line], forms: Mapping[str, Form], pieces: Mapping[str, Piece] | None, unit: str
) -> Census:
    if pieces is None:
        count = sum(form.lines for form in forms.values()) if unit == "lines" else len(lines)
        return Census(count, len({form.writer for form in forms.values()}), len(forms))
    # If forms.txt was cut down to a subset, only that subset is expected.
    per_form = collections.Counter(piece.form for piece in pieces.values() if piece.form in forms)
    return Census(per_form.total(), len({forms[form].writer for form in per_form}), len(per_form))


def _fingerprint(files: Mapping[str, os.DirEntry[str]], index_files: Iterable[pathlib.Path | None]) -> str:
    digest = hashlib.sha256(repr([(id, entry.stat().st_size) for id, entry in files.items()]).encode())
    for path in index_files:
        digest.update(hashlib.sha256(path.read_bytes() if path else b"").digest())
    return digest.hexdigest()
