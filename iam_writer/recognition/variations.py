"""Lines as their writer might have written them on another day: shorter, larger, more slanted, with another pen. No TensorFlow.

Most writers of a collection have few pages to learn from. What all lines of a page have in common, such as the pen and the
size of the letters, then looks like a property of the hand. Discriminants that have also seen a distorted copy of each line
learn that it is not. From halves of lines they learn what little writing is like.
"""

import io
import zlib

import cv2
import numpy as np
from PIL import Image

from iam_writer.recognition import descriptor
from pipelines.two_tones import BLACK, two_tones

VERSION = 2
"""Raise it when the same image gives other variations."""

WEIGHTS = (0.3, 0.3, 0.5)
"""The left half of a line, its right half, and a distorted copy of it: how much each counts when a line counts 1.

Chosen by lines of IAM's training and validation forms that were held out in turn. More copies gave nothing.
"""

LARGER, WIDER = 0.2, 0.1
"""Logarithms: a copy is larger or smaller by up to the first, and wider or narrower by up to the second."""

SLANT = 0.2
"""Pixels to the right or left for each pixel upwards, at most."""

TURN = 2.5
"""Degrees, at most."""

BLUR = (0.8, 1.3)
"""Pixels, the standard deviation of a Gaussian."""

LEVEL = (0.25, 0.75)
"""What is darker than this share after the blur is ink: a low level makes strokes thick, a high one makes them thin."""


def distorted(gray: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A distorted copy of a line.

    Args:
      gray: uint8 `[height, width]`, dark on light.
      random: says how it is distorted.

    Returns:
      uint8 `[other height, other width]`, black on white. It is large enough for all of the line.
    """
    scale = np.exp(random.uniform(-LARGER, LARGER))
    stretch = np.exp(random.uniform(-WIDER, WIDER))
    slant = random.uniform(-SLANT, SLANT)
    turn = np.deg2rad(random.uniform(-TURN, TURN))
    blur, level = random.uniform(*BLUR), random.uniform(*LEVEL)
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = scale * turned @ np.array([[stretch, slant], [0, 1]])
    height, width = gray.shape
    # Half of the size of the copy is how far a corner of the line moves away from the centre at most, and a margin.
    half = np.ceil(np.abs(matrix) @ (np.array([width, height]) / 2)).astype(int) + 4
    shift = half - matrix @ (np.array([width, height]) / 2)
    ink = cv2.GaussianBlur((two_tones(gray) == BLACK).astype(np.float32), (0, 0), blur)
    copy = cv2.warpAffine(ink, np.column_stack([matrix, shift]), tuple((2 * half).tolist()))
    return np.where(copy > level, 0, 255).astype(np.uint8)


def counts_of_file(image: bytes) -> np.ndarray:
    """The counts of the variations of an image file that Pillow can read, at `descriptor.DPI`.

    How a line is distorted depends on its image alone, so a dataset gives the same variations each time.

    Returns:
      int64 `[3, descriptor.SIZE]`, in the order of WEIGHTS.
    """
    with Image.open(io.BytesIO(image)) as picture:
        gray = np.asarray(picture.convert("L"))
    random = np.random.default_rng(zlib.crc32(image))
    return np.stack(
        [*map(descriptor.counts, np.array_split(gray, 2, axis=1)), descriptor.counts(distorted(gray, random))]
    )
