"""Whose pages tell how alike two hands are: invented writers, or pages of a collection. No TensorFlow."""

import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np

from iam_writer.evidence.measures import fit_logistic
from iam_writer.recognition import descriptor, reference
from iam_writer.recognition.reference import Comparer, Reference

FEWEST: Final = 20
"""Writers (or pages, if their writers are not known) that a population needs."""

FEWEST_TWICE: Final = 10
"""Writers with two pages or more that a population needs to be calibrated by its own pairs."""

PAGES_OF_ONE: Final = 5
"""Pages of one writer that count; more would make the population that writer's."""

ANCHORS: Final = {
    "both": "each page of the pair with pages by other people",
    "questioned": "the questioned page with pages by other people",
    "known": "the known pages with pages by other people",
    "random": "pages by two people of the population, whoever they are",
}
"""How pairs by two writers are drawn, and in words which pairs these are."""

STIFFNESS: Final = 1.0
"""How strongly the calibration by a population's pairs is held to the calibration by invented writers. 80 pairs by one hand that all
have larger ratios than the pairs by two hands would support any slope."""

SHRINKAGE: Final = 0.5
"""How much of the spread of one writer's pages is taken to be the same in all directions."""


@dataclasses.dataclass(frozen=True)
class Population:
    """A calibrated population.

    Attributes:
      comparer: gives the ratios.
      about: a sentence: whose pages, and how pairs by two writers are drawn.
      writers: how many writers; of unlabelled pages, how many pages.
    """

    comparer: Comparer
    about: str
    writers: int


def of_wheel(known: Reference) -> Population:
    """Invented writers alone. For pages of which no others of the collection are at hand."""
    return Population(
        known.alone(),
        f"The {known.writers} invented writers of the package. Pairs by two writers are all pairs of their pages, in invented "
        "collections whose pages have little or much in common.",
        known.writers,
    )


def of_pages(
    known: Reference, counts: np.ndarray, writers: Sequence[str] | None, anchors: str = "both"
) -> Population:
    """Pages of the same collection, or at least of the same kind, by people who did not write the pages in question.

    Args:
      known: what invented writers have taught.
      counts: int64 `[n, 2, SIZE]`, of each page.
      writers: who wrote each page; None if that is not known.
      anchors: one of ANCHORS.
    """
    if writers is not None:
        chosen = _few_of_each(writers)
        counts, writers = counts[chosen], [writers[i] for i in chosen]
    among = known.among(counts)
    side = {"questioned": "left", "known": "right"}.get(anchors, "both")
    comparer = dataclasses.replace(among, anchors=side)
    if anchors == "random":
        comparer = dataclasses.replace(
            known.alone(), whitening=among.whitening, errors=among.errors, spread=among.spread
        )
    drawn = f"Pairs by two writers: {ANCHORS[anchors]}."
    if writers is None:
        about = f"{len(counts)} pages whose writers are not told; calibrated on invented writers. {drawn}"
        return Population(comparer, about, len(counts))
    number = len(set(writers))
    twice = sum(writers.count(writer) > 1 for writer in set(writers))
    if twice < FEWEST_TWICE:
        about = (
            f"{len(counts)} pages by {number} writers. Fewer than {FEWEST_TWICE} wrote two pages or more, so the calibration "
            f"is that of invented writers. {drawn}"
        )
        return Population(comparer, about, number)
    about = f"{len(counts)} pages by {number} writers; calibrated on their pairs. {drawn}"
    vectors = descriptor.features(counts.sum(axis=1))
    whitening = comparer.whitening.adapted(vectors, np.array(writers), SHRINKAGE)
    comparer = dataclasses.replace(comparer, whitening=whitening)
    return Population(_calibrated(comparer, counts, writers), about, number)


def _few_of_each(writers: Sequence[str]) -> list[int]:
    """Places of at most PAGES_OF_ONE pages of each writer."""
    seen: dict[str, int] = {}
    chosen = []
    for place, writer in enumerate(writers):
        seen[writer] = seen.get(writer, 0) + 1
        if seen[writer] <= PAGES_OF_ONE:
            chosen.append(place)
    return chosen


def _calibrated(comparer: Comparer, counts: np.ndarray, writers: Sequence[str]) -> Comparer:
    """With odds that fit the pairs of these pages: log odds a + b × the log odds before.

    Two numbers are fitted, so a small population suffices. The wheel's way in which odds depend on the amount of writing
    is kept.
    """
    first, second = np.triu_indices(len(counts), 1)
    _, labels = np.unique(writers, return_inverse=True)
    same = labels[first] == labels[second]
    if comparer.cohort is None:
        every = comparer.unbounded(counts, counts)
    else:
        every = comparer.among_inputs(counts, counts, labels[:, None] == labels) @ comparer.odds
    before = every[first, second]
    inputs = np.stack([np.ones_like(before), before], axis=1)
    shift, slope = fit_logistic(
        inputs, same, prior=np.array([0.0, 1.0]), ridge=STIFFNESS / len(np.unique(labels))
    )
    odds = comparer.odds * slope
    odds[0] += shift
    after = shift + slope * before
    errors = (after[~same] > 0).mean(), (after[same] <= 0).mean()
    spread = [np.quantile(after[kind], reference.QUANTILES) for kind in (~same, same)]
    amount = float(np.median(reference.amount(counts)))
    return dataclasses.replace(
        comparer,
        odds=odds,
        amounts=np.array([amount]),
        errors=np.array([errors]),
        spread=np.array([spread]),
        writers=len(np.unique(labels)),
    )
