"""How sure to be: from what windows say to honest probabilities, and when to say "nobody I know". Pure functions.

The mean softmax of many windows is too low: if fifty windows each say 50 %, together they are surer than one window.
So the mean is sharpened by a temperature that falls with the amount of writing, `T = exp(a + b log amount)`, both numbers fitted on
validation lines, forms, and pieces of forms between them (temperature scaling: Guo et al. 2017, arXiv 1706.04599).
The amount is counted in window widths of text, whatever the stride of the scan.
"""

import dataclasses
import io
import itertools

import numpy as np

from iam_writer.recognition.rule import PROBABILITIES
from pipelines.system.arrays import load_arrays

FALSE_REJECTION = 0.05
"""The share of known hands that the threshold may reject as unknown."""

PRIOR_MEAN, PRIOR_SPREAD = np.array([0.0, -0.25]), np.array([1.0, 0.5])
"""What is believed of a and b before validation forms are seen: their mean and standard deviation.

The prior counts as much as a few forms, so it decides if there are few, and hardly matters if there are many.
"""


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What validation has taught about a network's answers. All arrays, so that one npz file holds it.

    Attributes:
      temperature: float `[2]`, a and b above.
      amounts: float `[k]` ascending, amounts of writing.
      thresholds: float `[k]`, at each amount, the likeness below which FALSE_REJECTION of the known hands lie.
      lines: int scalar, how many validation lines all this was fitted on.
      forms: int scalar, how many forms they lie on.
      mean: float `[embedding]`, of the training lines.
      projection: float `[embedding, dimensions]`, along which writers differ more than the lines of one writer do.
      hands: float `[classes, dimensions]`, the mean training form of each writer, as `embed` gives it.
      pair: float `[2]`, slope and offset of the log-odds that two forms are by one hand, given their cosine.
      pair_threshold: float scalar, the log-odds above which two forms are said to be by one hand.
      pair_errors: float `[2]`, false match and false non-match at that threshold.
      pairs: int `[2]`, how many pairs by one hand, and by two hands, those errors were measured on.
      form_amount: float scalar, the median amount of writing of these forms.
      combine: str scalar, what the answer rule averaged when all this was fitted, see `rule.Rule`. Calibrations of
        version 0.1 do not say it; it was always 'probabilities'.
    """

    temperature: np.ndarray
    amounts: np.ndarray
    thresholds: np.ndarray
    lines: np.ndarray
    forms: np.ndarray
    mean: np.ndarray
    projection: np.ndarray
    hands: np.ndarray
    pair: np.ndarray
    pair_threshold: np.ndarray
    pair_errors: np.ndarray
    pairs: np.ndarray
    form_amount: np.ndarray
    combine: np.ndarray = dataclasses.field(default_factory=lambda: np.array(PROBABILITIES))

    def probabilities(self, pooled: np.ndarray, amounts: np.ndarray) -> np.ndarray:
        """Calibrated float `[n, classes]` of mean softmaxes `[n, classes]` over amounts `[n]` of writing.

        No answer is surer than `surest` says.
        """
        sharp = sharpened(pooled, temperatures(self.temperature, amounts))
        even = 1 / pooled.shape[1]
        share = (surest(int(self.forms)) - even) / (1 - even)
        return share * sharp + (1 - share) * even

    def threshold(self, amount: float) -> float:
        """The likeness below which a page with this amount of writing counts as by an unknown hand."""
        return float(np.interp(np.log(amount), np.log(self.amounts), self.thresholds))

    def same_hand(self, cosine: np.ndarray) -> np.ndarray:
        """The log-odds that two forms with this cosine are by one hand, if half of all pairs were by one hand."""
        return self.pair[0] * cosine + self.pair[1]

    def embed(self, embedding: np.ndarray) -> np.ndarray:
        """Mean embeddings `[n, embedding]` → unit vectors `[n, dimensions]`, to be compared by cosine."""
        return unit((unit(embedding) - self.mean) @ self.projection)

    def likeness(self, embeddings: np.ndarray, writers: np.ndarray) -> np.ndarray:
        """Compares mean embeddings `[n, embedding]` with the hands of the writers `[n]` that the network names for them.

        Pages by one writer whom the network was trained on lie close together. The network also names one of these writers
        for a page by a stranger, but that page lies farther away. So the distance separates known writers from strangers far
        better than the probability of the name does.

        Returns:
          float `[n]`, cosines.
        """
        return (self.embed(embeddings) * self.hands[writers]).sum(axis=1)

    def to_bytes(self) -> bytes:
        file = io.BytesIO()
        np.savez_compressed(file, **dataclasses.asdict(self))
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Calibration":
        """Raises ValueError if another version wrote it."""
        try:
            found = cls(**load_arrays(data))
            for name, array in dataclasses.asdict(found).items():
                if name != "combine" and array.dtype.kind not in "biuf":
                    raise ValueError(f"{name} is damaged")
            return found
        except (TypeError, ValueError) as error:
            raise ValueError(f"Another version of iam_writer wrote the calibration: {error}") from error


def surest(forms: int) -> float:
    """The highest probability that a number of validation forms supports: six forms 7/8, sixty forms 61/62.

    If all of n forms were named rightly, the next one is named rightly with probability (n + 1) / (n + 2), by Laplace's
    rule of succession.
    """
    return (forms + 1) / (forms + 2)


def temperatures(temperature: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """`exp(a + b log amount)`: a and b, float `[2]`, and amounts of writing, float `[n]` → float `[n]`."""
    return np.asarray(np.exp(temperature @ _features(amounts)))


def _features(amounts: np.ndarray) -> np.ndarray:
    return np.stack([np.ones(len(amounts)), np.log(amounts)])


def sharpened(pooled: np.ndarray, temperature: np.ndarray) -> np.ndarray:
    """Probabilities `[n, classes]` to the power of 1 / temperature `[n]`, each row summing to one again."""
    logs = np.log(np.maximum(pooled, 1e-12)) / temperature[:, None]
    exponentials = np.exp(logs - logs.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def fit_temperature(pooled: np.ndarray, amounts: np.ndarray, labels: np.ndarray, forms: int) -> np.ndarray:
    """The likeliest a and b, found on a grid that is refined three times.

    Args:
      pooled: float `[n, classes]`, mean softmaxes.
      amounts: float `[n]`, of writing.
      labels: int `[n]`, the truth.
      forms: how many forms all this writing lies on. Pieces of one form are not independent, so the evidence counts as
        that of so many forms, against the prior.

    Returns:
      float `[2]`.
    """
    features = _features(amounts)

    def loss(candidate: np.ndarray) -> float:
        right = sharpened(pooled, np.exp(candidate @ features))[np.arange(len(labels)), labels]
        cross_entropy = -np.log(np.maximum(right, 1e-12)).mean()
        return float(forms * cross_entropy + 0.5 * (((candidate - PRIOR_MEAN) / PRIOR_SPREAD) ** 2).sum())

    best, span = PRIOR_MEAN, np.array([2.0, 0.75])
    for _ in range(4):
        steps = np.linspace(-1, 1, 9)
        best = min((best + span * step for step in itertools.product(steps, steps)), key=loss)
        span = span / 4
    return best


def pieces_of_forms(forms: np.ndarray, sizes: tuple[int, ...] = (1, 2, 4)) -> list[list[np.ndarray]]:
    """Groups lines of one form, as if somebody showed a part of a page.

    Args:
      forms: `[lines]` names.
      sizes: how many lines make a piece.

    Returns:
      For each size, and last for whole forms: the line numbers of each piece. Lines that are left over are in no piece.
    """
    of_form = [np.nonzero(forms == form)[0] for form in np.unique(forms)]
    cut = [
        [lines[i : i + size] for lines in of_form for i in range(0, len(lines) - size + 1, size)]
        for size in sizes
    ]
    return [*cut, of_form]


def fit_thresholds(
    scores: list[np.ndarray], amounts: list[np.ndarray], rejection: float = FALSE_REJECTION
) -> tuple[np.ndarray, np.ndarray]:
    """For each size of piece: the score below which a given share of the known hands lies.

    Args:
      scores: for each size, float `[pieces]`.
      amounts: for each size, float `[pieces]`, of writing.
      rejection: the share.

    Returns:
      Ascending median amounts float `[sizes]`, and thresholds float `[sizes]`.
    """
    rows = sorted(
        (float(np.median(amount)), float(np.quantile(score, rejection)))
        for score, amount in zip(scores, amounts, strict=True)
        if len(score)
    )
    return np.array([amount for amount, _ in rows]), np.array([threshold for _, threshold in rows])


def calibration_error(probability: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error: the mean difference between how sure answers are and how often they are right.

    Args:
      probability: float `[n]` of the first answer.
      right: bool `[n]`.
      bins: of equal width.
    """
    return sum(share * abs(sure - hits) for share, sure, hits in reliability(probability, right, bins))


