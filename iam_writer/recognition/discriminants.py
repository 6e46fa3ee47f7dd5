"""Linear discriminants of known writers, learnt from their lines as the hand descriptor counts them. No TensorFlow."""

import dataclasses

import numpy as np

from iam_writer.recognition.descriptor import principal_components, shrunk


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
    """

    mean: np.ndarray
    projection: np.ndarray
    means: np.ndarray
    temperature: float = 1.0

    @classmethod
    def fit(
        cls, vectors: np.ndarray, labels: np.ndarray, writers: int, components: int, shrinkage: float
    ) -> "Discriminants":
        """Learns from labelled lines. All writers count as equally likely.

        Args:
          vectors: float `[n, dimensions]`, see `features`. Two neighbouring lines together, see `pairs`, are good
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

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """float `[n, dimensions]` → float32 `[n, writers]`: log likelihoods but for a constant; no temperature."""
        inside = (vectors - self.mean) @ self.projection
        distances = ((inside**2).sum(axis=1)[:, None] - 2 * inside @ self.means.T) + (self.means**2).sum(
            axis=1
        )
        return np.nan_to_num(-0.5 * distances, nan=-np.inf).astype(np.float32)

    def log_probabilities(self, vectors: np.ndarray) -> np.ndarray:
        """float `[n, dimensions]` → float64 `[n, writers]`, with the temperature."""
        return _log_softmax(self.scores(vectors) / self.temperature)

    def calibrated(self, vectors: np.ndarray, labels: np.ndarray) -> "Discriminants":
        """The same with the temperature that makes lines of known writers, not learnt from, the likeliest.

        C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017.

        Args:
          vectors: float `[n, dimensions]` of validation.
          labels: int `[n]`.
        """
        scores, rows = self.scores(vectors), np.arange(len(labels))
        temperatures = np.geomspace(0.1, 100, 121)
        losses = [-_log_softmax(scores / t)[rows, labels].mean() for t in temperatures]
        return dataclasses.replace(self, temperature=float(temperatures[int(np.argmin(losses))]))


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


def _log_softmax(scores: np.ndarray) -> np.ndarray:
    scores = scores.astype(np.float64)
    scores = scores - scores.max(axis=1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
