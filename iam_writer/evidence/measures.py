"""How good likelihood ratios are, and how scores become likelihood ratios. No TensorFlow.

All ratios are natural logarithms, in arrays float64 `[pairs]`; `same` is bool `[pairs]`, whether one hand wrote a pair.
"""

import dataclasses
from typing import TypedDict

import numpy as np

from iam_writer.recognition.scoring import wilson

MISLEADING = np.log(100)
"""A ratio beyond this that is on the wrong side is counted by itself."""

STEP = 0.01
"""`supported` finds bounds to this part of a power of ten."""


def cllr(log_ratios: np.ndarray, same: np.ndarray) -> float:
    """The cost of likelihood ratios: 0 is perfect, and 1 is no better than to say nothing.

    N. Brümmer and J. du Preez, "Application-independent evaluation of speaker detection", Computer Speech and Language 20,
    2006.
    """
    of_one, of_two = log_ratios[same], log_ratios[~same]
    costs = np.logaddexp(0, -of_one).mean(), np.logaddexp(0, of_two).mean()
    return float(np.mean(costs) / np.log(2))


def pav(log_ratios: np.ndarray, same: np.ndarray) -> np.ndarray:
    """The best ratios that keep the order of these: pool adjacent violators.

    Both kinds of pairs have the same total weight. A ratio is infinite where one kind alone lies beyond a place.

    Returns:
      float64 `[pairs]`.
    """
    values, place = np.unique(log_ratios, return_inverse=True)
    weight = np.where(same, 0.5 / max(1, same.sum()), 0.5 / max(1, (~same).sum()))
    of_one = np.bincount(place, weight * same, len(values))
    total = np.bincount(place, weight, len(values))
    blocks: list[
        tuple[float, float, int]
    ] = []  # Weight of pairs by one hand, weight of all, number of values.
    for one, both in zip(of_one.tolist(), total.tolist(), strict=True):
        number = 1
        while blocks and blocks[-1][0] * both >= one * blocks[-1][1]:
            before = blocks.pop()
            one, both, number = one + before[0], both + before[1], number + before[2]
        blocks.append((one, both, number))
    share = np.repeat([one / both for one, both, _ in blocks], [number for _, _, number in blocks])
    # A sum of weights can miss 0 or 1 by a rounding error.
    share = np.where(share > 1 - 1e-12, 1, np.where(share < 1e-12, 0, share))
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(share) - np.log1p(-share))[place]


def cllr_min(log_ratios: np.ndarray, same: np.ndarray) -> float:
    """The cost that is left when the ratios are replaced by `pav`: how well the order tells one hand from two."""
    return cllr(pav(log_ratios, same), same)


def equal_error(log_ratios: np.ndarray, same: np.ndarray) -> float:
    """The share of wrong answers at the border where both kinds of errors are as frequent."""
    borders = np.unique(log_ratios)
    missed = np.searchsorted(np.sort(log_ratios[same]), borders) / max(1, same.sum())
    taken = 1 - np.searchsorted(np.sort(log_ratios[~same]), borders) / max(1, (~same).sum())
    nearest = int(np.argmin(np.abs(missed - taken)))
    return float((missed[nearest] + taken[nearest]) / 2)


def fit_logistic(
    inputs: np.ndarray, same: np.ndarray, prior: np.ndarray | None = None, ridge: float = 1e-4
) -> np.ndarray:
    """Fits weights with which the inputs give the log-odds of `same`.

    Both outcomes have the same total weight, whatever the number of their pairs.

    Args:
      inputs: float64 `[pairs, n]`.
      same: bool `[pairs]`.
      prior: float64 `[n]`, weights to stay near; by default zeros.
      ridge: how strongly. A little keeps the weights finite where the two outcomes do not overlap.

    Returns:
      float64 `[n]`.
    """
    weight = np.where(same, 0.5 / max(1, same.sum()), 0.5 / max(1, (~same).sum()))
    start = np.zeros(inputs.shape[1]) if prior is None else prior
    solution = start.copy()
    for _ in range(100):  # Newton's method.
        p = 1 / (1 + np.exp(-np.clip(inputs @ solution, -50, 50)))
        gradient = inputs.T @ (weight * (same - p)) - ridge * (solution - start)
        curvature = (inputs * (weight * p * (1 - p))[:, None]).T @ inputs + ridge * np.eye(len(start))
        step = np.linalg.solve(curvature, gradient)
        solution = solution + step / max(1, np.abs(inputs @ step).max() / 10)  # A longer step may overshoot.
        if np.abs(step).max() < 1e-9:
            break
    return solution


class ShareJson(TypedDict):
    """A `Share` in a JSON file."""

    hits: int
    number: int
    share: float
    low: float
    high: float


