"""Tells printed lines from handwritten lines. Does not use TensorFlow.

Printed letters stand exactly on their base line, and each letter has the same shape wherever it stands. No hand writes like this.
"""

import cv2
import numpy as np

from iam_writer.handwriting.text_lines import TextLine

_LEVEL, _ALIKE = 0.045, 0.2
"""Printed letters leave their base line by less than the first share of their height, and more than the second share of them has
the same height. Eight fonts had at most 0.038 and at least 0.3. The medians of handwriting are 0.064 and 0.18."""

_TWINS = 0.6
"""The share of printed letters that have a twin, a letter of the same shape. Three fonts had at least 0.77, also with noise and
at JPEG quality 20. Of 74 pages by real and invented hands no line had more than 0.37."""

_SAME_SHAPE = 0.75
"""Two letters are twins from this overlap on (intersection over union)."""

_FEW = 3
"""So many twins of printed letters make a short text printed, such as "Name:"."""

_NUMBER = 4
"""Letters of a page number, at most."""

_ALONE = 2.2
"""A page number is so many times as far from the next line as the lines are from each other."""


def handwritten(lines: list[TextLine]) -> tuple[list[TextLine], list[str]]:
    """Leaves out printed lines among handwritten ones, such as the heading of a form or "Name:", and page numbers.

    Returns:
      The other lines, and sentences that tell people what is odd about the page.
    """
    if not lines:
        return [], ["no text line was found on it"]
    letters = [_letters(line.image) for line in lines]
    regular = [_is_regular(line.image) for line in lines]
    font = [
        letter for some, is_regular in zip(letters, regular, strict=True) if is_regular for letter in some
    ]
    printed = [
        is_regular and len(some) >= _FEW and bool(np.mean(_have_twins(some, font)) > _TWINS)
        for some, is_regular in zip(letters, regular, strict=True)
    ]
    font = [
        letter for some, is_printed in zip(letters, printed, strict=True) if is_printed for letter in some
    ]
    left_out, kept = 0, []
    for line, some, is_printed in zip(lines, letters, printed, strict=True):
        twins = [] if is_printed else _have_twins(some, font)
        # A short text in the same font may stand before handwriting, such as "Name:" before a signature.
        has_print = sum(twins) >= _FEW and bool(np.mean(twins) > _TWINS or sum(twins[: _FEW + 2]) >= _FEW)
        left_out += int(is_printed or has_print)
        if has_print:
            rest = _beside_print(line, [letter for letter, twin in zip(some, twins, strict=True) if twin])
            kept += [rest] if rest is not None else []
        elif not is_printed:
            kept.append(line)
    if left_out >= 2 / 3 * max(1, sum(len(some) >= _FEW for some in letters)):
        return lines, ["it looks printed, not written by hand"]
    found = []
    if left_out:
        found.append(
            f"{left_out} lines look printed and were left out"
            if left_out > 1
            else "a printed text was left out"
        )
    number = _page_number(kept)
    if number is not None:
        kept = [line for line in kept if line is not number]
        found.append("a page number was left out")
    return kept, found


class _Letter:
    """A connected piece of ink that may be a letter: bool `shape`, with its left and right column in the line."""

    def __init__(self, shape: np.ndarray, left: int):
        self.shape, self.left, self.right = shape, left, left + shape.shape[1]


