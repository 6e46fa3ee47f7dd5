"""Where the hand changes within a page. No TensorFlow."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from iam_writer.recognition.described import DescribedPage
from iam_writer.recognition.reference import Reference

FEWEST_LINES: Final = 2
"""Lines that a part of a page needs."""

SELDOM: Final = 0.05
"""The share of pages by one hand, roughly, of which `verify` and `identify` may say that they look like more hands."""


def parts(of_lines: np.ndarray, wheel: Reference, false_changes: float) -> list[range]:
    """Divides a page where its hand changes.

    Of all places between two lines the one is taken at which the lines above and below speak most strongly for two hands. It
    counts if the likelihood ratio there is at most `false_changes`: at any one place, such a ratio occurs for at most that share of
    the pages by one hand, if ratios are calibrated. The parts are divided in the same way.

    Args:
      of_lines: int `[lines, SIZE]`, counts of the lines, from top to bottom.
      wheel: what invented writers have taught.
      false_changes: share of pages by one hand that may be divided, roughly; above 0.

    Returns:
      Ranges of line numbers, from 0, that have one hand each.
    """
    number = len(of_lines)
    places = range(FEWEST_LINES, number - FEWEST_LINES + 1)
    if not places:
        return [range(number)]
    log_odds = two_hands(of_lines, places, wheel)
    best = int(np.argmin(log_odds))
    if log_odds[best] > math.log(false_changes):
        return [range(number)]
    place = places[best]
    above = parts(of_lines[:place], wheel, false_changes)
    below = parts(of_lines[place:], wheel, false_changes)
    return above + [range(place + part.start, place + part.stop) for part in below]


def divided(page: DescribedPage, wheel: Reference) -> list[tuple[str, DescribedPage]]:
    """The parts of a page that does not look like one hand's, each with a name such as 'lines 1-6'; none if it looks like one hand's."""
    found = parts(page.of_lines, wheel, SELDOM)
    if len(found) < 2:
        return []
    return [
        (
            f"lines {lines.start + 1}-{lines.stop}",
            dataclasses.replace(
                page,
                counts=halves(page.of_lines[lines.start : lines.stop]),
                lines=len(lines),
                of_lines=page.of_lines[lines.start : lines.stop],
                boxes=page.boxes[lines.start : lines.stop],
            ),
        )
        for lines in found
    ]


def two_hands(of_lines: np.ndarray, places: Sequence[int], wheel: Reference) -> np.ndarray:
    """Log odds of one hand for the lines above and below each place: float64 `[places]`."""
    above = np.stack([halves(of_lines[:place]) for place in places])
    below = np.stack([halves(of_lines[place:]) for place in places])
    return wheel.within(above, below)


def halves(of_lines: np.ndarray) -> np.ndarray:
    """int64 `[2, SIZE]`: counts of the first, third, fifth … line, and of the others."""
    lines = of_lines.astype(np.int64)
    return np.stack([lines[0::2].sum(axis=0), lines[1::2].sum(axis=0)])
