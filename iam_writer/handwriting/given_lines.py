"""Cuts the text lines that a PAGE-XML or ALTO file gives out of a picture. Does not use TensorFlow.

Only the ink inside of a line's outline belongs to the line. Everything else is paper.
"""

import dataclasses
import pathlib
from typing import Final

import cv2
import numpy as np

from iam_writer.handwriting import upright
from iam_writer.handwriting.ink import (
    PAPER,
    binarise,
    even_light,
    is_negative,
    letter_height,
    without_rulings,
)
from iam_writer.handwriting.layouts import GivenLine, Layout, LayoutError
from iam_writer.handwriting.text_lines import TextLine

_LARGE_SKEW: Final = 6.0
"""Degrees. Lines that are steeper are turned by the angle that they have in the file; smaller angles are measured on the ink."""

_STRETCH: Final = 0.02
"""A file is about another picture if its page is so much wider or narrower, for its height."""


@dataclasses.dataclass(frozen=True)
class Cut:
    """A page whose lines were given.

    Attributes:
      gray: uint8 `[height, width]`, the page evenly lit and level.
      angle: degrees by which it was turned counter-clockwise.
      lines: in the order of the file.
      warnings: sentences on what is odd.
      matrix: float64 `[3, 3]`, moves a point of the picture that was read to its place on `gray`.
      letters: the height of the writing in pixels, before the page was enlarged.
    """

    gray: np.ndarray
    angle: float
    lines: list[TextLine]
    warnings: list[str]
    matrix: np.ndarray
    letters: float


def fit(
    layout: Layout, size: tuple[int, int], orientation: int, name: str
) -> tuple[list[GivenLine], list[str]]:
    """The lines of a file in pixels of a picture as it is stored.

    Args:
      layout: what the file says.
      size: width and height of the picture as it is stored.
      orientation: what the EXIF data of the picture say, from 1 to 8. A file whose page is as wide as the stored picture is high was
        made on the picture as it is shown.
      name: of the picture's file.

    Returns:
      The lines inside of the picture, and sentences that follow the name of the file.

    Raises:
      LayoutError: the lines are of another picture, or there are none.
    """
    if not layout.lines:
        raise LayoutError("has no line with an outline" if layout.shapeless else "has no text lines")
    width, height = layout.size
    said, as_stored, factors = [], np.eye(3), np.ones(2)
    own = pathlib.PurePath(layout.picture.replace("\\", "/")).stem.casefold()
    is_other = own not in ("", pathlib.Path(name.rpartition("#")[0] or name).stem.casefold())
    if width > 0 and height > 0:
        shown = size
        if orientation > 4 and (width > height) != (size[0] > size[1]):
            shown = size[1], size[0]
            as_stored = np.linalg.inv(turning(orientation, size))
        factors = np.array([shown[0] / width, shown[1] / height])
        if abs(factors[0] / factors[1] - 1) > _STRETCH:
            raise LayoutError(
                f"is about a picture of {width:g} × {height:g}, and this one has {size[0]} × {size[1]} pixels"
            )
        if is_other and layout.in_pixels and (factors != 1).any():
            raise LayoutError(f"is about {layout.picture}, which has another size than this picture")
    elif not layout.in_pixels:
        raise LayoutError(
            "does not say the size of its page, which is needed since it does not measure in pixels"
        )
    if is_other:
        said.append(f"is about {layout.picture}, which has the same size")
    lines = [
        dataclasses.replace(
            line,
            outline=at(line.outline * factors, as_stored),
            baseline=at(line.baseline * factors, as_stored),
        )
        for line in layout.lines
    ]
    inside = [line for line in lines if _is_inside(line.outline, size)]
    if not inside:
        raise LayoutError("has no line inside of the picture")
    if len(inside) < len(lines):
        said.append(f"has {_lines(len(lines) - len(inside))} outside of the picture, left out here")
    if layout.shapeless:
        said.append(f"has {_lines(layout.shapeless)} without an outline, left out here")
    return inside, said