def _letters(line: np.ndarray) -> list[_Letter]:
    """Pieces of ink of the size of a letter. Strokes that are nearly straight resemble each other in any hand, and are left out."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((line < 160).astype(np.uint8))
    found = []
    for number, (left, top, width, height, _) in enumerate(stats[1:], 1):
        if height >= max(8, line.shape[0] / 5) and 0.35 * height <= width <= 2 * height:
            part = labels[top : top + height, left : left + width] == number
            found.append(_Letter(part, int(left)))
    return sorted(found, key=lambda letter: letter.left)


def _have_twins(letters: list[_Letter], others: list[_Letter]) -> list[bool]:
    """Whether each letter has the shape of one of the others that is not itself."""
    by_size: dict[tuple[int, int], list[_Letter]] = {}
    for other in others:
        by_size.setdefault((other.shape.shape[0], other.shape.shape[1]), []).append(other)

    def has_twin(letter: _Letter) -> bool:
        height, width = letter.shape.shape
        near = [
            other
            for y in (height - 1, height, height + 1)
            for x in (width - 1, width, width + 1)
            for other in by_size.get((y, x), [])
        ]
        return any(
            other is not letter and _overlap(letter.shape, other.shape) > _SAME_SHAPE for other in near
        )

    return [has_twin(letter) for letter in letters]


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two shapes, laid on each other where they fit best within a pixel."""
    height, width = (max(a, b) for a, b in zip(one.shape, other.shape, strict=True))
    large = np.zeros((height + 2, width + 2), bool)
    large[1 : 1 + one.shape[0], 1 : 1 + one.shape[1]] = one
    total, best = int(one.sum()) + int(other.sum()), 0.0
    for y in range(height + 3 - other.shape[0]):
        for x in range(width + 3 - other.shape[1]):
            both = int((large[y : y + other.shape[0], x : x + other.shape[1]] & other).sum())
            best = max(best, both / (total - both))
    return best


def _beside_print(line: TextLine, printed: list[_Letter]) -> TextLine | None:
    """What stands on a line after a printed text, such as the signature after "Name:"; None if it is little."""
    height = max(letter.shape.shape[0] for letter in printed)
    # The colon, and letters between that have no twin, belong to the printed text.
    end = max(letter.right for letter in printed) + height
    rest = line.image[:, end:]
    rows, columns = (np.flatnonzero((rest < 160).any(axis=axis)) for axis in (1, 0))
    if not len(columns) or np.ptp(columns) < 2 * height or np.ptp(rows) < height / 2:
        return None
    left, top, width, high = (
        end + int(columns[0]),
        int(rows[0]),
        int(np.ptp(columns)) + 1,
        int(np.ptp(rows)) + 1,
    )
    pieces = cv2.connectedComponentsWithStats((rest < 160).astype(np.uint8))[2][1:]
    pieces = pieces[pieces[:, cv2.CC_STAT_HEIGHT] > height / 2]
    bottoms = pieces[:, cv2.CC_STAT_TOP] + pieces[:, cv2.CC_STAT_HEIGHT]
    # The rest of a printed line, in which letters have no twin, stands on the same base line.
    if len(pieces) > 2 and np.median(np.abs(bottoms - np.median(bottoms))) < _LEVEL * height:
        return None
    image = np.ascontiguousarray(line.image[top : top + high, left : left + width])
    return TextLine(image, (line.box[0] + left, line.box[1] + top, width, high))


def _page_number(lines: list[TextLine]) -> TextLine | None:
    """The page number among the lines: few letters alone above or below all other lines; None if there is none."""
    if len(lines) < 5:
        return None
    tops = sorted(lines, key=lambda line: line.box[1])
    pitch = float(np.median(np.diff([line.box[1] + line.box[3] / 2 for line in tops])))
    for line, neighbour in ((tops[0], tops[1]), (tops[-1], tops[-2])):
        _, _, width, height = line.box
        apart = abs(line.box[1] + height / 2 - neighbour.box[1] - neighbour.box[3] / 2)
        pieces = cv2.connectedComponentsWithStats((line.image < 160).astype(np.uint8))[2][1:]
        letters = np.count_nonzero(pieces[:, cv2.CC_STAT_HEIGHT] > height / 3)
        if apart > _ALONE * pitch and letters <= _NUMBER and width < 3 * height:
            return line
    return None


def _is_regular(line: np.ndarray) -> bool:
    """Whether the letters of a line, eight or more, stand exactly on a base line and many have the same height."""
    stats = cv2.connectedComponentsWithStats((line < 160).astype(np.uint8))[2][1:]
    stats = stats[stats[:, cv2.CC_STAT_HEIGHT] > line.shape[0] / 4]
    if len(stats) < 8:
        return False
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
    return bool(level < _LEVEL and (np.abs(heights - letter) < 0.06 * letter).mean() > _ALIKE)
