"""Reads IAM's index files: forms.txt, sentences.txt, lines.txt, words.txt, and the forms of xml.tgz. No TensorFlow."""

import dataclasses
import pathlib
import re
from collections.abc import Iterable, Iterator

from iam_writer.common import errors

FORM = "[a-z][0-9]{2}-[0-9]{3}[a-z]?"
ID = {
    "sentences": re.compile(rf"(?P<form>{FORM})-s[0-9]{{2}}-[0-9]{{2}}"),
    "lines": re.compile(rf"(?P<form>{FORM})-[0-9]{{2}}"),
    "words": re.compile(rf"(?P<line>(?P<form>{FORM})-[0-9]{{2}})-[0-9]{{2}}"),
    "forms": re.compile(rf"(?P<form>{FORM})"),
}
"""Unit → the names of its images."""

# Rows of the index files, as the headers of these files describe them. The text may hold blanks.
_FORMS_ROW = re.compile(
    rf"(?P<form>{FORM})\s+(?P<writer>\S+)\s+\d+\s+(prt|all)\s+(?P<lines>\d+)(\s+\d+){{3}}"
)
_X_AND_WIDTH = r"(?P<x>-?\d+)\s+-?\d+\s+(?P<width>-?\d+)\s+-?\d+"
# `err` means that the words are cut wrongly. The image of the line is right all the same.
_BEFORE_TEXT = {
    "sentences": rf"(?P<id>{ID['sentences'].pattern})\s+\d+\s+(ok|err?)\s+\d+\s+\d+\s+{_X_AND_WIDTH}",
    "lines": rf"(?P<id>{ID['lines'].pattern})\s+(ok|err)\s+\d+\s+\d+\s+{_X_AND_WIDTH}",
    # A word has no number of components, but a tag of its grammar.
    "words": rf"(?P<id>{ID['words'].pattern})\s+(ok|err?)\s+-?\d+\s+{_X_AND_WIDTH}\s+\S+",
}
_ROW = {unit: re.compile(rf"{before}\s+(?P<text>.*)") for unit, before in _BEFORE_TEXT.items()}
# The blank before the text is missing in some rows of public copies.
_ROW_WITHOUT_BLANK = {unit: re.compile(rf"{before}(?P<text>\D.*)?") for unit, before in _BEFORE_TEXT.items()}

_FEW_ODD_ROWS = 5
"""So many odd rows do not stop the load, or a hundredth of all rows if that is more."""

_XML_FORM = re.compile(rb"<form\b[^>]*>")
_XML_WRITER = re.compile(rb"\bwriter-id=[\"'](?P<writer>[\w.-]{1,40})[\"']")


@dataclasses.dataclass(frozen=True)
class Form:
    """A row of forms.txt: the writer of a page, and how many physical text lines the page has."""

    writer: str
    lines: int


@dataclasses.dataclass(frozen=True)
class Piece:
    """A row of sentences.txt, lines.txt or words.txt: a line, the part of a line that belongs to one sentence, or a word.

    `x` and `width` are in pixels of the form's scan.
    """

    id: str
    form: str
    x: int
    width: int
    text: str


def read_forms(path: pathlib.Path) -> dict[str, Form]:
    """The pages in forms.txt, by id.

    Raises:
      IndexFileError: a row is malformed, or a form has two writers.
    """
    forms: dict[str, Form] = {}
    for place, text in _rows(path):
        row = _FORMS_ROW.fullmatch(text)
        if not row:
            raise errors.IndexFileError(
                f"{place}: the row {text[:80]!r} has not the form of a row of this file. Download the file again."
            )
        form = Form(row["writer"], int(row["lines"]))
        other = forms.setdefault(row["form"], form)
        if other.writer != form.writer:
            raise errors.IndexFileError(
                f"{place}: form {row['form']} has writer {form.writer} here, but writer {other.writer} in an earlier row. Correct "
                "one of the rows, or download the file again."
            )
    return forms


@dataclasses.dataclass(frozen=True)
class Pieces:
    """What sentences.txt, lines.txt or words.txt says.

    Attributes:
      by_id: the rows by id, in reading order.
      odd: rows that have not the form of a row, with their places. A row of which only the blank before the text is
        missing is in `by_id` all the same.
    """

    by_id: dict[str, Piece]
    odd: list[str]


def read_pieces(path: pathlib.Path, unit: str) -> Pieces:
    """The rows of sentences.txt, lines.txt or words.txt (`unit` says which).

    The file is optional, so a row that cannot be read does not stop the load.

    Raises:
      IndexFileError: an id comes twice, or more than a few rows cannot be read.
    """
    pieces: dict[str, Piece] = {}
    odd = []
    count = 0
    for count, (place, text) in enumerate(_rows(path), 1):  # noqa: B007
        row = _ROW[unit].fullmatch(text)
        if not row:
            odd.append(f"{place}: {text[:80]!r}")
            row = _ROW_WITHOUT_BLANK[unit].fullmatch(text)
        if not row:
            continue
        if row["id"] in pieces:
            raise errors.IndexFileError(f"{place}: {row['id']} has an earlier row. Remove one of the rows.")
        written = (row["text"] or "").replace("|", " ")
        pieces[row["id"]] = Piece(row["id"], row["form"], int(row["x"]), int(row["width"]), written)
    if len(odd) > max(_FEW_ODD_ROWS, count // 100):
        raise errors.IndexFileError(
            f"{len(odd):,} of {count:,} rows of {path} have not the form of a row of this file. Download the file again. The "
            f"first: {odd[0]}"
        )
    return Pieces(dict(sorted(pieces.items())), odd)


def read_xml(paths: Iterable[pathlib.Path]) -> dict[str, Form]:
    """The pages of IAM's XML files (xml.tgz has one for each page), by id. Other XML files are left out."""
    forms = {}
    for path in paths:
        data = path.read_bytes()
        start = _XML_FORM.search(data, 0, 10_000)
        writer = start and _XML_WRITER.search(start[0])
        if writer and ID["forms"].fullmatch(path.stem):
            forms[path.stem] = Form(writer["writer"].decode(), data.count(b"<line "))
    return forms


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


def _rows(path: pathlib.Path) -> Iterator[tuple[str, str]]:
    """Each row that is not a comment, with its place for error messages."""
    text = path.read_text("utf-8-sig", errors="replace")
    for number, row in enumerate(text.split("\n"), 1):
        row = row.strip()
        if row and not row.startswith("#"):
            yield f"{path}, line {number}", row