def reliability(
    probability: np.ndarray, right: np.ndarray, bins: int = 10
) -> list[tuple[float, float, float]]:
    """For each bin that has answers: its share of all, their mean probability, and how many of them are right."""
    number = np.minimum((probability * bins).astype(int), bins - 1)
    return [
        (float(mask.mean()), float(probability[mask].mean()), float(right[mask].mean()))
        for mask in (number == i for i in range(bins))
        if mask.any()
    ]


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of length one; a row of zeros stays one."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def fit_projection(
    embeddings: np.ndarray, labels: np.ndarray, shrinkage: float = 0.1
) -> tuple[np.ndarray, np.ndarray]:
    """Linear discriminant analysis: directions in which writers differ, divided by the spread of one writer's lines.

    Args:
      embeddings: float `[lines, embedding]`, of unit length.
      labels: int `[lines]`.
      shrinkage: how far the scatter is moved towards one that is the same in all directions, because there are few lines.

    Returns:
      float `[embedding]`, the mean; float `[embedding, dimensions]`, at most one dimension a writer.
    """
    mean = embeddings.mean(axis=0)
    classes, number = np.unique(labels, return_inverse=True)
    means = np.stack([embeddings[number == i].mean(axis=0) for i in range(len(classes))])
    within = np.cov((embeddings - means[number]).T)
    size = len(within)
    within = (1 - shrinkage) * within + shrinkage * np.trace(within) / size * np.eye(size)
    values, vectors = np.linalg.eigh(within)
    whitening = vectors / np.sqrt(np.maximum(values, 1e-12))
    _, _, directions = np.linalg.svd((means - mean) @ whitening, full_matrices=False)
    return mean, whitening @ directions[: len(classes) - 1].T


