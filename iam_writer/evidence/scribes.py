"""How many hands wrote some pages, and which page is whose. No TensorFlow."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from iam_writer.evidence import changes, clustering
from iam_writer.evidence.ratio import LEAST
from iam_writer.recognition import reference
from iam_writer.recognition.described import DescribedPage
from iam_writer.recognition.reference import Reference
from pipelines.system.progress import progress_bar

RESAMPLES: Final = 20
"""Lines are drawn anew so often, to see how certain the groups are."""

NEIGHBOURS: Final = 6
"""So many of the nearest regions are listed for each."""


@dataclasses.dataclass(frozen=True)
class Region:
    """Lines of a page that one hand wrote: the whole page, if its hand does not change.

    Attributes:
      page: place of the page in the list of pages.
      lines: which lines, from 0.
      hand: number of the hand, from 0, in the order in which hands first occur.
      certainty: how often the region stays with its hand when lines are drawn anew: the mean share of resamples in which it
        is together with the others of its hand, or the share in which it is apart from the nearest other hand, whichever is
        smaller.
      little: whether there is too little writing for `verify`.
    """

    page: int
    lines: range
    hand: int
    certainty: float
    little: bool


@dataclasses.dataclass(frozen=True)
class Scribes:
    """What `find` found.

    Attributes:
      regions: in the order of pages and lines.
      hands: how many hands.
      interval: the smallest and the largest number of hands of the middle 95 % of resamples.
      log10_odds: float64 `[n, n]`, of all pairs of regions, without a bound.
      steps: see `clustering.tree`; log odds are log10.
      border: log10 of the odds from which regions are joined.
    """

    regions: tuple[Region, ...]
    hands: int
    interval: tuple[int, int]
    log10_odds: np.ndarray
    steps: np.ndarray
    border: float

    def nearest(self, region: int) -> list[tuple[int, float]]:
        """The nearest other regions, each with log10 of the odds."""
        odds = self.log10_odds[region].copy()
        odds[region] = -np.inf
        order = np.argsort(-odds, kind="stable")[: min(NEIGHBOURS, len(odds) - 1)]
        return [(int(other), float(odds[other])) for other in order]


def find(
    pages: Sequence[DescribedPage], wheel: Reference, false_merges: float, false_changes: float, seed: int = 0
) -> Scribes:
    """Divides pages where their hand changes, and groups the parts by hand.

    Args:
      pages: with lines.
      wheel: what invented writers have taught.
      false_merges: see `clustering.border`.
      false_changes: see `changes.parts`.
      seed: of the resamples.
    """
    places = [
        (number, lines)
        for number, page in enumerate(pages)
        for lines in changes.parts(page.of_lines, wheel, false_changes)
    ]
    of_lines = [pages[page].of_lines[lines.start : lines.stop] for page, lines in places]
    whole = {page for page, lines in places if len(lines) == len(pages[page].of_lines)}
    samples = np.stack(
        [
            pages[page].counts if page in whole else changes.halves(counts)
            for (page, _), counts in zip(places, of_lines, strict=True)
        ]
    )
    odds = wheel.alone().unbounded(samples, samples)
    steps = clustering.tree(odds)
    border = clustering.border(steps, false_merges)
    groups = clustering.cut(steps, border)

    random = np.random.default_rng(seed)
    numbers, together = [], np.zeros(odds.shape)
    for _ in progress_bar(range(RESAMPLES), desc="Certainty", unit=" resamples", leave=False):
        drawn = np.stack(
            [_drawn(counts, sample, random) for counts, sample in zip(of_lines, samples, strict=True)]
        )
        again = clustering.tree(wheel.alone().unbounded(drawn, drawn))
        found = clustering.cut(again, clustering.border(again, false_merges))
        numbers.append(found.max() + 1)
        together += found[:, None] == found[None]
    low, high = np.percentile(numbers, [2.5, 97.5], method="nearest")
    steps = steps.copy()
    steps[:, 2] /= math.log(10)
    amounts = reference.amount(samples)
    return Scribes(
        tuple(
            Region(
                page,
                lines,
                int(groups[i]),
                _certainty(groups, together / RESAMPLES, i),
                bool(amounts[i] < LEAST),
            )
            for i, (page, lines) in enumerate(places)
        ),
        int(groups.max()) + 1,
        (int(min(low, groups.max() + 1)), int(max(high, groups.max() + 1))),
        odds / math.log(10),
        steps,
        border / math.log(10),
    )


def _drawn(of_lines: np.ndarray, sample: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Lines of each half drawn with replacement. A line never comes into both halves, which would make them alike."""
    if len(of_lines) < 2:
        return sample
    halves = [of_lines[0::2], of_lines[1::2]]
    return np.stack(
        [half[random.integers(0, len(half), len(half))].sum(axis=0, dtype=np.int64) for half in halves]
    )


def _certainty(groups: np.ndarray, together: np.ndarray, region: int) -> float:
    same = groups == groups[region]
    same[region] = False
    other = groups != groups[region]
    kept = together[region, same].mean() if same.any() else 1.0
    apart = 1 - together[region, other].max() if other.any() else 1.0
    return float(min(kept, apart))
