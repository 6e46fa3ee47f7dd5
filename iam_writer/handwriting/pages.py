"""Finds the text lines on a scanned page, for a network that was trained on lines. Does not use TensorFlow.

A scan of a single line works too. The steps are those of any document scanner, and OpenCV does them: find the sheet
(`sheet`), even out the light and binarise (`ink`), leave out stamps (`stamps`), turn the page upright (`upright`), find the lines
(`text_lines`), and leave out what is printed (`printed`). If a PAGE-XML or ALTO file lies beside the picture, its lines are taken instead. All lengths are in units of the writing's height, so the resolution of the scan does not matter.
"""

import dataclasses
import os
from collections.abc import Iterator

import cv2
import numpy as np

from iam_writer.common import errors
from iam_writer.handwriting import given_lines, images, layout_files, sheet, upright
from iam_writer.handwriting.ink import (
    PAPER,
    binarise,
    even_light,
    is_negative,
    letter_height,
    without_blobs,
)
from iam_writer.handwriting.layouts import GivenLine, LayoutError
from iam_writer.handwriting.printed import handwritten
from iam_writer.handwriting.stamps import stamps
from iam_writer.handwriting.text_lines import TextLine, text_lines
from iam_writer.handwriting.upright import UPSIDE_DOWN

__all__ = ["MAX_SIDE", "TURNED", "UPSIDE_DOWN", "VERSION", "Page", "TextLine", "find_lines", "read"]

VERSION = 4
"""Increase it whenever a change makes `find_lines` find other lines or other pixels. Lines that were cut by another
version are then cut again."""

MAX_SIDE = 3600
"""Pixels. A larger scan is scaled down to this side. IAM's pages, A4 at 300 dpi, have 3,508."""

TURNED = "it was upside down, and was turned"
"""A warning of `Page`."""

_LEAST_LETTERS, _FEW_PIXELS = 28, 20
"""Pixels. A page whose letters are less high than the first number is enlarged before its lines are searched, since thin strokes
would break. Below the second number it gets a warning, too. With their ascenders, IAM's letters are 40 to 120 pixels high at 300 dpi,
and 13 to 40 at 100 dpi."""

_FEWEST_PIXELS, _NO_LINE = 10, 150
"""Pixels. A picture whose letters are less high than the first number is refused: at 100 dpi, the least that was measured, the smallest
hands have 13. A picture that is less high or less wide than the second number is a word or a line, and is not refused."""

_MAX_INK = 0.4
"""The largest share of ink on a page. Dense writing has 0.12, a word cut close to its letters 0.3, a photograph 0.5."""

_MAX_BETWEEN = 0.3
"""The largest share of pixels that are neither ink nor paper. On a scan these are the edges of letters, at most 0.1 even
with noise. Photographs have 0.8."""


