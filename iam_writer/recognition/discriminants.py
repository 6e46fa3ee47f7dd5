"""Linear discriminants of known writers, learnt from their lines as the hand descriptor counts them. No TensorFlow."""

import dataclasses
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from iam_writer.recognition import descriptor, scoring
from iam_writer.recognition.descriptor import principal_components, shrunk
from iam_writer.recognition.seen import Seen, of_lines_and_forms
from pipelines.system.arrays import load_arrays

COMPONENTS, SHRINKAGE = 600, 0.1
"""Settings of `learn`, chosen by the accuracy of validation lines of IAM.

Accuracies differ little for 400 to 800 components, and for a shrinkage of 0.03 to 0.4.
"""

TOGETHER = 256
"""So many pieces become vectors at a time, to bound the memory."""

LEAST_AMOUNT = 0.01
"""Lines of writing. A piece with less ink counts as if it had so much, since calibration takes the logarithm."""


@dataclasses.dataclass(frozen=True)
class Discriminants:
    """Linear discriminants of known writers, on the principal components of their lines.

    R. A. Fisher's discriminants for several classes, with a covariance that all writers share; shrunk after J. H.
    Friedman, "Regularized discriminant analysis", JASA 84, 1989.

    Attributes:
      mean: float32 `[dimensions]`, taken off first.
      projection: float32 `[dimensions, components]`, after which a writer's lines have spread 1 in all directions.
      means: float32 `[writers, components]`, the middle of each writer's lines; NaN for a writer without lines.
      temperature: scores are divided by it before they become probabilities.
      usual_fit: the median, over validation lines, of the highest score of a line.
    """

    mean: np.ndarray
    projection: np.ndarray
    means: np.ndarray
    temperature: float = 1.0
    usual_fit: float = -np.inf

    @classmethod
    def fit(
        cls, vectors: np.ndarray, labels: np.ndarray, writers: int, components: int, shrinkage: float
    ) -> "Discriminants":
        """Learns from labelled lines. All writers count as equally likely.

        Args:
          vectors: float `[n, dimensions]`, see `vectors`. Two neighbouring lines together, see `pairs`, are good
            additional ones.
          labels: int `[n]`, from 0 to `writers` - 1.
          writers: how many there are. One without lines is never named.
          components: principal components to keep before.
          shrinkage: from 0, the covariance as measured, to 1, the same spread in all directions.
        """
        mean, directions, _ = principal_components(vectors, components)
        inside = (vectors - mean) @ directions
        number = np.bincount(labels, minlength=writers)
        means = np.zeros((writers, inside.shape[1]))
        np.add.at(means, labels, inside)
        means /= np.maximum(number, 1)[:, None]
        apart = inside - means[labels]
        variances, axes = np.linalg.eigh(shrunk(apart.T @ apart / len(labels), shrinkage))
        whiten = axes / np.sqrt(np.maximum(variances, 1e-12))
        means = np.where(number[:, None] > 0, means @ whiten, np.nan)
        return cls(
            mean.astype(np.float32), (directions @ whiten).astype(np.float32), means.astype(np.float32)
        )

    def project(self, vectors: np.ndarray) -> np.ndarray:
        """float `[n, dimensions]` → float32 `[n, components]`: where the writing lies. Without ink it is zero."""
        return np.where(_inked(vectors)[:, None], (vectors - self.mean) @ self.projection, 0).astype(
            np.float32
        )

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """float `[n, dimensions]` → float32 `[n, writers]`: log likelihoods but for a constant; no temperature.

        Without ink all writers with lines are equally likely.
        """
        inside = self.project(vectors)
        distances = ((inside**2).sum(axis=1)[:, None] - 2 * inside @ self.means.T) + (self.means**2).sum(
            axis=1
        )
        distances[~_inked(vectors)] = 0 * self.means[:, 0]
        return np.nan_to_num(-0.5 * distances, nan=-np.inf).astype(np.float32)

    def log_probabilities(self, vectors: np.ndarray) -> np.ndarray:
        """float `[n, dimensions]` → float64 `[n, writers]`, with the temperature."""
        return _log_softmax(self.scores(vectors) / self.temperature)

    def calibrated(self, vectors: np.ndarray, labels: np.ndarray) -> "Discriminants":
        """The same with the temperature at which the true writers of other lines are likeliest, and with `usual_fit`.

        C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017.

        Args:
          vectors: float `[n, dimensions]` of validation.
          labels: int `[n]`.
        """
        scores, rows = self.scores(vectors), np.arange(len(labels))
        temperatures = np.geomspace(0.1, 100, 121)
        # A writer without lines to learn from has no likelihood at any temperature.
        losses = [-np.maximum(_log_softmax(scores / t)[rows, labels], -700).mean() for t in temperatures]
        return dataclasses.replace(
            self,
            temperature=float(temperatures[int(np.argmin(losses))]),
            usual_fit=float(np.median(scores.max(axis=1))),
        )

    def to_bytes(self) -> bytes:
        file = io.BytesIO()
        np.savez(file, version=np.array(descriptor.VERSION), **dataclasses.asdict(self))
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Discriminants":
        """Raises ValueError if another version wrote it."""
        try:
            found: dict[str, Any] = dict(load_arrays(data))
            version = int(found.pop("version"))
            if version != descriptor.VERSION:
                raise ValueError(
                    f"it is of version {version} of the hand descriptor, not {descriptor.VERSION}"
                )
            return cls(**found | {name: float(found[name]) for name in ("temperature", "usual_fit")})
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"Another version of iam_writer wrote the discriminants: {error}") from error


