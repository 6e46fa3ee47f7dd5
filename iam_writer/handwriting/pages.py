"""Finds the text lines on a scanned page, for a network that was trained on lines. Does not use TensorFlow.

A scan of a single line works too. The steps are those of any document scanner, and OpenCV does them: even out the light,
binarise (Otsu), turn the page upright, remove ruled lines (morphology), smear the ink, and follow its ridges, which are
the text lines. All lengths are in units of the writing's height, so the resolution of the scan does not matter.
"""

import dataclasses
import os

import cv2
import numpy as np

from iam_writer.common import errors
from iam_writer.handwriting import images

VERSION = 1
"""Increase it whenever a change makes `find_lines` find other lines or other pixels. Lines that were cut by another
version are then cut again."""

PAPER = 255

MAX_SIDE = 3600
"""Pixels. A larger scan is scaled down to this side. IAM's pages, A4 at 300 dpi, have 3,508."""

MAX_SKEW = 6.0
"""Degrees. A page is turned upright by at most this angle."""

_MIN_SKEW = 0.3
"""Degrees. A page with a smaller angle is not turned: people write with such a slope, and turning blurs a little."""

_MIN_CONTRAST = 30
"""Ink must be darker than paper by so many grays. A light pencil has 50, the noise of a blank page has 10."""

_MAX_INK = 0.4
"""The largest share of ink on a page. Dense writing has 0.12, a word cut close to its letters 0.3, a photograph 0.5."""


_MAX_BETWEEN = 0.3
"""The largest share of pixels that are neither ink nor paper. On a scan these are the edges of letters, at most 0.1 even
with noise. Photographs have 0.8."""

UPSIDE_DOWN = "it may be upside down"
"""A warning of `Page`. A network can check it more reliably."""

_MOST_HANGING = 0.1
"""A page may be upside down if its mean skewness is above this. The skewness is that of the rows of a word's ink, from
top to bottom. More ink rises above small letters than hangs below them, so the skewness is negative. The median of IAM's
pages is -0.33, and 2.5 % of the pages are above 0.1."""

_LEVEL, _ALIKE = 0.045, 0.4
"""Letters are printed if they leave their base line by less than the first share of their height, and if more than the
second share of them has the same height. Eight fonts had at most 0.038 and at least 0.41. The medians of handwriting are
0.064 and 0.18. One page of 100 has 0.012 or 0.35, but no page has both."""


@dataclasses.dataclass(frozen=True)
class TextLine:
    """One text line.

    Attributes:
      image: uint8 `[height, width]`, cut to the ink of the line; 255 wherever the line has no ink.
      box: left, top, width and height in `Page.gray`, in pixels.
    """

    image: np.ndarray
    box: tuple[int, int, int, int]


@dataclasses.dataclass(frozen=True)
class Page:
    """A page and its text lines.

    Attributes:
      gray: uint8 `[height, width]`, the page evenly lit and upright; at most MAX_SIDE on a side.
      angle: degrees by which the page was turned counter-clockwise.
      lines: the text lines, from top to bottom.
      warnings: sentences that tell people what is odd about the page. A page without lines has at least one.
    """

    gray: np.ndarray
    angle: float
    lines: list[TextLine]
    warnings: list[str]


def read(path: str | os.PathLike[str]) -> Page:
    """The text lines of an image file.

    Raises:
      BadImageError: the image cannot be read. The message names the file and the reason.
    """
    if os.path.isdir(path):
        raise errors.BadImageError(f"{path} is a folder. Name the images in it, such as {path}/*.png.")
    try:
        return find_lines(images.read_page(path, MAX_SIDE))
    except errors.BadImageError:
        if _begins_with(path, b"%PDF"):
            raise errors.BadImageError(
                f"{path} is a PDF file. Save its pages as images first, for instance with pdftoppm -png -r 300."
            ) from None
        raise


def _begins_with(path: str | os.PathLike[str], signature: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(signature)) == signature
    except OSError:
        return False


def find_lines(gray: np.ndarray) -> Page:
    """The text lines of a page.

    Args:
      gray: uint8 `[height, width]`, dark ink on light paper, skewed by at most MAX_SKEW.
    """
    scale = min(1, MAX_SIDE / max(gray.shape))
    if scale < 1:
        gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    gray = even_light(gray)
    ink = binarise(gray)
    if not ink.any():
        return Page(gray, 0.0, [], ["nothing is written on it"])
    if ink.mean() > _MAX_INK:
        return Page(gray, 0.0, [], ["it is no page of handwriting: too much of it is dark"])
    smooth = cv2.GaussianBlur(gray, (5, 5), 0)
    if ((smooth > 90) & (smooth < 215)).mean() > _MAX_BETWEEN and min(gray.shape) > 300:
        return Page(gray, 0.0, [], ["it looks like a photograph: most of it is neither ink nor paper"])

    angle = skew(ink)
    if abs(angle) >= _MIN_SKEW:
        turned = _rotate(gray, angle)
        lines = _lines(turned, binarise(turned))
        if len(lines) > 1:
            return Page(turned, angle, *handwritten(lines))
    # A single line is not turned: its slope belongs to the hand of its writer.
    return Page(gray, 0.0, *handwritten(_lines(gray, ink)))