def turning(orientation: int, size: tuple[int, int]) -> np.ndarray:
    """float64 `[3, 3]`: moves a point (x, y, 1) of a picture as it is stored to where its EXIF orientation shows it.

    Args:
      orientation: 1 to 8.
      size: width and height as stored.
    """
    width, height = size
    rows = {
        2: ((-1, 0, width), (0, 1, 0)),
        3: ((-1, 0, width), (0, -1, height)),
        4: ((1, 0, 0), (0, -1, height)),
        5: ((0, 1, 0), (1, 0, 0)),
        6: ((0, -1, height), (1, 0, 0)),
        7: ((0, -1, height), (-1, 0, width)),
        8: ((0, 1, 0), (-1, 0, width)),
    }.get(orientation, ((1, 0, 0), (0, 1, 0)))
    return np.array([*rows, (0, 0, 1)], float)


def at(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Points `[n, 2]`, moved by a matrix `[3, 3]`: float64 `[n, 2]`."""
    moved = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return np.asarray(moved[:, :2] / moved[:, 2:])


def cut(
    gray: np.ndarray, lines: list[GivenLine], to_gray: np.ndarray, max_side: int, least_letters: int
) -> Cut:
    """Cuts lines out of a page.

    Args:
      gray: uint8 `[height, width]`, as it was read: upright by its EXIF orientation.
      lines: in pixels of the picture as it is stored.
      to_gray: float64 `[3, 3]`, moves a point of the stored picture to `gray`.
      max_side: pixels; a larger page is scaled down to it.
      least_letters: pixels; if the writing is less high, the page is enlarged to the double, unless it becomes larger than
        `max_side`.

    Raises:
      LayoutError: there is no ink inside of the lines.
    """
    matrix, said = np.eye(3), []
    scale = min(1, max_side / max(gray.shape))
    if scale < 1:
        gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        matrix = np.diag([scale, scale, 1]) @ matrix
    outlines = [at(line.outline, matrix @ to_gray) for line in lines]
    # Only the part of the page with the lines is looked at, and not the table that the page lies on.
    written = _box(np.concatenate(outlines), gray.shape, margin=30)
    if is_negative(gray[written]):
        gray = PAPER - gray
        said.append("it was white on black, and was inverted")
    gray = _lit(gray, written)
    ink = _ink(gray, written, outlines)
    if not ink.any():
        raise LayoutError("gives lines, but there is no ink inside of them")
    letters, enlarged = letter_height(ink), 1
    if letters < least_letters and min(gray.shape) >= upright.LEAST_SIDE and 2 * max(gray.shape) <= max_side:
        gray = cv2.resize(gray, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        matrix, enlarged = np.diag([2, 2, 1]) @ matrix, 2
    angle = 0.0
    if len(lines) > 1:  # A single line is not turned: its slope belongs to the hand of its writer.
        steep = _angle(lines, matrix @ to_gray)
        if abs(steep) > _LARGE_SKEW:
            gray, moved = upright.turned_larger(gray, steep)
            matrix, angle = np.vstack([moved, [0, 0, 1]]) @ matrix, steep
            said.append(f"its lines were turned by {abs(steep):.0f} degrees")
        level, written = _placed(lines, matrix @ to_gray, gray.shape)
        small = upright.skew(_ink(gray, written, level))
        if abs(small) >= upright.MIN_SKEW:
            matrix, angle = np.vstack([upright.turning(gray.shape, small), [0, 0, 1]]) @ matrix, angle + small
            gray = upright.turned(gray, small)
    outlines, written = _placed(lines, matrix @ to_gray, gray.shape)
    ink = _ink(gray, written, outlines)
    found = [
        _line(gray, ink, outline, line, enlarged * letters)
        for outline, line in zip(outlines, lines, strict=True)
    ]
    kept = [line for line in found if line is not None]
    if not kept:
        raise LayoutError("gives lines, but there is no ink inside of them")
    if len(kept) < len(found):
        said.append(
            f"{_lines(len(found) - len(kept))} without ink {'was' if len(found) - len(kept) == 1 else 'were'} left out"
        )
    return Cut(gray, angle, kept, said, matrix, letters)


def _placed(
    lines: list[GivenLine], matrix: np.ndarray, shape: tuple[int, ...]
) -> tuple[list[np.ndarray], tuple[slice, slice]]:
    outlines = [at(line.outline, matrix) for line in lines]
    return outlines, _box(np.concatenate(outlines), shape, margin=30)


def _lit(gray: np.ndarray, written: tuple[slice, slice]) -> np.ndarray:
    """The page, evenly lit; the part with the writing without regard to what surrounds it."""
    lit = even_light(gray)
    lit[written] = even_light(np.ascontiguousarray(gray[written]))
    return lit


def _ink(gray: np.ndarray, written: tuple[slice, slice], outlines: list[np.ndarray]) -> np.ndarray:
    """uint8 `[height, width]`: 1 where a line has ink. Ruled lines are no ink."""
    ink = np.zeros_like(gray)
    ink[written] = without_rulings(binarise(np.ascontiguousarray(gray[written])))
    inside = np.zeros_like(gray)
    for outline in outlines:  # One by one: where two outlines overlap, fillPoly would leave a hole.
        cv2.fillPoly(inside, [_pixels(outline, gray.shape)], 1)
    return ink & inside


def _line(
    gray: np.ndarray, ink: np.ndarray, outline: np.ndarray, given: GivenLine, letters: float
) -> TextLine | None:
    """The line inside of an outline, cut to its ink; None if it has none."""
    rows, columns = _box(outline, gray.shape)
    if rows.stop - rows.start < 2 or columns.stop - columns.start < 2:
        return None
    corner = np.array([columns.start, rows.start])
    inside = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
    cv2.fillPoly(inside, [_pixels(outline, gray.shape) - corner.astype(np.int32)], 1)
    own = np.asarray(ink[rows, columns] & inside, np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(own)
    # Pieces that are smaller than the dot of an i are dirt.
    large = (stats[:, cv2.CC_STAT_AREA] >= max(4, (letters / 16) ** 2)).astype(np.uint8)
    large[0] = 0
    own = large[labels]
    left, top, width, height = cv2.boundingRect(own)
    if not width or not height:
        return None
    part = np.s_[top : top + height, left : left + width]
    soft = cv2.dilate(own[part], np.ones((3, 3), np.uint8)) & inside[part]
    image = np.where(soft, gray[rows, columns][part], np.uint8(PAPER))
    return TextLine(image, (columns.start + left, rows.start + top, width, height), given)


def _angle(lines: list[GivenLine], matrix: np.ndarray) -> float:
    """Degrees by which to turn the page counter-clockwise so that most of its lines run to the right.

    The direction of a line is that of its baseline, or else the long side of its outline. Lines that run to the left are taken for
    level: some programs write the baselines of scripts that are read so from right to left.
    """
    found = []
    for line in lines:
        if len(line.baseline) >= 2:
            ends = at(line.baseline[[0, -1]], matrix)
            step = ends[1] - ends[0]
        else:
            corners = cv2.boxPoints(cv2.minAreaRect(at(line.outline, matrix).astype(np.float32)))
            sides = np.diff(corners[:3], axis=0)
            step = sides[np.argmax(np.linalg.norm(sides, axis=1))]
            step = step if step[0] >= 0 else -step
        length = float(np.linalg.norm(step))
        if length > 0:
            angle = float(np.degrees(np.arctan2(step[1], step[0])))
            angle = angle - 180 if angle > 135 else angle + 180 if angle < -135 else angle
            found.append((angle, length))
    if not found:
        return 0.0
    angles, lengths = np.array(sorted(found)).T
    return float(angles[np.searchsorted(np.cumsum(lengths), lengths.sum() / 2)])


def _box(points: np.ndarray, shape: tuple[int, ...], margin: int = 0) -> tuple[slice, slice]:
    """Rows and columns of the page around points."""
    low = np.clip(np.floor(points.min(axis=0)).astype(int) - margin, 0, [shape[1], shape[0]])
    high = np.clip(np.ceil(points.max(axis=0)).astype(int) + 1 + margin, 0, [shape[1], shape[0]])
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def _pixels(outline: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """An outline as OpenCV takes it: int32 `[points, 2]`, not farther from the page than its own size."""
    sides = np.array([shape[1], shape[0]])
    return np.clip(np.rint(outline), -sides, 2 * sides).astype(np.int32)


def _is_inside(outline: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether some pixels of the picture are in the box of an outline."""
    low, high = outline.min(axis=0), outline.max(axis=0)
    return bool((np.minimum(high, size) - np.maximum(low, 0) >= 2).all())


def _lines(number: int) -> str:
    return f"{number} line{'s' * (number != 1)}"