def fit_logistic(scores: np.ndarray, same: np.ndarray) -> np.ndarray:
    """Slope and offset of the log-odds of `same`. Both outcomes have the same weight, however many pairs each has.

    Args:
      scores: float `[pairs]`.
      same: bool `[pairs]`.

    Returns:
      float `[2]`.
    """
    inputs = np.stack([scores, np.ones(len(scores))], axis=1)
    weight = np.where(same, 0.5 / max(1, same.sum()), 0.5 / max(1, (~same).sum()))
    solution = np.zeros(2)
    for _ in range(
        50
    ):  # Newton's method; the small ridge keeps it finite where the two sides do not overlap.
        p = 1 / (1 + np.exp(-inputs @ solution))
        gradient = inputs.T @ (weight * (same - p)) - 1e-4 * solution
        curvature = (inputs * (weight * p * (1 - p))[:, None]).T @ inputs + 1e-4 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        solution = solution + step
        if np.abs(step).max() < 1e-9:
            break
    return solution


def equal_error(scores: np.ndarray, same: np.ndarray) -> tuple[float, float, float]:
    """Finds the threshold at which false matches are as frequent as false non-matches.

    Args:
      scores: float `[pairs]`.
      same: bool `[pairs]`; both kinds must occur.

    Returns:
      The threshold (scores from it on count as one hand), the share of false matches, and the share of false non-matches.
    """
    order = np.argsort(scores)
    ascending = same[order]
    # Thresholds between neighbouring scores: below the i-th of them are i pairs.
    missed = np.concatenate([[0], np.cumsum(ascending)]) / ascending.sum()
    matched = 1 - np.concatenate([[0], np.cumsum(~ascending)]) / (~ascending).sum()
    at = int(np.abs(missed - matched).argmin())
    below = scores[order[at - 1]] if at else scores[order[0]] - 1
    above = scores[order[at]] if at < len(scores) else scores[order[-1]] + 1
    return float((below + above) / 2), float(matched[at]), float(missed[at])
