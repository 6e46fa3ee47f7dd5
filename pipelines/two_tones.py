"""Black on white: what a line looks like whoever scanned it. No TensorFlow.

Scanners differ in the gray of paper and ink, in noise and in sharpness; a network that has only seen the scans of one
takes those of another for other hands. Of all that only the outlines of ink are kept.
"""

import cv2
import numpy as np
from PIL import Image

BLACK, WHITE = 0, 255

LEAST_CONTRAST = 32
"""Grays between ink and paper. Where there are fewer, it is all paper."""

DARKEST = 0.01
"""Share of the ink that says how dark it is. Blurred strokes are black only along their middle, and seem thicker the more
of their edges counts as what they are made of: of blurred lines, 0.01 leaves as much ink as there was before."""

SMALL_SHARE = 0.05
"""Less than this of an image is not its paper."""


def two_tones(gray: np.ndarray) -> np.ndarray:
    """Divides an image halfway between the gray of its ink and that of its paper.

    Otsu's threshold tells ink from paper. The ink's gray is then that of its darkest part, and the paper's the most
    frequent one; white counts as paper only where there is no other, since IAM's own files are white around the words
    that were cut out. An image of two tones stays as it is.

    Args:
      gray: uint8 `[height, width]`, dark on light.

    Returns:
      uint8 `[height, width]` of BLACK and WHITE.
    """
    picture = Image.fromarray(gray)  # Pillow counts and maps bytes several times faster than numpy.
    counts = np.array(picture.histogram())
    threshold = int(cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0])
    dark, light = counts[: threshold + 1], counts[threshold + 1 :]
    ink = int(np.searchsorted(np.cumsum(dark), DARKEST * dark.sum()))
    not_white = light[:-1]
    paper = threshold + 1 + int(not_white.argmax()) if not_white.sum() > SMALL_SHARE * gray.size else WHITE
    if paper - ink < LEAST_CONTRAST:
        return np.full_like(gray, WHITE)
    middle = (ink + paper) / 2
    return np.asarray(picture.point([BLACK if value <= middle else WHITE for value in range(256)]))
