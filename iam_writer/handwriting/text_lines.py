"""Finds the text lines of an upright page: smears the ink, and follows its ridges. Does not use TensorFlow.

All lengths are in units of the height of the writing, so the resolution of the scan does not matter.
"""

import dataclasses

import cv2
import numpy as np

from iam_writer.handwriting.ink import PAPER, letter_height, without_ruler, without_rulings
from iam_writer.handwriting.layouts import GivenLine

_UNIT = 20
"""Lines are searched on a page that is scaled so that letters are this many pixels high."""

_GAP = 2.0
"""Letter heights. A stripe without writing that is wider than this may lie between two pages, or between text and notes."""

_WIDEST_NOTE = 0.6
"""Notes are narrower than this share of the text beside them."""

_MANY_LETTERS = 40
"""A printed paragraph has more connected pieces than this. A line of handwriting seldom has so many."""

_LINES_BESIDE_NOTES = 4
"""Text of fewer lines has no notes beside it."""


_LEAST_PITCHES, _LITTLE_INK, _NEAR = 4, 0.35, 0.5
"""Where there are so many lines, a ridge with less than this share of the ink of another one belongs to it if they are nearer to each
other than this share of the distance of lines."""

_ONE_LINE = 0.4
"""Heights of letters. Ridges that are nearer to each other are one line, such as a word that is crossed out in a zigzag."""


@dataclasses.dataclass(frozen=True)
class TextLine:
    """One text line.

    Attributes:
      image: uint8 `[height, width]`, cut to the ink of the line; 255 wherever the line has no ink.
      box: left, top, width and height in `Page.gray`, in pixels.
      given: the line of a PAGE-XML or ALTO file that it was cut from, in pixels of the picture as it is stored; None if the
        line was found by the program.
    """

    image: np.ndarray
    box: tuple[int, int, int, int]
    given: GivenLine | None = None


def text_lines(gray: np.ndarray, ink: np.ndarray) -> list[TextLine]:
    """The lines of an upright page.

    Args:
      gray: uint8 `[height, width]`, the page, evenly lit.
      ink: uint8 `[height, width]`, 1 where there is ink.

    Returns:
      The lines from top to bottom. The lines of the left page of an open book come before those of its right page, and notes
      beside the text come in the order of the columns.
    """
    ink = without_rulings(without_ruler(ink))  # Ticks in a row look like a ruled line.
    if not ink.any():
        return []
    height = letter_height(ink)
    every = _lines(gray, ink, height)
    place = _between_pages(ink, height) if len(every) > 1 else None
    if place is not None:
        return [*_beside_notes(gray, ink, 0, place), *_beside_notes(gray, ink, place, ink.shape[1])]
    return _apart_from_notes(gray, ink, height, every)


def _beside_notes(gray: np.ndarray, ink: np.ndarray, left: int, right: int) -> list[TextLine]:
    """The lines between two columns of a page."""
    part = np.ascontiguousarray(ink[:, left:right])
    if not part.any():
        return []
    paper, height = gray[:, left:right], letter_height(part)
    return _moved(_apart_from_notes(paper, part, height, _lines(paper, part, height)), left)


def _moved(lines: list[TextLine], right: int) -> list[TextLine]:
    return [TextLine(line.image, (line.box[0] + right, *line.box[1:])) for line in lines]


def _gaps(ink: np.ndarray, height: float) -> list[tuple[int, int]]:
    """First and last column of wide vertical stripes that have no writing, with writing on both sides."""
    blank = ink.sum(axis=0, dtype=np.int64) < 0.25 * height
    written = np.flatnonzero(~blank)
    if not len(written):
        return []
    wide = np.flatnonzero(np.diff(written) > _GAP * height)
    return [(int(written[i]), int(written[i + 1])) for i in wide]


def _between_pages(ink: np.ndarray, height: float) -> int | None:
    """The column between the two pages of an open book; None if it is one page."""
    if ink.shape[1] < 1.1 * ink.shape[0] or ink.shape[0] < 8 * height:
        return None
    middle = ink.shape[1] / 2
    near = [gap for gap in _gaps(ink, height) if gap[0] < 1.15 * middle and gap[1] > 0.85 * middle]
    if not near:
        return None
    left, right = max(near, key=lambda gap: gap[1] - gap[0])
    place = (left + right) // 2
    # Some lines on both sides: what stands alone on one side is not a page.
    sides = [np.count_nonzero(side.any(axis=1)) for side in (ink[:, :place], ink[:, place:])]
    return place if min(sides) > 4 * height else None


