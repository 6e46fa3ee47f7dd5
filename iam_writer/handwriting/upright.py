"""Turns a page so that its lines are level and can be read from left to right. Does not use TensorFlow."""

import cv2
import numpy as np

from iam_writer.handwriting.ink import PAPER, without_horizontal_rulings
from iam_writer.handwriting.text_lines import TextLine

MAX_SKEW = 20.0
"""Degrees. A page is turned upright by at most this angle. IAM's pages are skewed by at most 3."""

MIN_SKEW = 0.3
"""Degrees. A page with a smaller angle is not turned: people write with such a slope, and turning blurs a little."""

_SMALL_SKEW = 6.0
"""Degrees. Up to here a page is turned within its own frame; beyond, the frame grows so that no corner is lost."""

LEAST_SIDE = 300
"""Pixels. A picture with a smaller side is taken for a line. It is never turned by a quarter."""

_MORE_LEVEL = 1.6
"""Lines run down the page if they are so much clearer when it is turned by a quarter. Of 74 pages by real and invented
hands the lines of the least clear were 2.2 times as clear in their direction."""

UPSIDE_DOWN = "it may be upside down"
"""A warning of `Page`. A network can check it more reliably."""

_MOST_HANGING = 0.1
"""A page may be upside down if its mean skewness is above this. The skewness is that of the rows of a word's ink, from
top to bottom. More ink rises above small letters than hangs below them, so the skewness is negative. The median of IAM's
pages is -0.33, and 2.5 % of the pages are above 0.1."""

_RAGGED = 2.0
"""Lines begin below each other and end anywhere. On a page that is upside down it is the other way round: the left ends
are so many times as far apart as the right ends."""


def without_rulings(ink: np.ndarray) -> np.ndarray:
    """Removes straight lines across or down a page that may be skewed by up to MAX_SKEW.

    This must happen before a page is turned. Letters that touch a ruled line are one piece with it, so their height cannot be
    measured, and rulings are clearer than lines of writing, whichever way the writing runs.

    Args:
      ink: uint8 `[height, width]`, 1 where there is ink.
    """
    if min(ink.shape) < LEAST_SIDE:
        return without_horizontal_rulings(ink)
    for quarter in (1, 0):
        picture = np.ascontiguousarray(np.rot90(ink, quarter))
        angle = _sharpest(picture, MAX_SKEW)
        if abs(angle) < MIN_SKEW:
            rest = without_horizontal_rulings(picture)
        else:
            level, matrix = turned_larger(picture, angle, border=0)
            ruling = level & (1 - without_horizontal_rulings(level))
            if not ruling.any():
                continue
            back = cv2.invertAffineTransform(matrix)
            # Turned twice, a ruling may have lost a row of pixels at its edge.
            ruling = cv2.dilate(ruling, np.ones((3, 1), np.uint8))
            rest = picture & (1 - cv2.warpAffine(ruling, back, picture.shape[::-1], flags=cv2.INTER_NEAREST))
        ink = np.ascontiguousarray(np.rot90(rest, -quarter))
    return ink


def turns(ink: np.ndarray, letters: float) -> tuple[int, float]:
    """How to turn a page so that its lines are level, but for a small skew.

    Args:
      ink: uint8 `[height, width]`, 1 where there is ink.
      letters: height of the letters in pixels, whichever way the page lies.

    Returns:
      How many times to turn it by 90 degrees counter-clockwise, 0 or 1, after which it may be upside down; and by how many
      degrees to turn it counter-clockwise after that, 0 if it is little.
    """
    if min(ink.shape) < LEAST_SIDE:
        return 0, 0.0
    on_its_side = np.ascontiguousarray(np.rot90(ink))
    angles = [_coarse_skew(picture, letters) for picture in (ink, on_its_side)]
    across, down = (
        _clearness(picture, angle, letters) for picture, angle in zip((ink, on_its_side), angles, strict=True)
    )
    quarter = int(down > _MORE_LEVEL * across)
    return quarter, angles[quarter] if abs(angles[quarter]) > _SMALL_SKEW else 0.0