class QualityJson(TypedDict):
    """A `Quality` in a JSON file."""

    cllr: float
    cllr_min: float
    equal_error: float
    false_match: ShareJson
    false_non_match: ShareJson
    misleading_one: ShareJson
    misleading_two: ShareJson
    at_bound: ShareJson
    supported_log10: list[float]


def supported(log_ratios: np.ndarray, same: np.ndarray) -> tuple[float, float]:
    """The smallest and the largest ratio that so many pairs support: the empirical lower and upper bounds.

    A misleading pair of either kind is added to the pairs, as strong as it can be. A ratio is supported as long as whoever decides
    by it still fares no worse than one who has no ratios.

    P. Vergeer, A. van Es, A. de Jongh, I. Alberink and R. Stoel, "Numerical likelihood ratios outputted by LR systems are often
    based on extrapolation: when to stop extrapolating?", Science and Justice 56, 2016.

    Returns:
      Natural logarithms, the first 0 or less, the second 0 or more.
    """
    log10 = log_ratios / np.log(10)
    one, two = np.sort(log10[same]), np.sort(log10[~same])
    low = min(0.0, max(float(log10.min()), -np.log10(len(one) + 1)))
    high = max(0.0, min(float(log10.max()), np.log10(len(two) + 1)))
    borders = STEP * np.arange(np.floor(low / STEP), np.floor(high / STEP) + 2)
    missed = (np.searchsorted(one, borders, "right") + 1) / (len(one) + 1)
    taken = (len(two) - np.searchsorted(two, borders, "right") + 1) / (len(two) + 1)
    worse = missed + 10**borders * taken > np.minimum(10**borders, 1)
    below, above = borders[worse & (borders <= 0)], borders[worse & (borders >= 0)]
    lower = min(0.0, float(np.max(below + STEP, initial=borders[0])))
    upper = max(0.0, float(np.min(above - STEP, initial=borders[-1])))
    return lower * float(np.log(10)), upper * float(np.log(10))


@dataclasses.dataclass(frozen=True)
class Share:
    """A share with its 95 % interval (Wilson's score, as if pairs were independent).

    Attributes:
      hits: of
      number: pairs.
    """

    hits: int
    number: int

    @property
    def value(self) -> float:
        return self.hits / max(1, self.number)

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.hits, self.number) if self.number else (0.0, 1.0)

    def as_json(self) -> ShareJson:
        low, high = self.interval
        return {"hits": self.hits, "number": self.number, "share": self.value, "low": low, "high": high}

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.2%} ({self.hits:,} of {self.number:,}; {100 * low:.2f} to {high:.2%})"


@dataclasses.dataclass(frozen=True)
class Quality:
    """How good the ratios of many pairs are.

    Attributes:
      cllr: see `cllr`.
      cllr_min: see `cllr_min`.
      equal_error: see `equal_error`.
      false_match: pairs by two hands with a ratio above 1.
      false_non_match: pairs by one hand with a ratio of 1 or less.
      misleading_one: pairs by two hands with a ratio above 100.
      misleading_two: pairs by one hand with a ratio below 1/100.
      at_bound: pairs whose ratio would be larger or smaller than the bounds allow.
      supported: see `supported`; of the ratios without a bound.
    """

    cllr: float
    cllr_min: float
    equal_error: float
    false_match: Share
    false_non_match: Share
    misleading_one: Share
    misleading_two: Share
    at_bound: Share
    supported: tuple[float, float]

    def as_json(self) -> QualityJson:
        return {
            "cllr": self.cllr,
            "cllr_min": self.cllr_min,
            "equal_error": self.equal_error,
            "false_match": self.false_match.as_json(),
            "false_non_match": self.false_non_match.as_json(),
            "misleading_one": self.misleading_one.as_json(),
            "misleading_two": self.misleading_two.as_json(),
            "at_bound": self.at_bound.as_json(),
            "supported_log10": [float(bound / np.log(10)) for bound in self.supported],
        }


def quality(unbounded: np.ndarray, same: np.ndarray, bound: float | np.ndarray) -> Quality:
    """Measures ratios.

    Args:
      unbounded: natural logarithms of ratios.
      same: whether one hand wrote a pair. Both kinds of pairs must occur.
      bound: the largest natural logarithm that the program says, or float64 `[pairs]`.
    """
    ratios = np.clip(unbounded, -bound, bound)
    one, two = ratios[same], ratios[~same]

    def share(which: np.ndarray) -> Share:
        return Share(int(which.sum()), len(which))

    return Quality(
        cllr(ratios, same),
        cllr_min(ratios, same),
        equal_error(ratios, same),
        share(two > 0),
        share(one <= 0),
        share(two > MISLEADING),
        share(one < -MISLEADING),
        share(np.abs(unbounded) > bound),
        supported(unbounded, same),
    )
