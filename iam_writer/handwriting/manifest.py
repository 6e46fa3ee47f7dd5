"""Reads `manifest.csv`, a table that says who wrote which file. Does not use TensorFlow.

    file,writer,page,split,box
    scan01.png,ada,letter1,train,120 340 1500 96
    scan01.png,ada,letter1,train,120 460 1490 98
    scan02.png,bob,letter2,test,

`file` and `writer` are needed. `page`, `split` and `box` may be left out, or empty. A box is x, y, width and height of a
text line on the image, in pixels.
"""

import csv
import dataclasses
import io
import os
import pathlib

from iam_writer.common import errors
from iam_writer.handwriting import images
from iam_writer.handwriting.splits import NAMES

NAME = "manifest.csv"

_COLUMNS = ("file", "writer", "page", "split", "box")
_SPLITS = {
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "training": "train",
    "testing": "test",
}


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the table. Empty texts stand for what it does not say."""

    file: str
    writer: str
    page: str
    split: str
    box: tuple[int, int, int, int] | None


def read(folder: pathlib.Path) -> list[Row]:
    """The rows of the table in a folder.

    Raises:
      IndexFileError: a column is missing; a row is wrong; some rows have a split and others have none; or a file comes
        twice without boxes. The message says the line.
    """
    path = folder / NAME
    try:
        # The limit of the module csv is 131,072 characters a field. An error is raised for longer ones.
        text = path.read_text("utf-8-sig")
        table = list(csv.reader(io.StringIO(text, newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise errors.IndexFileError(
            f"{path} cannot be read as CSV in UTF-8: {error}. Save it as CSV in UTF-8."
        ) from error
    except OSError as error:
        raise errors.IndexFileError(f"{path} cannot be read: {error.strerror}.") from error
    header = [name.strip().lower() for name in table[0]] if table else []
    for name in ("file", "writer"):
        if name not in header:
            raise errors.IndexFileError(
                f"{path}: the first line has no column {name}. It must name the columns: {', '.join(_COLUMNS)}."
            )
    rows = []
    for number, fields in enumerate(table[1:], 2):
        if any(field.strip() for field in fields):
            place = f"{path}, row {number}"
            cells = dict(zip(header, (field.strip() for field in fields), strict=False))
            rows.append(_row(place, folder, {name: cells.get(name, "") for name in _COLUMNS}))
    _check(path, rows)
    return rows


def _row(place: str, folder: pathlib.Path, cells: dict[str, str]) -> Row:
    file, writer = cells["file"], cells["writer"]
    if not file or not writer:
        raise errors.IndexFileError(f"{place}: the file or the writer is missing. Add it.")
    if os.path.isabs(file) or ".." in pathlib.PurePath(file).parts or "\0" in file:
        raise errors.IndexFileError(
            f"{place}: {file!r} is not a path below {folder}. Give a path inside this folder."
        )
    if not file.lower().endswith(images.SUFFIXES):
        raise errors.IndexFileError(
            f"{place}: {file!r} is not an image. These suffixes are read: {', '.join(images.SUFFIXES)}."
        )
    try:
        is_there = (folder / file).is_file()
    except OSError:  # Such as a name that is too long.
        is_there = False
    if not is_there:
        raise errors.IndexFileError(
            f"{place}: there is no file {file!r} in {folder}. Correct the row, or remove it."
        )
    split = _SPLITS.get(cells["split"].lower(), cells["split"].lower())
    if split and split not in NAMES:
        raise errors.IndexFileError(
            f"{place}: the split is {cells['split']!r}. It must be one of {', '.join(NAMES)}."
        )
    return Row(pathlib.PurePath(file).as_posix(), writer, cells["page"], split, _box(place, cells["box"]))


def _box(place: str, text: str) -> tuple[int, int, int, int] | None:
    if not text:
        return None
    parts = text.replace(",", " ").split()
    if len(parts) == 4 and all(part.isascii() and part.isdigit() and len(part) < 7 for part in parts):
        x, y, width, height = map(int, parts)
        if width and height:
            return x, y, width, height
    raise errors.IndexFileError(f"{place}: the box is {text!r}. It must be x, y, width and height in pixels.")


def _check(path: pathlib.Path, rows: list[Row]) -> None:
    if not rows:
        raise errors.IndexFileError(
            f"{path} has no row below the names of the columns. Add a row for each image."
        )
    if {bool(row.split) for row in rows} == {True, False}:
        raise errors.IndexFileError(
            f"{path}: some rows have a split, and others have none. Give a split to all rows, or to none."
        )
    whole: set[str] = set()
    boxed = {row.file for row in rows if row.box}
    for row in rows:
        if not row.box and (row.file in whole or row.file in boxed):
            raise errors.IndexFileError(
                f"{path}: {row.file!r} has two rows, and at least one has no box. Give a box to each, or remove one."
            )
        if not row.box:
            whole.add(row.file)