def _clearness(ink: np.ndarray, angle: float, letters: float) -> float:
    """How clearly lines stand out when the ink is smeared along the rows, after the page has been turned by an angle."""
    unit = 8
    scale = min(1.0, unit / letters)
    small = cv2.resize(ink * np.float32(1), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    level = turned_larger(small, angle, border=0)[0]
    rows, columns = (np.flatnonzero(level.max(axis=axis) > 0.1) for axis in (1, 0))
    if not len(rows):
        return 0.0
    level = level[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    smeared = cv2.GaussianBlur(
        level, (0, 0), sigmaX=4 * unit, sigmaY=0.3 * unit, borderType=cv2.BORDER_REFLECT
    )
    return float(smeared.var())


def _coarse_skew(ink: np.ndarray, letters: float) -> float:
    """The angle at which lines and gaps between lines are clearest, by the amount of ink in neighbouring rows together."""
    scale = min(1, 350 / max(ink.shape))
    small = cv2.resize(ink * np.float32(1), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    blur = max(0.6, 0.35 * scale * letters)

    def clearness(angle: float) -> float:
        rows = turned_larger(small, angle, border=0)[0].sum(axis=1, keepdims=True)
        return float(np.square(cv2.GaussianBlur(rows, (1, 0), sigmaX=0.01, sigmaY=blur)).sum())

    steps = np.arange(0, MAX_SKEW + 2.1, 1.5)
    coarse = max([*-steps[:0:-1], *steps], key=clearness)
    return float(max(coarse + np.arange(-1, 1.1, 0.5), key=clearness))


def skew(ink: np.ndarray) -> float:
    """Degrees by which to turn a page counter-clockwise so that its lines are level, at most _SMALL_SKEW."""
    return _sharpest(ink, _SMALL_SKEW)


def _sharpest(ink: np.ndarray, most: float) -> float:
    """The angle, at most so many degrees, at which the amounts of ink in neighbouring rows differ the most."""
    scale = min(1, 700 / max(ink.shape))
    small = cv2.resize(ink * np.float32(1), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)

    def sharpness(angle: float) -> float:
        return float(np.square(np.diff(turned(small, angle, border=0).sum(axis=1))).sum())

    coarse = max(np.arange(-most, most + 0.1, 0.5), key=sharpness)
    return float(max(coarse + np.arange(-0.4, 0.41, 0.1), key=sharpness))


def turned(image: np.ndarray, angle: float, border: int = PAPER) -> np.ndarray:
    """The picture turned counter-clockwise about its middle, within its own frame."""
    return cv2.warpAffine(image, turning(image.shape, angle), image.shape[::-1], borderValue=border)


def turning(shape: tuple[int, ...], angle: float) -> np.ndarray:
    """float64 `[2, 3]`: the matrix that moves a point (x, y, 1) of a page when the page is turned about its middle."""
    return cv2.getRotationMatrix2D((shape[1] / 2, shape[0] / 2), angle, 1.0)


def turned_larger(image: np.ndarray, angle: float, border: int = PAPER) -> tuple[np.ndarray, np.ndarray]:
    """The picture turned counter-clockwise in a frame that holds all of it, and the matrix `[2, 3]` that moves its points."""
    height, width = image.shape
    matrix = turning(image.shape, angle)
    cosine, sine = np.abs(matrix[0, :2])
    size = round(width * cosine + height * sine), round(height * cosine + width * sine)
    matrix[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    return cv2.warpAffine(image, matrix, size, borderValue=border), matrix


def may_be_upside_down(lines: list[TextLine]) -> bool:
    """Whether the lines of a page look as if the page were upside down.

    Two things must speak for it. More ink hangs below small letters than rises above them; in scripts whose letters hang
    from a line, such as Devanagari, this is so on upright pages, too. And the lines end below each other on the right,
    while they begin anywhere.
    """
    if len(lines) < 3 or np.mean([hanging(line.image) for line in lines]) <= _MOST_HANGING:
        return False
    left = np.array([line.box[0] for line in lines])
    right = left + np.array([line.box[2] for line in lines])
    # Medians: a title or an indented line does not count.
    starts, ends = (float(np.median(np.abs(x - np.median(x)))) for x in (left, right))
    return starts > _RAGGED * ends


def hanging(line: np.ndarray) -> float:
    """Mean skewness of the rows of a line's ink, from top to bottom, over pieces that are about as wide as a word."""
    height, width = line.shape
    rows = np.arange(height)
    found = []
    for left in range(0, max(1, width - height), 2 * height):
        ink = (line[:, left : left + 2 * height] < 160).sum(axis=1)
        if ink.sum() >= 20:
            middle = np.average(rows, weights=ink)
            deviation = np.sqrt(np.average((rows - middle) ** 2, weights=ink)) + 1e-6
            found.append(np.average((rows - middle) ** 3, weights=ink) / deviation**3)
    return float(np.mean(found)) if found else 0.0
