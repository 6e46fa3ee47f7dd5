"""The ink of a page: evens out the light, binarises, removes ruled lines, and measures the letters. Does not use TensorFlow."""

import cv2
import numpy as np

PAPER = 255

_MIN_CONTRAST = 30
"""Ink must be darker than paper by so many grays. A light pencil has 50, the noise of a blank page has 10."""


def even_light(gray: np.ndarray) -> np.ndarray:
    """Divides a page by the brightness of its paper, so that shadows vanish and the paper is white.

    Args:
      gray: uint8 `[height, width]`.

    Returns:
      uint8 `[height, width]`. The paper is 255, apart from noise.
    """
    # Means over 8 × 8 pixels have little noise. The brightest of them within an eighth of a page is paper, not ink.
    small = cv2.resize(
        gray, (max(1, gray.shape[1] // 8), max(1, gray.shape[0] // 8)), interpolation=cv2.INTER_AREA
    )
    side = max(9, min(31, min(small.shape))) | 1
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    paper = cv2.GaussianBlur(paper, (0, 0), side / 4)
    paper = cv2.resize(paper, gray.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return cv2.divide(gray, paper, scale=PAPER)


def binarise(gray: np.ndarray) -> np.ndarray:
    """Finds the ink on an evenly lit page.

    Args:
      gray: uint8 `[height, width]`.

    Returns:
      uint8 `[height, width]`, 1 where there is ink. All are 0 if nothing differs enough from the paper.
    """
    smooth = cv2.GaussianBlur(gray, (3, 3), 0)
    _, ink = cv2.threshold(smooth, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    some, is_ink = gray[::2, ::2], ink[::2, ::2] == 1  # A quarter of the pixels, since medians are slow.
    if not is_ink.any() or is_ink.all():
        return np.zeros_like(ink)
    if np.median(some[~is_ink]) - np.median(some[is_ink]) < _MIN_CONTRAST:
        return np.zeros_like(ink)
    return ink


def without_rulings(ink: np.ndarray) -> np.ndarray:
    """Removes straight lines that run across or down the page, and keeps the strokes that cross these lines."""
    down = without_horizontal_rulings(np.ascontiguousarray(ink.T)).T
    return without_horizontal_rulings(np.ascontiguousarray(down))


def without_horizontal_rulings(ink: np.ndarray) -> np.ndarray:
    """Removes straight level lines that span a third of the page, and keeps the strokes that cross these lines."""
    width = ink.shape[1]
    run = max(60, width // 15) | 1
    if width < 4 * run:  # An image of one or two words: a long stroke belongs to a letter.
        return ink
    # First close the gaps that noise makes. Then find long runs of ink, and keep those that span a third of the page.
    closed = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((1, 9), np.uint8))
    long = _erode_row(closed, run)
    in_row = np.asarray(long.any(axis=1, keepdims=True), np.uint8)
    if not in_row.any():
        return ink
    # Only these rows of the page are searched. Two more rows around them keep separate runs separate, as on the page.
    rows = np.nonzero(cv2.dilate(in_row, np.ones((5, 1), np.uint8)))[0]
    runs = _dilate_row(long[rows], run)
    thick = max(3, width // 250)
    joined = _erode_row(_dilate_row(cv2.dilate(runs, np.ones((3, 1), np.uint8)), 2 * run + 1), 2 * run + 1)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined)
    across = np.zeros(count, np.uint8)
    across[1:] = stats[1:, cv2.CC_STAT_WIDTH] >= width / 3
    if not across.any():
        return ink
    ruling = np.zeros_like(ink)
    ruling[rows] = runs & across[labels]
    ruling = cv2.dilate(ruling, np.ones((3, 1), np.uint8))
    rest = ink & (1 - ruling)
    # A stroke that crosses the ruling has ink above and below it.
    bridged = cv2.morphologyEx(rest, cv2.MORPH_CLOSE, np.ones((2 * thick + 1, 1), np.uint8))
    kept: np.ndarray = rest | (bridged & ink)
    return kept


def _dilate_row(ink: np.ndarray, length: int) -> np.ndarray:
    """Dilates along rows. It uses sums, which take the same time for any length, while cv2.dilate does not."""
    return (_row_sums(ink, length) > 0).astype(np.uint8)


def _erode_row(ink: np.ndarray, length: int) -> np.ndarray:
    eroded: np.ndarray = (_row_sums(ink, length) == length).astype(np.uint8)
    return eroded


def _row_sums(ink: np.ndarray, length: int) -> np.ndarray:
    return cv2.boxFilter(ink, cv2.CV_32F, (length, 1), normalize=False, borderType=cv2.BORDER_REPLICATE)


def letter_height(ink: np.ndarray) -> float:
    """The height of the writing in pixels: the median height of connected pieces, weighted by their width."""
    # Close the gaps of broken strokes, so that whole letters and words are measured.
    mended = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    stats = cv2.connectedComponentsWithStats(mended)[2][1:]
    heights, widths = stats[:, cv2.CC_STAT_HEIGHT], stats[:, cv2.CC_STAT_WIDTH]
    # Specks, dots and dashes are not letters.
    letters = (heights >= 8) & (stats[:, cv2.CC_STAT_AREA] >= 30)
    if not letters.any():
        return float(ink.shape[0])
    heights, widths = heights[letters], widths[letters]
    order = np.argsort(heights)
    middle = np.searchsorted(np.cumsum(widths[order]), widths.sum() / 2)
    return float(heights[order][middle])


def is_negative(gray: np.ndarray) -> bool:
    """Whether a picture shows bright strokes on something dark, such as chalk on a board.

    Args:
      gray: uint8 `[height, width]`.
    """
    scale = min(1, 900 / max(gray.shape))
    small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if np.median(small) > 127:
        return False
    opened = cv2.morphologyEx(small, cv2.MORPH_OPEN, np.ones((13, 13), np.uint8))
    strokes = cv2.subtract(small, opened)
    dark, bright = np.percentile(small, [10, 99.5])
    middle = (dark + bright) / 2
    if bright - dark < _MIN_CONTRAST or (strokes > (bright - dark) / 2).mean() < 0.002:
        return False
    # A sheet on a black plate is bright where it is wider than a stroke.
    return bool((opened > middle).mean() < 0.05)


def without_blobs(ink: np.ndarray) -> np.ndarray:
    """Removes dark areas that are wider than any stroke: fingers, black edges of scans, patches of a colour chart, blots."""
    side = max(25, max(ink.shape) // 45)
    if min(ink.shape) < 4 * side:
        return ink
    blobs = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    if not blobs.any():
        return ink
    around = cv2.dilate(blobs, np.ones((side // 2 | 1, side // 2 | 1), np.uint8))
    return ink & (1 - around)


_LEAST_TICKS = 25
"""A ruler has at least so many ticks."""


def without_ruler(ink: np.ndarray) -> np.ndarray:
    """Removes the ticks and the numbers of a ruler that lies beside the writing.

    Ticks are short straight strokes that begin on a straight edge, all at the same distance.
    """
    return np.ascontiguousarray(_without_ticks(np.ascontiguousarray(_without_ticks(ink).T)).T)


def _without_ticks(ink: np.ndarray) -> np.ndarray:
    """Removes rulers that lie along the rows."""
    stats = cv2.connectedComponentsWithStats(ink)[2]
    left, top, width, height = (stats[:, place] for place in range(4))
    side = max(ink.shape)
    is_tick = (width <= max(6, side // 300)) & (height >= 2.5 * width) & (height <= side / 12)
    is_tick[0] = False
    if is_tick.sum() < _LEAST_TICKS:
        return ink
    x, tall, upper = left[is_tick], height[is_tick], top[is_tick]
    for ends in (upper, np.minimum(upper + tall, len(ink) - 1)):
        # Ticks whose ends lie beside each other are one piece when the ends are widened along the edge.
        edge = np.zeros_like(ink)
        edge[ends, x] = 1
        widened = cv2.dilate(edge, np.ones((7, max(13, side // 80) | 1), np.uint8))
        piece = cv2.connectedComponents(widened)[1][ends, x]
        for label in np.flatnonzero(np.bincount(piece) >= _LEAST_TICKS):
            own = piece == label
            steps = np.diff(np.sort(x[own]))
            if np.mean(np.abs(steps / np.median(steps) - 1) < 0.25) < 0.8:
                continue
            # The numbers stand beside the ticks, within twice the length of the longest.
            reach = 2 * int(tall[own].max())
            on_ruler = (top >= upper[own].min() - reach) & (top + height <= (upper + tall)[own].max() + reach)
            on_ruler &= (left >= x[own].min() - reach) & (left + width <= x[own].max() + reach)
            on_ruler[0] = False
            return ink & ~on_ruler[cv2.connectedComponents(ink)[1]].astype(bool)
    return ink
