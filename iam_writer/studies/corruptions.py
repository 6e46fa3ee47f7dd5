"""Imitates what scanners, cameras and cutting do to the image of a line. Does not import TensorFlow.

Each corruption turns a uint8 gray image into another one of the same size. It is random, with a seed from the image's
name, so the same name and pixels always give the same image.
"""

import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter


def gray_paper(gray: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Gray paper (200 to 235) with fibres and uneven light, and a pen that is not black and covers unevenly."""
    paper = random.uniform(205, 230) + 3 * _cloud(random, gray.shape, 60) + 2 * _cloud(random, gray.shape, 3)
    paper = paper.clip(200, 235)
    pen = random.uniform(40, 90) + 6 * _cloud(random, gray.shape, 6)
    # A scanner's optics blur every edge of ink.
    return _bytes(pen + (paper - pen) * _blurred(gray, 0.6) / 255)


def noise(gray: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The noise of a sensor, with a standard deviation of 12 grays."""
    return _bytes(gray + random.normal(0, 12, gray.shape))


def word_boxes(gray: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Gray paper in boxes around the words, and white outside of the boxes. IAM's own sentence files look like this."""
    scanned = gray_paper(gray, random)
    result = np.full_like(gray, 255)
    for top, bottom, left, right in _words(gray < 128):
        result[top:bottom, left:right] = scanned[top:bottom, left:right]
    return result


def blur(gray: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """An image out of focus, with a blur of 1.2 to 2 pixels at 300 dpi."""
    return _bytes(_blurred(gray, random.uniform(1.2, 2)))


def low_resolution(gray: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """An image scanned at 200 dpi and enlarged to 300 dpi."""
    height, width = gray.shape
    small = Image.fromarray(gray).resize(
        (max(1, round(width * 2 / 3)), max(1, round(height * 2 / 3))), Image.Resampling.BOX
    )
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


CORRUPTIONS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "gray_paper": gray_paper,
    "noise": noise,
    "word_boxes": word_boxes,
    "blur": blur,
    "low_resolution": low_resolution,
}


def corrupted(gray: np.ndarray, name: str, id: str) -> np.ndarray:
    """An image with one of CORRUPTIONS.

    Args:
      gray: uint8 `[height, width]`, of any size.
      name: the name of the corruption.
      id: the name of the image. The random numbers depend on the two names only.

    Returns:
      uint8 `[height, width]`.
    """
    return CORRUPTIONS[name](gray, np.random.default_rng(zlib.crc32(f"{name} {id}".encode())))


def _cloud(random: np.random.Generator, shape: tuple[int, int], size: int) -> np.ndarray:
    """Smooth noise, float `shape`, of mean 0 and standard deviation 1. Its bumps are about `size` pixels wide."""
    coarse = random.normal(size=[-(-side // size) + 1 for side in shape]).astype(np.float32)
    fine = np.asarray(Image.fromarray(coarse).resize(shape[::-1], Image.Resampling.BICUBIC))
    return (fine - fine.mean()) / max(float(fine.std()), 1e-6)


def _words(ink: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Boxes (top, bottom, left, right) around words, with a margin. Bottom and right are excluded.

    A word is a run of ink without a wide gap.
    """
    height, width = ink.shape
    gap, margin = max(1, height // 5), max(1, height // 40)
    columns = np.flatnonzero(ink.any(axis=0))
    boxes = []
    for word in np.split(columns, np.flatnonzero(np.diff(columns) > gap) + 1):
        if not len(word):
            continue
        left, right = max(0, word[0] - margin), min(width, word[-1] + 1 + margin)
        rows = np.flatnonzero(ink[:, left:right].any(axis=1))
        boxes.append((max(0, rows[0] - margin), min(height, rows[-1] + 1 + margin), left, right))
    return boxes


def _blurred(gray: np.ndarray, radius: float) -> np.ndarray:
    return np.asarray(Image.fromarray(gray).filter(ImageFilter.GaussianBlur(radius)), np.float32)


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.rint(values).clip(0, 255).astype(np.uint8)