def handwritten(lines: list[TextLine]) -> tuple[list[TextLine], list[str]]:
    """Leaves out printed lines among handwritten ones, such as the printed text of a form.

    Returns:
      The other lines, and sentences that tell people what is odd about the page.
    """
    if not lines:
        return [], ["no text line was found on it"]
    found = []
    regular = [_regularity(line.image) for line in lines]
    printed = [r is not None and r[0] < _LEVEL and r[1] > _ALIKE for r in regular]
    # Of 100 handwritten lines 3 look printed. Two of these are seldom on one page.
    if sum(printed) >= 2 / 3 * max(1, sum(r is not None for r in regular)):
        found.append("it looks printed, not written by hand")
    elif sum(printed) >= 2:
        found.append(f"{sum(printed)} lines look printed and were left out")
        lines = [line for line, is_printed in zip(lines, printed, strict=True) if not is_printed]
    if len(lines) >= 3 and np.mean([_hanging(line.image) for line in lines]) > _MOST_HANGING:
        found.append(UPSIDE_DOWN)
    return lines, found


def _hanging(line: np.ndarray) -> float:
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


def _regularity(line: np.ndarray) -> tuple[float, float] | None:
    """How regular the letters are; None if there are fewer than eight letters.

    Returns:
      The median distance of letters from their base line, as a share of their height; and the share of letters that have
      the same height.
    """
    stats = cv2.connectedComponentsWithStats((line < 160).astype(np.uint8))[2][1:]
    stats = stats[stats[:, cv2.CC_STAT_HEIGHT] > line.shape[0] / 4]
    if len(stats) < 8:
        return None
    x = stats[:, cv2.CC_STAT_LEFT] + stats[:, cv2.CC_STAT_WIDTH] / 2
    heights = stats[:, cv2.CC_STAT_HEIGHT]
    bottoms = stats[:, cv2.CC_STAT_TOP] + heights
    # Fit the base line to all letters, then fit it again without the descenders.
    base = np.polynomial.Polynomial.fit(x, bottoms, 1)
    for _ in range(3):
        off = bottoms - base(x)
        off = np.abs(off - np.median(off))
        near = off <= 1.5 * np.median(off) + 0.5
        base = np.polynomial.Polynomial.fit(x[near], bottoms[near], 1)
    off = bottoms - base(x)
    letter = np.median(heights)
    level = np.median(np.abs(off - np.median(off))) / letter
    return float(level), float((np.abs(heights - letter) < 0.06 * letter).mean())


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


def skew(ink: np.ndarray) -> float:
    """Degrees by which to turn a page counter-clockwise so that its lines are level.

    At this angle the amounts of ink in neighbouring rows differ the most.
    """
    scale = min(1, 700 / max(ink.shape))
    small = cv2.resize(ink * np.float32(1), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)

    def sharpness(angle: float) -> float:
        return float(np.square(np.diff(_rotate(small, angle, border=0).sum(axis=1))).sum())

    coarse = max(np.arange(-MAX_SKEW, MAX_SKEW + 0.1, 0.5), key=sharpness)
    return float(max(coarse + np.arange(-0.4, 0.41, 0.1), key=sharpness))


def _rotate(image: np.ndarray, angle: float, border: int = PAPER) -> np.ndarray:
    return cv2.warpAffine(image, turning(image.shape, angle), image.shape[::-1], borderValue=border)


def turning(shape: tuple[int, int], angle: float) -> np.ndarray:
    """float64 `[2, 3]`: the matrix that moves a point (x, y, 1) of a page when the page is turned about its middle."""
    return cv2.getRotationMatrix2D((shape[1] / 2, shape[0] / 2), angle, 1.0)


def without_rulings(ink: np.ndarray) -> np.ndarray:
    """Removes straight lines that run across or down the page, and keeps the strokes that cross these lines."""
    down = _without_horizontal_rulings(np.ascontiguousarray(ink.T)).T
    return _without_horizontal_rulings(np.ascontiguousarray(down))


def _without_horizontal_rulings(ink: np.ndarray) -> np.ndarray:
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


_UNIT = 20
"""Lines are searched on a page that is scaled so that letters are this many pixels high."""