def learn(
    counts: np.ndarray,
    labels: np.ndarray,
    forms: np.ndarray,
    ids: np.ndarray,
    writers: int,
    copies: Sequence[np.ndarray] = (),
) -> Discriminants:
    """Learns the hands of known writers from their lines, from pairs of neighbouring lines of a form, and from distorted lines.

    Args:
      counts: int `[n, SIZE]`, of lines. Lines without ink are left out.
      labels: int `[n]`, from 0 to `writers` - 1.
      forms: `[n]`, the form of each line.
      ids: `[n]`, names whose alphabetical order is that of the lines on their form.
      writers: how many there are.
      copies: each int `[n, SIZE]`, of a distorted copy of each line.

    Returns:
      The discriminants, with temperature 1.
    """
    order = np.argsort(ids, kind="stable")
    order = order[counts[order].any(axis=1)]
    counts, labels, forms = counts[order], labels[order], forms[order]
    both, first = pairs(counts, forms)
    every = np.concatenate([vectors(some) for some in (counts, both, *(copy[order] for copy in copies))])
    of_whom = np.concatenate([labels, labels[first], *[labels] * len(copies)])
    return Discriminants.fit(every, of_whom, writers, COMPONENTS, SHRINKAGE)


def vectors(counts: np.ndarray) -> np.ndarray:
    """int `[n, SIZE]` → float32 `[n, dimensions]`, as the discriminants take them."""
    return descriptor.features(counts, centres="ink")


def pairs(counts: np.ndarray, forms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two neighbouring lines of a form taken as one: further lines to learn from.

    Args:
      counts: int `[n, SIZE]`, lines in their order on the form.
      forms: `[n]`, the form of each.

    Returns:
      int `[m, SIZE]`; int `[m]`, the first line of each pair, whose label is the pair's.
    """
    first = np.flatnonzero(forms[:-1] == forms[1:])
    return counts[first] + counts[first + 1], first


@dataclasses.dataclass(frozen=True)
class SeenByDescriptor:
    """What the discriminants of the hand descriptor say of the lines of a split, see `seen.Seen`.

    Attributes:
      counts: int `[lines, descriptor.SIZE]`. The counts of a piece are the sums of those of its lines.
      discriminants: of the known writers.
    """

    counts: np.ndarray
    discriminants: Discriminants

    def alone(self) -> dict[str, Seen]:
        """See `seen.Seen`."""
        return {}

    def answers(self, lines: np.ndarray, forms: np.ndarray) -> scoring.Answers:
        """See `seen.Seen.answers`."""
        of_lines, of_forms = of_lines_and_forms(self._log_probabilities, lines, forms)
        return scoring.Answers(of_lines, of_forms, np.exp(of_lines))

    def pooled(self, pieces: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """See `seen.Seen`. The amount is in lines of writing."""
        pieces = list(pieces)
        amounts = np.array([descriptor.lines_of_writing(self.counts[piece].sum(axis=0)) for piece in pieces])
        return np.exp(self._log_probabilities(pieces)), np.maximum(amounts, LEAST_AMOUNT)

    def embedded(self, pieces: Iterable[np.ndarray]) -> np.ndarray:
        """See `seen.Seen`: where each piece lies among the discriminants."""
        return self._of_pieces(list(pieces), self.discriminants.project)

    def _log_probabilities(self, pieces: Sequence[np.ndarray]) -> np.ndarray:
        return self._of_pieces(pieces, self.discriminants.log_probabilities)

    def _of_pieces(
        self, pieces: Sequence[np.ndarray], of_vectors: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        parts = []
        for i in range(0, len(pieces), TOGETHER):
            some = [self.counts[piece].sum(axis=0, dtype=np.int64) for piece in pieces[i : i + TOGETHER]]
            parts.append(of_vectors(vectors(np.stack(some))))
        return np.concatenate(parts).astype(np.float64)


def _inked(vectors: np.ndarray) -> np.ndarray:
    """Which vectors are of writing; bool `[n]`. Those of blank paper are zero."""
    return np.asarray((vectors != 0).any(axis=1))


def _log_softmax(scores: np.ndarray) -> np.ndarray:
    scores = scores.astype(np.float64)
    scores = scores - scores.max(axis=1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