@dataclasses.dataclass(frozen=True)
class Page:
    """A page and its text lines.

    Attributes:
      gray: uint8 `[height, width]`, the page evenly lit and upright; at most MAX_SIDE on a side.
      angle: degrees by which the page was turned counter-clockwise. It includes quarter turns.
      lines: the text lines, from top to bottom. Of an open book those of the left page come first.
      warnings: sentences that tell people what is odd about the page. A page without lines has at least one.
      matrix: float64 `[3, 3]`, moves a point (x, y, 1) of the picture that was read to its place on `gray`. The result may
        have a third number other than 1, by which to divide.
      picture: width and height of the picture as it is stored; zeros if the page was not read from a file.
      orientation: what the EXIF data of the picture say, from 1 to 8. The picture that was read is turned by it.
      layout: the PAGE-XML or ALTO file that the lines are from; empty if the program has found them.
    """

    gray: np.ndarray
    angle: float
    lines: list[TextLine]
    warnings: list[str]
    matrix: np.ndarray = dataclasses.field(default_factory=lambda: np.eye(3))
    picture: tuple[int, int] = (0, 0)
    orientation: int = 1
    layout: str = ""

    @property
    def from_stored(self) -> np.ndarray:
        """float64 `[3, 3]`: moves a point (x, y, 1) of the picture as it is stored to its place on `gray`."""
        return np.asarray(self.matrix @ given_lines.turning(self.orientation, self.picture))

    @property
    def scale(self) -> float:
        """Pixels of `gray` for a pixel of the picture that was read, in the middle of the page."""
        height, width = self.gray.shape
        x, y, one = np.linalg.inv(self.matrix) @ [width / 2, height / 2, 1]
        x, y = x / one, y / one
        # The derivative of the matrix's map at this point.
        _, _, w = self.matrix @ [x, y, 1]
        place = np.array([width / 2, height / 2])
        derivative = (self.matrix[:2, :2] - np.outer(place, self.matrix[2, :2])) / w
        return float(np.sqrt(abs(np.linalg.det(derivative))))

    def on_picture(self) -> Iterator[GivenLine]:
        """Where each line is on the picture as it is stored: its given line, or else the corners of its box."""
        back = np.linalg.inv(self.from_stored)
        for line in self.lines:
            if line.given is not None:
                yield line.given
                continue
            left, top, width, height = line.box
            right, bottom = left + width, top + height
            corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)
            yield GivenLine("", given_lines.at(corners, back).round(1), np.zeros((0, 2)))

    def upside_down(self) -> "Page":
        """The page turned by 180 degrees, with a warning that says so."""
        height, width = self.gray.shape
        lines = [
            TextLine(
                np.ascontiguousarray(line.image[::-1, ::-1]),
                (width - line.box[0] - line.box[2], height - line.box[1] - line.box[3], *line.box[2:]),
                line.given,
            )
            for line in reversed(self.lines)
        ]
        turn = np.array([[-1, 0, width - 1], [0, -1, height - 1], [0, 0, 1]])
        warnings = [text for text in self.warnings if text != UPSIDE_DOWN]
        return dataclasses.replace(
            self,
            gray=np.ascontiguousarray(self.gray[::-1, ::-1]),
            angle=self.angle + 180,
            lines=lines,
            warnings=[*warnings, TURNED],
            matrix=turn @ self.matrix,
        )


def read(path: str | os.PathLike[str]) -> Page:
    """The text lines of an image file: those of a PAGE-XML or ALTO file beside it, or else those that the program finds.

    Raises:
      BadImageError: the image cannot be read. The message names the file and the reason.
    """
    if os.path.isdir(path):
        raise errors.BadImageError(f"{path} is a folder. Name the images in it, such as {path}/*.png.")
    gray = images.read_page(path, MAX_SIDE)
    size, orientation = images.size(path), images.orientation(path)
    factor = max(gray.shape) / max(size)
    shrunk = np.diag([factor, factor, 1])
    page, unused = None, []
    found = layout_files.find(path)
    if found is not None:
        try:
            page = _given(gray, shrunk, found, size, orientation, os.fspath(path))
        except LayoutError as error:
            unused.append(f"{found.name} {layout_files.NOT_USED}, because {found.name} {error}")
    if page is None:
        page = find_lines(gray)
    return dataclasses.replace(
        page,
        warnings=[*unused, *page.warnings],
        matrix=page.matrix @ shrunk,
        picture=size,
        orientation=orientation,
    )


def _given(
    gray: np.ndarray,
    shrunk: np.ndarray,
    found: layout_files.Found,
    size: tuple[int, int],
    orientation: int,
    name: str,
) -> Page:
    """A page with the lines of a file beside it.

    Raises:
      LayoutError: the file cannot be used.
    """
    if found.layout is None:
        raise LayoutError(found.why)
    lines, odd = given_lines.fit(found.layout, size, orientation, name)
    to_gray = shrunk @ given_lines.turning(orientation, size)
    cut = given_lines.cut(gray, lines, to_gray, MAX_SIDE, _LEAST_LETTERS)
    said = [f"{found.name} {text}" for text in odd] + cut.warnings
    if cut.letters < _FEW_PIXELS:
        said.append(_low(cut.letters))
    if upright.may_be_upside_down(cut.lines):
        said.append(UPSIDE_DOWN)
    return Page(cut.gray, cut.angle, cut.lines, said, cut.matrix, layout=found.path)


def _low(letters: float) -> str:
    return f"its resolution is low: letters are only {letters:.0f} pixels high. Scan it at 300 dpi, where they have 40 or more"


