"""Pages whose text lines are known. They are glued from images of lines, and made to look like bad scans.

Does not import TensorFlow.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from iam_writer.handwriting.pages import Page
from iam_writer.handwriting.upright import turning

MARGIN = 150
"""Pixels of paper around the lines of a page."""

GAP = 20
"""Pixels of paper between two lines."""

_MOST = 0.7
"""A line is found if it has so much of its own ink, and if of the ink on it so much is its own."""


def glue(lines: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Puts lines one below the other on paper of the same gray as theirs, without resizing them.

    Args:
      lines: a uint8 `[height, width]` for each line, from top to bottom.

    Returns:
      The page, uint8 `[height, width]`; and for each pixel of ink the number of its text line, from 1, uint16 of the same
      shape.
    """
    height = sum(len(line) + GAP for line in lines) - GAP + 2 * MARGIN
    width = max(line.shape[1] for line in lines) + 2 * MARGIN
    paper = np.median(np.concatenate([line.ravel() for line in lines]))
    page = np.full((height, width), paper, np.uint8)
    number_of = np.zeros(page.shape, np.uint16)
    top = MARGIN
    for number, line in enumerate(lines, 1):
        place = np.s_[top : top + line.shape[0], MARGIN : MARGIN + line.shape[1]]
        page[place] = line
        number_of[place][line < 128] = number
        top += len(line) + GAP
    return page, number_of


def worsen(
    page: np.ndarray,
    number_of: np.ndarray,
    *,
    ruled: bool = False,
    shadow: bool = False,
    noise: float = 0,
    skew: float = 0,
    upside_down: bool = False,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Makes a clean page look like a bad scan. A rotation also rotates `number_of`.

    Args:
      page: the page that `glue` returns.
      number_of: the line numbers that `glue` returns.
      ruled: whether the paper has printed rules to write on.
      shadow: whether one side of the page is half as bright as the other.
      noise: standard deviation of the sensor's noise, in grays. With noise, ink is not quite black and paper is not quite
        white.
      skew: rotation of the page in degrees, clockwise.
      upside_down: whether the page lies upside down on the scanner.
      seed: seed of the noise.

    Returns:
      The page and the line numbers, as `glue` does.
    """
    page = page.astype(np.float32)
    height, width = page.shape
    if ruled:
        for y in range(60, height, 95):
            page[y : y + 3] = np.minimum(page[y : y + 3], 110)
    if skew:
        matrix = turning(page.shape, skew)
        page = cv2.warpAffine(page, matrix, (width, height), borderValue=float(page[0, 0]))
        number_of = cv2.warpAffine(number_of, matrix, (width, height), flags=cv2.INTER_NEAREST)
    if shadow:
        page = (
            page * np.linspace(0.5, 1, width, dtype=np.float32)[None] * np.linspace(1, 0.8, height)[:, None]
        )
    if upside_down:
        page, number_of = page[::-1, ::-1], np.ascontiguousarray(number_of[::-1, ::-1])
    if noise:
        page = 30 + page * 0.8 + np.random.default_rng(seed).normal(0, noise, page.shape)
    return np.clip(page, 0, 255).astype(np.uint8), number_of


def found(page: Page, number_of: np.ndarray) -> int:
    """How many of the true lines are found.

    A true line counts as found if one line that `pages` gives has most of its ink, and little ink of others. Each given line
    counts for one true line only.

    Args:
      page: what `pages` found.
      number_of: see `glue`.
    """
    return len(matches(page, number_of))


def matches(page: Page, number_of: np.ndarray) -> dict[int, int]:
    """Which line that `pages` gives is which true line, see `found`: number of the true line → place in `page.lines`."""
    true = cv2.warpPerspective(number_of, page.matrix, page.gray.shape[::-1], flags=cv2.INTER_NEAREST)
    total = np.bincount(number_of.ravel(), minlength=number_of.max() + 1).astype(float)
    # The page may have been scaled.
    total *= (true > 0).sum() / max(1, (number_of > 0).sum())
    shares = {}
    for place, line in enumerate(page.lines):
        left, top, width, height = line.box
        # Resampling moves strokes by a pixel.
        own = cv2.dilate((line.image < 160).astype(np.uint8), np.ones((3, 3), np.uint8)) == 1
        inside = np.bincount(true[top : top + height, left : left + width][own], minlength=len(total))[
            : len(total)
        ]
        if inside[1:].any():
            number = int(inside[1:].argmax()) + 1
            share = min(inside[number] / max(1.0, total[number]), inside[number] / inside[1:].sum())
            if share >= _MOST:
                shares[place] = (share, number)
    best: dict[int, int] = {}
    for place, (_, number) in sorted(shares.items(), key=lambda item: -item[1][0]):
        best.setdefault(number, place)
    return best
