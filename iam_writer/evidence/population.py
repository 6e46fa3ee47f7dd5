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
    """With a whitening that knows how pages of one writer differ here, and odds that fit the pairs of these pages.

    The odds are log odds a + b × the log odds before. Two numbers are fitted, so a small population suffices. The wheel's way in
    which odds depend on the amount of writing is kept. The pairs are those of each half of the writers, by a whitening that has
    not seen them: pairs that it has learnt from would look too much alike.
    """
    _, labels = np.unique(writers, return_inverse=True)
    vectors = descriptor.features(counts.sum(axis=1))

    def adapted(chosen: np.ndarray) -> Comparer:
        whitening = comparer.whitening.adapted(vectors[chosen], labels[chosen], SHRINKAGE)
        return dataclasses.replace(comparer, whitening=whitening)

    # Those who wrote two pages or more are divided equally.
    order = np.argsort(np.bincount(labels) < 2, kind="stable")
    is_even = (np.argsort(order) % 2 == 0)[labels]
    before, same = [], []
    for half in (is_even, ~is_even):
        log_odds = _among_each_other(adapted(~half), counts[half], labels[half], labels)
        first, second = np.triu_indices(len(log_odds), 1)
        before.append(log_odds[first, second])
        same.append(labels[half][first] == labels[half][second])
    return _fitted(adapted(labels >= 0), np.concatenate(before), np.concatenate(same), counts, labels)


def _among_each_other(
    comparer: Comparer, counts: np.ndarray, labels: np.ndarray, of_cohort: np.ndarray
) -> np.ndarray:
    """Log odds of pages with each other, float64 `[n, n]`. Pages of the cohort by the same writer are left out of it."""
    if comparer.cohort is None:
        return comparer.unbounded(counts, counts)
    return np.asarray(comparer.among_inputs(counts, counts, labels[:, None] == of_cohort) @ comparer.odds)


def _fitted(
    comparer: Comparer, before: np.ndarray, same: np.ndarray, counts: np.ndarray, labels: np.ndarray
) -> Comparer:
    """The comparer with odds that fit pairs.

    Args:
      comparer: before.
      before: float64 `[pairs]`, the log odds of some pairs.
      same: bool `[pairs]`, whether one hand wrote them.
      counts: int64 `[n, 2, SIZE]`, of all pages.
      labels: int `[n]`, their writers.
    """
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
