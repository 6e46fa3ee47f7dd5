"""Linear discriminants of known writers, learnt from their lines as the hand descriptor counts them. No TensorFlow."""

import dataclasses
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from iam_writer.recognition import descriptor, scoring, variations
from iam_writer.recognition.descriptor import principal_components, shrunk, unit
from iam_writer.recognition.seen import Seen, of_lines_and_forms
from pipelines.system.arrays import load_arrays

COMPONENTS, SHRINKAGE = 600, 0.15
"""Settings of `learn`, chosen by lines of IAM's training and validation forms that were held out in turn.

Accuracies differ little for 500 to 800 components, and for a shrinkage of 0.1 to 0.3.
"""

FORMS_TO_TRUST = 5
"""From so many forms, chance and hand have an equal share in how far a writer is from the middle of all. Chosen likewise."""

TOGETHER = 256
"""So many pieces become vectors at a time, to bound the memory."""

LEAST_AMOUNT = 0.01
"""Lines of writing. A piece with less ink counts as if it had so much, since calibration takes the logarithm."""


@dataclasses.dataclass(frozen=True)
class Discriminants:
    """Linear discriminants of known writers, on the principal components of their lines.

    R. A. Fisher's discriminants for several classes, with a covariance that all writers share; shrunk after J. H.
    Friedman, "Regularized discriminant analysis", JASA 84, 1989. Two things are not Fisher's, for short lines and for writers
    with few forms:

    * The score of a line is divided by the line's distance from the middle of all hands. A short or unusual line lies far away,
      but that does not make its answer surer. (So do cosines of speakers: N. Dehak, P. Kenny, R. Dehak, P. Dumouchel and P.
      Ouellet, "Front-end factor analysis for speaker verification", IEEE TASLP 19(4), 2011.)
    * With few forms, chance moves the mean of a writer away from the middle of all hands, and a writer far away would be
      named too rarely. So all writers are drawn towards the same distance, the more the fewer forms they have.

    Attributes:
      mean: float32 `[dimensions]`, the middle of all writers, taken off first.
      projection: float32 `[dimensions, components]`, after which a writer's lines have spread 1 in all directions.
      means: float32 `[writers, components]`, the middle of each writer's lines after the projection, drawn as above; NaN for a
        writer without lines.
      temperature: scores are divided by it before they become probabilities.
      usual_fit: the median of the fits of validation lines, see `fits`.
    """

    mean: np.ndarray
    projection: np.ndarray
    means: np.ndarray
    temperature: float = 1.0
    usual_fit: float = -np.inf

    @classmethod
    def fit(
        cls,
        vectors: np.ndarray,
        labels: np.ndarray,
        forms: np.ndarray,
        shrinkage: float,
        weights: np.ndarray | None = None,
    ) -> "Discriminants":
        """Learns from labelled lines. All writers count as equally likely.

        Args:
          vectors: float `[n, dimensions]`. More dimensions than lines need principal components first, see `learn`.
          labels: int `[n]`, from 0 to the number of writers - 1.
          forms: float `[writers]`, how many forms each has. A writer without forms has no lines, and is never named.
          shrinkage: from 0, the covariance as measured, to 1, the same spread in all directions.
          weights: float `[n]`, how much each line counts; by default 1.
        """
        weights = np.ones(len(labels)) if weights is None else weights
        present = forms > 0
        number = np.bincount(labels, weights, minlength=len(forms))
        means = np.zeros((len(forms), vectors.shape[1]))
        np.add.at(means, labels, vectors * weights[:, None])
        means /= np.where(present, number, 1)[:, None]
        apart = (vectors - means[labels]) * np.sqrt(weights)[:, None]
        variances, axes = np.linalg.eigh(shrunk(apart.T @ apart / weights.sum(), shrinkage))
        whiten = axes / np.sqrt(np.maximum(variances, 1e-12))
        middle = means[present].mean(axis=0)
        means = (means - middle) @ whiten
        distance = np.maximum(np.linalg.norm(means, axis=1), 1e-12)
        drawn = (distance[present].mean() / distance) ** (FORMS_TO_TRUST / (FORMS_TO_TRUST + forms))
        means = np.where(present[:, None], means * drawn[:, None], np.nan)
        return cls(middle.astype(np.float32), whiten.astype(np.float32), means.astype(np.float32))

    def after(self, mean: np.ndarray, directions: np.ndarray) -> "Discriminants":
        """The same for vectors before `(vectors - mean) @ directions`, if the directions are orthogonal and of length one.

        Args:
          mean: float `[dimensions]`.
          directions: float `[dimensions, components]`.
        """
        return dataclasses.replace(
            self,
            mean=(mean + directions @ self.mean).astype(np.float32),
            projection=(directions @ self.projection).astype(np.float32),
        )

    def project(self, vectors: np.ndarray) -> np.ndarray:
        """float `[n, dimensions]` → float32 `[n, components]` of unit length: in which direction from the middle of all hands
        the writing lies. Without ink it is zero."""
        return unit(self._inside(vectors)).astype(np.float32)

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """float `[n, dimensions]` → float32 `[n, writers]`: log likelihoods but for a constant of the line, divided by the line's
        distance from the middle of all hands; no temperature. Minus infinity for a writer without lines.

        Without ink all writers with lines have the same score.
        """
        inside = self._inside(vectors)
        distance = np.linalg.norm(inside, axis=1, keepdims=True)
        scores = self._likelihoods(inside) / np.maximum(distance, 1e-12)
        scores = np.where(distance > 0, scores, 0 * self.means[:, 0])
        return np.nan_to_num(scores, nan=-np.inf).astype(np.float32)

    def fits(self, vectors: np.ndarray) -> np.ndarray:
        """float `[n, dimensions]` → float32 `[n]`: how well the nearest known hand explains each line, as log likelihood but for a
        constant that all lines share. Unlike scores, fits of lines may be compared with each other."""
        inside = self._inside(vectors)
        nearest = np.nanmax(self._likelihoods(inside), axis=1)
        return np.asarray(nearest - 0.5 * (inside**2).sum(axis=1), np.float32)

    def _likelihoods(self, inside: np.ndarray) -> np.ndarray:
        """float `[n, components]` → float `[n, writers]`: log likelihoods but for a constant of the line."""
        return np.asarray(inside @ self.means.T - 0.5 * (self.means**2).sum(axis=1))

    def _inside(self, vectors: np.ndarray) -> np.ndarray:
        """float `[n, dimensions]` → float `[n, components]`, whitened; zero without ink."""
        return np.where(_inked(vectors)[:, None], (vectors - self.mean) @ self.projection, 0)

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
        temperatures = np.geomspace(0.01, 100, 161)
        # A writer without lines to learn from has no likelihood at any temperature.
        losses = [-np.maximum(_log_softmax(scores / t)[rows, labels], -700).mean() for t in temperatures]
        return dataclasses.replace(
            self,
            temperature=float(temperatures[int(np.argmin(losses))]),
            usual_fit=float(np.median(self.fits(vectors))),
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
    varied: np.ndarray,
    writers: int,
) -> Discriminants:
    """Learns the hands of known writers from their lines, from pairs of neighbouring lines of a form, and from variations.

    Args:
      counts: int `[n, SIZE]`, of lines. What has no ink is left out.
      labels: int `[n]`, from 0 to `writers` - 1.
      forms: `[n]`, the form of each line.
      ids: `[n]`, names whose alphabetical order is that of the lines on their form.
      varied: int `[n, 3, SIZE]`, the variations of each line, see `variations`.
      writers: how many there are.

    Returns:
      The discriminants, with temperature 1.
    """
    order = np.argsort(ids, kind="stable")
    order = order[counts[order].any(axis=1)]
    counts, labels, forms, varied = counts[order], labels[order], forms[order], varied[order]
    both, first = pairs(counts, forms)
    lines = np.concatenate([vectors(counts), vectors(both)])
    of_whom = np.concatenate([labels, labels[first]])
    mean, directions, _ = principal_components(lines, COMPONENTS)
    inside, who, weights = [(lines - mean) @ directions], [of_whom], [np.ones(len(lines))]
    for kind, weight in enumerate(variations.WEIGHTS):
        inked = varied[:, kind].any(axis=1)
        inside.append((vectors(varied[inked, kind]) - mean) @ directions)
        who.append(labels[inked])
        weights.append(np.full(inked.sum(), weight))
    number = np.array([len(np.unique(forms[labels == writer])) for writer in range(writers)])
    found = Discriminants.fit(
        np.concatenate(inside), np.concatenate(who), number, SHRINKAGE, np.concatenate(weights)
    )
    return found.after(mean, directions)


def vectors(counts: np.ndarray) -> np.ndarray:
    """int `[n, SIZE]` → float32 `[n, dimensions]`, as the discriminants take them."""
    return descriptor.features(counts, known_hands=True)


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