def _apart_from_notes(
    gray: np.ndarray, ink: np.ndarray, height: float, every: list[TextLine]
) -> list[TextLine]:
    """Parts notes in the margin from the lines that they stand beside.

    Args:
      gray: the page.
      ink: its ink.
      height: of the letters.
      every: the lines without regard to notes. They are right if what stands in the margin begins each line, such as a number.
    """
    if len(every) < _LINES_BESIDE_NOTES:
        return every
    for left, right in _gaps(ink, height):
        place = (left + right) // 2
        parts = np.ascontiguousarray(ink[:, :place]), np.ascontiguousarray(ink[:, place:])
        columns = [np.flatnonzero(part.any(axis=0)) for part in parts]
        widths = [some[-1] - some[0] for some in columns]
        if min(widths) > _WIDEST_NOTE * max(widths) or min(widths) < 1.5 * height:
            continue
        papers = gray[:, :place], gray[:, place:]
        found = [_lines(paper, part, letter_height(part)) for paper, part in zip(papers, parts, strict=True)]
        text, notes = found if widths[0] >= widths[1] else found[::-1]
        if len(notes) >= 2 and len(text) >= _LINES_BESIDE_NOTES and not _level_with(notes, text, height):
            return [*found[0], *_moved(found[1], place)]
    return every


def _level_with(notes: list[TextLine], text: list[TextLine], height: float) -> bool:
    """Whether most notes stand at the height of a line of the text."""
    middles = np.array([line.box[1] + line.box[3] / 2 for line in text])
    off = [np.abs(middles - (note.box[1] + note.box[3] / 2)).min() for note in notes]
    return float(np.mean(np.array(off) < 0.4 * height)) > 0.7


def _lines(gray: np.ndarray, ink: np.ndarray, height: float) -> list[TextLine]:
    """The lines of a page of one column, without rulings."""
    scale = min(1.0, _UNIT / height)
    ridges = _ridges(cv2.resize(ink * np.float32(1), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    if not ridges:
        return []
    # The row of the middle of each line, at each column of the page; float `[lines, width]`.
    columns = np.arange(ink.shape[1]) * scale
    middles = np.array([np.interp(columns, x, y) / scale for x, y in ridges])
    found = _cut_lines(gray, ink, middles[np.argsort(middles.mean(axis=1))], height)
    return [part for line in found for part in _small_lines(line, height)]


def _small_lines(line: TextLine, height: float) -> list[TextLine]:
    """Parts what was taken for one line, but is several lines of much smaller letters, such as the printed text of a form."""
    ink = (line.image < 160).astype(np.uint8)
    own = letter_height(ink)
    if own > 0.5 * height or line.box[3] < 3 * own or cv2.connectedComponents(ink)[0] < _MANY_LETTERS:
        return [line]
    parts = _lines(line.image, ink, own)
    left, top = line.box[:2]
    return [
        TextLine(part.image, (part.box[0] + left, part.box[1] + top, *part.box[2:])) for part in parts
    ] or [line]


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
    middles, distance, amount = middles[is_line], distance[is_line], amount[is_line]
    is_line = ~_between_lines(middles, amount, height)
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


def _between_lines(middles: np.ndarray, amount: np.ndarray, height: float) -> np.ndarray:
    """Which ridges are no lines, but long bars of a T, accents, or words that are crossed out; bool `[lines]`.

    Lines of a page are about equally far apart. Such a ridge lies much nearer to a line with more ink.

    Args:
      middles: float `[lines, width]`, see `_cut_lines`.
      amount: float `[lines]`, pixels of ink.
      height: of the letters.
    """
    if len(middles) < _LEAST_PITCHES:
        return np.zeros(len(middles), bool)
    rows = middles.mean(axis=1)
    pitch = float(np.median(np.diff(rows[amount >= _LITTLE_INK * np.median(amount)])))
    apart = np.abs(rows[:, None] - rows)
    own = amount[:, None]  # Of a ridge; the second axis is the other one.
    little = (own < _LITTLE_INK * amount) & (apart < _NEAR * pitch)
    part = (own < amount) & (apart < _ONE_LINE * height)
    return np.asarray((little | part).any(axis=1))


def _cut(gray: np.ndarray, mask: np.ndarray, box: tuple[int, int, int, int]) -> TextLine:
    """Cuts a line out of the page. Its ink and the soft edges of its ink stay gray, and everything else is white."""
    left, top, width, height = box
    part = np.s_[top : top + height, left : left + width]
    own = cv2.dilate(mask[part], np.ones((3, 3), np.uint8))
    return TextLine(np.where(own, gray[part], np.uint8(PAPER)), box)