def find_lines(gray: np.ndarray) -> Page:
    """The text lines of a page.

    Args:
      gray: uint8 `[height, width]`, dark ink on light paper, or light on dark. The page may lie in a surround, and may be
        skewed by at most `upright.MAX_SKEW` from level lines or from lines that run down the page.
    """
    said = []
    if is_negative(gray):
        gray = PAPER - gray
        said.append("it was white on black, and was inverted")
    matrix = np.eye(3)
    corners = sheet.find(gray)
    if corners is not None:
        gray, matrix = sheet.straighten(gray, corners)
        said.append("only the sheet was looked at, not what it lies on")
    scale = min(1, MAX_SIDE / max(gray.shape))
    if scale < 1:
        gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        matrix = np.diag([scale, scale, 1]) @ matrix
    gray = even_light(gray)
    ink = binarise(gray)
    why = _no_page(gray, ink)
    if why:
        return Page(gray, 0.0, [], [*said, why], matrix)

    ink = without_blobs(ink)
    writing = upright.without_rulings(ink)
    # Of a page on its side, a word would count as a letter.
    letters = min(letter_height(writing), letter_height(np.ascontiguousarray(writing.T)))
    if min(gray.shape) >= _NO_LINE and letters < _FEWEST_PIXELS:
        return Page(gray, 0.0, [], [*said, _low(letters)], matrix)
    is_page = min(gray.shape) >= upright.LEAST_SIDE
    stamped, number = stamps(ink, letters) if is_page else (ink, 0)
    if number:
        gray, ink = np.where(stamped, np.uint8(PAPER), gray), ink & (1 - stamped)
        said.append("a stamp was left out" if number == 1 else f"{number} stamps were left out")
    if is_page and letters < _LEAST_LETTERS and 2 * max(gray.shape) <= MAX_SIDE:
        gray = cv2.resize(gray, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        matrix = np.diag([2, 2, 1]) @ matrix
        ink = without_blobs(binarise(gray))
    if is_page and letters < _FEW_PIXELS:
        said.append(_low(letters))
    quarter, large = upright.turns(writing, letters)
    return _level(gray, ink, matrix, said, quarter, large)


def _level(
    gray: np.ndarray, ink: np.ndarray, matrix: np.ndarray, said: list[str], quarter: int, large: float
) -> Page:
    """The lines of a page that is turned by a quarter and by a large skew first, and then by the small skew that it has."""
    angle = 0.0
    if quarter:
        matrix = np.array([[0, 1, 0], [-1, 0, gray.shape[1] - 1], [0, 0, 1]]) @ matrix
        gray, ink = (np.ascontiguousarray(np.rot90(image)) for image in (gray, ink))
        angle = 90.0
        said.append("its lines ran down the page, so it was turned by 90 degrees")
    if large:
        gray, moved = upright.turned_larger(gray, large)
        matrix = np.vstack([moved, [0, 0, 1]]) @ matrix
        ink = without_blobs(binarise(gray))
        angle += large
        said.append(f"it was skewed by {abs(large):.0f} degrees")
    small = upright.skew(ink)
    if abs(small) >= upright.MIN_SKEW:
        turned = upright.turned(gray, small)
        lines = text_lines(turned, without_blobs(binarise(turned)))
        if len(lines) > 1:
            matrix = np.vstack([upright.turning(gray.shape, small), [0, 0, 1]]) @ matrix
            return _page(turned, angle + small, lines, said, matrix)
    # A single line is not turned: its slope belongs to the hand of its writer.
    return _page(gray, angle, text_lines(gray, ink), said, matrix)


def _no_page(gray: np.ndarray, ink: np.ndarray) -> str | None:
    """Why a picture is no page of handwriting; None if it may be one."""
    if not ink.any():
        return "nothing is written on it"
    if ink.mean() > _MAX_INK:
        return "it is no page of handwriting: too much of it is dark"
    smooth = cv2.GaussianBlur(gray, (5, 5), 0)
    if ((smooth > 90) & (smooth < 215)).mean() > _MAX_BETWEEN and min(gray.shape) > 300:
        return "it looks like a photograph: most of it is neither ink nor paper"
    return None


def _page(gray: np.ndarray, angle: float, lines: list[TextLine], said: list[str], matrix: np.ndarray) -> Page:
    lines, odd = handwritten(lines)
    if not lines:
        return Page(gray, angle, [], odd, matrix)
    if upright.may_be_upside_down(lines):
        odd.append(UPSIDE_DOWN)
    return Page(gray, angle, lines, [*said, *odd], matrix)
