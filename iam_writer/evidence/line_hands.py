"""Which hand wrote each line: the table lines.csv, and what other formats are made from. No TensorFlow."""

import csv
import dataclasses
import io
import pathlib
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

import numpy as np

from iam_writer.evidence.scribes import Scribes
from iam_writer.handwriting import documents
from iam_writer.handwriting.layouts import GivenLine
from iam_writer.recognition.described import DescribedPage

COLUMNS: Final = (
    "file", "line", "id", "hand", "certainty", "hand_in_file", "left", "top", "width", "height", "text",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class LineHand:
    """A line and its hand.

    Attributes:
      line: its outline on the picture as it is stored, and its text if a file gave it.
      hand: number of the hand, from 0.
      certainty: of the region that the line is in, see `scribes.Region`.
    """

    line: GivenLine
    hand: int
    certainty: float

    def points(self, size: tuple[int, int]) -> np.ndarray:
        """int64 `[points, 2]`: the outline in whole pixels inside of a picture of this width and height."""
        return np.clip(np.rint(self.line.outline), 0, size).astype(np.int64)

    def box(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Left, top, width and height of the outline, in pixels."""
        points = self.points(size)
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        return int(left), int(top), int(right - left), int(bottom - top)


@dataclasses.dataclass(frozen=True)
class PageHands:
    """A page and the hands of its lines.

    Attributes:
      page: as it was described.
      name: a name that no other page has, for files and ids: letters, digits, '.', '_' and '-'.
      lines: in the order of the page.
    """

    page: DescribedPage
    name: str
    lines: tuple[LineHand, ...]

    @property
    def picture(self) -> str:
        """The name of the picture's file."""
        return pathlib.PurePath(documents.split(self.page.path)[0]).name


def of(found: Scribes, pages: Sequence[DescribedPage]) -> list[PageHands]:
    """The hand of each line of each page."""
    lines: list[list[LineHand]] = [[] for _ in pages]
    for region in found.regions:
        on_picture = pages[region.page].on_picture
        lines[region.page] += [
            LineHand(on_picture[place], region.hand, region.certainty) for place in region.lines
        ]
    names = _names([page.path for page in pages])
    return [PageHands(page, name, tuple(own)) for page, name, own in zip(pages, names, lines, strict=True)]


def id_of(hand: int) -> str:
    """0 → 'hand-1'."""
    return f"hand-{hand + 1}"


def as_csv(pages: Sequence[PageHands]) -> str:
    """A row for each line, see COLUMNS. Lines are counted from 1; the box is in pixels of the picture as it is stored.

    `hand_in_file` is the hand that the PAGE-XML file beside the picture names.
    """
    file = io.StringIO()
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(COLUMNS)
    for page in pages:
        for number, one in enumerate(page.lines, 1):
            rows.writerow(
                [
                    page.page.path,
                    number,
                    one.line.id,
                    f"hand {one.hand + 1}",
                    f"{one.certainty:.2f}",
                    one.line.hand,
                    *one.box(page.page.picture),
                    one.line.text,
                ]
            )
    return file.getvalue()


def _names(paths: Sequence[str]) -> list[str]:
    """'a/page 1.png' → 'page_1'; with the folder, and then with a number, if two pages would have one name."""
    found: list[str] = []
    stems = [_plain(path, 1) for path in paths]
    for path, stem in zip(paths, stems, strict=True):
        name = stem if stems.count(stem) == 1 else _plain(path, 2)
        number = 2
        base = name
        while name in found:
            name, number = f"{base}-{number}", number + 1
        found.append(name)
    return found


def _plain(path: str, parts: int) -> str:
    file, page = documents.split(path)
    name = "-".join(pathlib.PurePath(file).with_suffix("").parts[-parts:])
    name = unicodedata.normalize("NFKD", name)
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", name.encode("ascii", "ignore").decode()).strip("._-") or "page"
    return name if page is None else f"{name}-p{page}"
