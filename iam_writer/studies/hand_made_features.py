"""Hand-made features, which describe the directions of the edges of ink. Does not import TensorFlow.

After M. Bulacu and L. Schomaker, "Text-independent writer identification and verification using textural and
allographic features", IEEE TPAMI 29(4), 2007: contour direction (their f1), contour hinge (f2) and the runs of paper
between ink (f5). The numbers of bins and the length of legs are those of the paper. All features are counts, so the
counts of a form are the sums of the counts of its lines.
"""

import io

import cv2
import numpy as np
from PIL import Image

from iam_writer.recognition.descriptor import LONGEST_RUN, run_counts
from pipelines.two_tones import BLACK, two_tones

LEG = 5
"""Pixels along a contour from a point to a second point. The direction is measured from the first to the second."""

DIRECTIONS = 24
"""Sectors of the circle. The first is centred on the direction of reading, so that no common direction lies on an edge."""

_PAIRS = DIRECTIONS * (DIRECTIONS + 1) // 2
_PAIR = np.zeros((DIRECTIONS, DIRECTIONS), np.int64)  # [lower sector, higher sector] → its number
_PAIR[np.triu_indices(DIRECTIONS)] = np.arange(_PAIRS)

HISTOGRAMS = {
    "contour direction": DIRECTIONS // 2,
    "contour hinge": _PAIRS,
    "horizontal runs of paper": LONGEST_RUN,
    "vertical runs of paper": LONGEST_RUN,
}
"""Histogram → its number of bins, in the order of the histograms in a vector."""

SIZE = sum(HISTOGRAMS.values())


def counts(image: bytes) -> np.ndarray:
    """The histograms of a line, concatenated.

    Args:
      image: a file that Pillow can read.

    Returns:
      int64 `[SIZE]`; all zero if there is no ink.
    """
    with Image.open(io.BytesIO(image)) as picture:
        ink = two_tones(np.asarray(picture.convert("L"))) == BLACK
    return np.concatenate([*contour_counts(ink), run_counts(ink), run_counts(ink.T)])


def contour_counts(ink: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts the directions of contours, outer and inner, and the pairs of directions of a hinge's legs.

    A hinge stands on a point of a contour, and its legs end LEG pixels before and after it. Contours that are
    shorter than its two legs are specks, and are left out.

    Args:
      ink: bool `[height, width]`.

    Returns:
      int64 `[12]`, counts of directions; int64 `[300]`, counts of pairs of directions.
    """
    contours, _ = cv2.findContours(np.pad(ink, 1).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    contours = [contour[:, 0] for contour in contours if len(contour) > 2 * LEG]
    if not contours:
        return np.zeros(DIRECTIONS // 2, np.int64), np.zeros(_PAIRS, np.int64)
    here = np.concatenate(contours)
    after = _sectors(np.concatenate([np.roll(contour, -LEG, axis=0) for contour in contours]) - here)
    before = _sectors(np.concatenate([np.roll(contour, LEG, axis=0) for contour in contours]) - here)
    directions = np.bincount(after[after >= 0] % (DIRECTIONS // 2), minlength=DIRECTIONS // 2)
    both = (after >= 0) & (before >= 0)
    low, high = np.minimum(after, before)[both], np.maximum(after, before)[both]
    return directions, np.bincount(_PAIR[low, high], minlength=_PAIRS)


def _sectors(step: np.ndarray) -> np.ndarray:
    """The sector of each step (x, y), counter-clockwise on the screen.

    The sector is -1 where the step is (0, 0): the contour of a thin stroke has come back to the same point.
    """
    x, y = step.T
    sector = np.rint(np.arctan2(-y, x) * (DIRECTIONS / (2 * np.pi))).astype(np.int64) % DIRECTIONS
    return np.where((x == 0) & (y == 0), -1, sector)


def features(counts: np.ndarray) -> np.ndarray:
    """Counts `[n, SIZE]` → float `[n, SIZE]`: the square roots of the probabilities in each histogram.

    The Euclidean distance of two such vectors is the Hellinger distance of the distributions. It suits distributions
    better than the Euclidean distance of the probabilities.
    """
    parts = np.split(counts, np.cumsum(list(HISTOGRAMS.values()))[:-1], axis=1)
    return np.concatenate(
        [np.sqrt(part / np.maximum(part.sum(axis=1, keepdims=True), 1)) for part in parts], axis=1
    )
