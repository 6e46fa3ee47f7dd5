"""Black on white: an image of a line that hardly depends on the scanner. Does not use TensorFlow.

Scanners differ in the gray of paper and ink, in noise and in sharpness. A network that has seen only the scans of one
scanner takes a scan of another scanner for the hand of another person. Two tones keep only the outlines of the ink.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

BLACK, WHITE = 0, 255

LEAST_CONTRAST = 32
"""Grays between ink and paper. If there are fewer, the whole image is taken to be paper."""

DARKEST = 0.01
"""The darkest part of the ink, of this share, says how dark the ink is. A blurred stroke is black only along its middle.
A larger share would count more of its edges as ink, so that strokes become thicker. With 0.01 a blurred line keeps as
much ink as it had before."""

SMALL_SHARE = 0.05
"""A gray that covers less than this share of an image is not its paper."""


def two_tones(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Divides an image halfway between the gray of its ink and that of its paper.

    Otsu's threshold separates ink from paper. The gray of the ink is that of its darkest part, and the gray of the paper
    is the most frequent one. White counts as paper only if there is no other gray, since IAM's own files are white
    around the words that were cut out. An image of two tones stays as it is.

    Args:
      gray: uint8 `[height, width]`, dark on light.

    Returns:
      uint8 `[height, width]` of BLACK and WHITE.
    """
    picture = Image.fromarray(gray)  # Pillow counts and maps bytes several times faster than NumPy.
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
