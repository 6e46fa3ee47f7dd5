"""Letters of two sides that have nearly the same shape, for a person to look at. No TensorFlow."""

from collections.abc import Iterable, Sequence
from typing import Final

import cv2
import numpy as np

from iam_writer.handwriting import ink

SHOWN: Final = 12
"""So many pairs are given at most."""

SIDE: Final = 24
"""Pixels of the side of the square in which shapes are compared."""

MOST: Final = 800
"""So many shapes of a side are compared at most."""

ALIKE: Final = 0.8
"""Correlation of two shapes from which they count as nearly the same."""

MARGIN: Final = 3
"""Pixels of paper around a shape that is shown."""


def matches(left: Sequence[np.ndarray], right: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of connected pieces of ink, each the most similar one of the other.

    Of all such pairs those come first that have the most turns, since short straight strokes are alike with everybody.

    Args:
      left: uint8 `[height, width]` each, lines of writing.
      right: the same, of the other side.

    Returns:
      uint8 `[height, width]`, pictures of the two pieces of each pair; at most SHOWN pairs.
    """
    sides = [_pieces(lines) for lines in (left, right)]
    if not all(sides):
        return []
    vectors = [np.stack([vector for vector, _, _ in side]) for side in sides]
    near = vectors[0] @ vectors[1].T
    found = []
    for one in range(len(near)):
        other = int(near[one].argmax())
        if near[one, other] >= ALIKE and int(near[:, other].argmax()) == one:
            turns = min(sides[0][one][2], sides[1][other][2])
            found.append((turns, sides[0][one][1], sides[1][other][1]))
    found.sort(key=lambda pair: -pair[0])
    return [(one, other) for _, one, other in found[:SHOWN]]


def _pieces(lines: Iterable[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Of each piece of ink that may be a letter: its shape, a vector of length 1; its picture; and how long its contour is, as a
    multiple of its size."""
    found = []
    for line in lines:
        black = ink.binarise(line)
        height = ink.letter_height(black)
        _, labels, boxes, _ = cv2.connectedComponentsWithStats(black.astype(np.uint8), connectivity=8)
        for label, (x, y, w, h, _) in enumerate(boxes[1:], 1):
            if not (0.7 * height <= h <= 4 * height and 0.5 * height <= w <= 4 * height):
                continue
            piece = (labels[y : y + h, x : x + w] == label).astype(np.uint8)
            contours, _ = cv2.findContours(piece, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            turns = sum(cv2.arcLength(contour, True) for contour in contours) / (w + h)
            picture = np.pad(255 - 255 * piece, MARGIN, constant_values=255)
            found.append((_shape(piece), picture, float(turns)))
    return found[:: max(1, -(-len(found) // MOST))]


def _shape(piece: np.ndarray) -> np.ndarray:
    """Float64 `[SIDE * SIDE]`: the piece in a square, in its proportions, a little blurred, with mean 0 and length 1."""
    height, width = piece.shape
    scale = SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(piece.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    square = np.zeros((SIDE, SIDE), np.float32)
    top, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = small
    vector = cv2.GaussianBlur(square, (0, 0), 1.0).astype(np.float64).ravel()
    vector -= vector.mean()
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))