def _lines(gray: np.ndarray, ink: np.ndarray) -> list[TextLine]:
    """The lines of an upright page."""
    ink = without_rulings(ink)
    if not ink.any():
        return []
    height = letter_height(ink)
    scale = min(1.0, _UNIT / height)
    ridges = _ridges(cv2.resize(ink * np.float32(1), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    if not ridges:
        return []
    # The row of the middle of each line, at each column of the page; float `[lines, width]`.
    columns = np.arange(ink.shape[1]) * scale
    middles = np.array([np.interp(columns, x, y) / scale for x, y in ridges])
    return _cut_lines(gray, ink, middles[np.argsort(middles.mean(axis=1))], height)


def _ridges(ink: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The middles of text lines: x and y of the points of each line, as float arrays with ascending x.

    Args:
      ink: float32 `[height, width]`, with letters that are _UNIT pixels high.
    """
    smeared = cv2.GaussianBlur(
        ink, (0, 0), sigmaX=2.5 * _UNIT, sigmaY=0.3 * _UNIT, borderType=cv2.BORDER_CONSTANT
    )
    highest = cv2.dilate(smeared, np.ones((_UNIT + 1, 1), np.uint8))
    top = smeared >= highest
    strong = top & (smeared > 0.02)
    if not strong.any():
        return []
    strong &= smeared > 0.15 * np.percentile(smeared[strong], 90)
    joined = cv2.dilate(strong.astype(np.uint8), np.ones((3, 3), np.uint8))
    count, labels = cv2.connectedComponents(joined)
    pieces = []
    for label in range(1, count):
        y, x = np.nonzero((labels == label) & strong)
        if np.ptp(x) >= _UNIT / 2:
            order = np.argsort(x)
            pieces.append((x[order].astype(float), y[order].astype(float)))
    return _joined(sorted(pieces, key=lambda piece: -len(piece[0])))


def _joined(pieces: list[tuple[np.ndarray, np.ndarray]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Joins pieces of ridges that lie on one line. The pieces come with the longest first."""
    lines: list[tuple[np.ndarray, np.ndarray]] = []
    for x, y in pieces:
        for i, (line_x, line_y) in enumerate(lines):
            overlap = min(x[-1], line_x[-1]) - max(x[0], line_x[0])
            # How far the piece and the line are apart where they meet.
            near = np.abs(np.interp(x, line_x, line_y) - y)
            end = near[-1] if x[0] < line_x[0] else near[0]
            if overlap < 0.5 * (x[-1] - x[0]) and end < 0.6 * _UNIT:
                all_x, all_y = np.concatenate([line_x, x]), np.concatenate([line_y, y])
                order = np.argsort(all_x)
                lines[i] = all_x[order], all_y[order]
                break
        else:
            lines.append((x, y))
    return lines


def _cut_lines(gray: np.ndarray, ink: np.ndarray, middles: np.ndarray, height: float) -> list[TextLine]:
    """Gives every connected piece of ink to the nearest line. A piece that belongs to two lines is cut.

    Args:
      gray: uint8 `[height, width]`, the page.
      ink: uint8 `[height, width]`, the ink of the page without rulings.
      middles: float `[lines, width]`, the row of each line's middle at each column; lines from top to bottom.
      height: height of the letters in pixels.
    """
    _, labels, stats, centroids = cv2.connectedComponentsWithStats(ink)
    area = stats[:, cv2.CC_STAT_AREA]
    column = np.clip(centroids[:, 0].round().astype(int), 0, ink.shape[1] - 1)
    distance = np.abs(middles[:, column] - centroids[:, 1])
    # Leave out pieces that are smaller than the dot of an i or far from every line. Piece 0 is the paper.
    speck = (area < max(4, (height / 16) ** 2)) | (distance.min(axis=0) > 2 * height)
    speck[0] = True
    # A tail or a comma may make a ridge of its own. Such a ridge has very little ink.
    amount = np.bincount(distance.argmin(axis=0), np.where(speck, 0, area), len(middles))
    is_line = amount >= 0.04 * np.median(amount)
    middles, distance = middles[is_line], distance[is_line]
    owner = np.where(speck, -1, distance.argmin(axis=0)).astype(np.int16)
    owned = owner[labels]
    for piece in np.nonzero(~speck & (stats[:, cv2.CC_STAT_HEIGHT] > 1.7 * height))[0]:
        left, top, w, h = stats[piece, :4]
        part = labels[top : top + h, left : left + w] == piece
        rows = np.arange(top, top + h)[None, :, None]
        nearest = np.abs(middles[:, None, left : left + w] - rows).argmin(axis=0)
        # Cut only if there are large parts on both sides. A long descender stays whole.
        shares = np.sort(np.bincount(nearest[part], minlength=2)) / area[piece]
        if shares[-2] > 0.2:
            owned[top : top + h, left : left + w][part] = nearest[part]
    lines = []
    for number in range(len(middles)):
        mask = (owned == number).astype(np.uint8)
        left, top, w, h = cv2.boundingRect(mask)
        if h >= 0.4 * height and w >= 0.5 * height:
            lines.append(_cut(gray, mask, (left, top, w, h)))
    if len(lines) > 1:
        left, top, w, h = cv2.boundingRect((owned >= 0).astype(np.uint8))
        if h < 2 * np.mean(
            [line.box[3] for line in lines]
        ):  # These are parts of one line, since their boxes overlap so much.
            return [_cut(gray, (owned >= 0).astype(np.uint8), (left, top, w, h))]
    return sorted(lines, key=lambda line: line.box[1])


def _cut(gray: np.ndarray, mask: np.ndarray, box: tuple[int, int, int, int]) -> TextLine:
    """Cuts a line out of the page. Its ink and the soft edges of its ink stay gray, and everything else is white."""
    left, top, width, height = box
    part = np.s_[top : top + height, left : left + width]
    own = cv2.dilate(mask[part], np.ones((3, 3), np.uint8))
    return TextLine(np.where(own, gray[part], np.uint8(PAPER)), box)
