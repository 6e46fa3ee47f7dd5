"""A network and the hand descriptor together: one answer from two.

Both give calibrated log probabilities. Their weighted sum is the answer before calibration (a logarithmic opinion pool:
C. Genest and J. V. Zidek, "Combining probability distributions", Statistical Science 1, 1986). The weights are chosen on
validation lines. Pure functions of numpy.
"""

import dataclasses
import itertools
import json
from collections.abc import Iterable

import numpy as np

from iam_writer.recognition import scoring
from iam_writer.recognition.calibration import pieces_of_forms, sharpened, temperatures, unit
from iam_writer.recognition.rule import softmax
from iam_writer.recognition.seen import Seen, of_lines_and_forms

WEIGHTS = tuple(np.round(np.linspace(0, 1, 11), 2).tolist())
"""Weights to choose from."""


@dataclasses.dataclass(frozen=True)
class Fusion:
    """How the answers of a network and of the descriptor become one.

    Attributes:
      weights: of the network's log probabilities, and of the descriptor's.
      network: the temperature of the network's answers, see `calibration`.
      descriptor: the temperature of the descriptor's.
    """

    weights: tuple[float, float]
    network: tuple[float, float]
    descriptor: tuple[float, float]

    def pooled(
        self, network: tuple[np.ndarray, np.ndarray], descriptor: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Puts answers together.

        Args:
          network: its answers float `[n, classes]`, before calibration, and amounts of writing float `[n]`.
          descriptor: the same of the descriptor.

        Returns:
          float64 `[n, classes]`, rows that sum to one; and the network's amounts, in window widths.
        """
        total = sum(
            weight * _logs(sharpened(pooled, temperatures(np.array(temperature), amounts)))
            for weight, temperature, (pooled, amounts) in zip(
                self.weights, (self.network, self.descriptor), (network, descriptor), strict=True
            )
        )
        return softmax(np.asarray(total)), network[1]

    @staticmethod
    def embedded(network: np.ndarray, descriptor: np.ndarray) -> np.ndarray:
        """Embeddings float `[n, a]` and `[n, b]` → float `[n, a + b]`; both have the same length."""
        return np.concatenate([unit(network), unit(descriptor)], axis=1)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> "Fusion":
        """Raises ValueError if another version wrote it."""
        try:
            return cls(**{name: tuple(pair) for name, pair in json.loads(text).items()})
        except TypeError as error:
            raise ValueError(f"Another version of iam_writer wrote the fusion: {error}") from error


def choose(
    network: Seen,
    descriptor: Seen,
    labels: np.ndarray,
    forms: np.ndarray,
    of_network: np.ndarray,
    of_descriptor: np.ndarray,
) -> Fusion:
    """The weights with the least cross entropy of validation lines.

    Args:
      network: what the network says of the validation lines.
      descriptor: what the descriptor says of them.
      labels: int `[lines]`.
      forms: `[lines]`.
      of_network: float `[2]`, the temperature of the network's answers.
      of_descriptor: float `[2]`, the temperature of the descriptor's.
    """
    lines, _ = pieces_of_forms(forms, (1,))
    truth = labels[np.concatenate(lines)]
    says = network.pooled(lines), descriptor.pooled(lines)

    def fusion(weights: tuple[float, float]) -> Fusion:
        (a, b), (c, d) = of_network.tolist(), of_descriptor.tolist()
        return Fusion(weights, (a, b), (c, d))

    def cross_entropy(weights: tuple[float, float]) -> float:
        right = fusion(weights).pooled(*says)[0][np.arange(len(truth)), truth]
        return float(-np.log(np.maximum(right, 1e-12)).mean())

    return fusion(min(itertools.product(WEIGHTS, WEIGHTS), key=cross_entropy))


@dataclasses.dataclass(frozen=True)
class SeenByBoth:
    """What a network and the descriptor say of the lines of a split, see `seen.Seen`."""

    network: Seen
    descriptor: Seen
    fusion: Fusion

    def alone(self) -> dict[str, Seen]:
        """See `seen.Seen`."""
        return {"network": self.network, "descriptor": self.descriptor}

    def answers(self, lines: np.ndarray, forms: np.ndarray) -> scoring.Answers:
        """See `seen.Seen.answers`. The hits are those of the network's windows."""
        of_lines, of_forms = of_lines_and_forms(lambda pieces: self.pooled(pieces)[0], lines, forms)
        return scoring.Answers(of_lines, of_forms, of_lines, self.network.answers(lines, forms).hits)

    def pooled(self, pieces: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """See `seen.Seen`. The amount is in window widths."""
        pieces = list(pieces)
        return self.fusion.pooled(self.network.pooled(pieces), self.descriptor.pooled(pieces))

    def embedded(self, pieces: Iterable[np.ndarray]) -> np.ndarray:
        """See `seen.Seen`."""
        pieces = list(pieces)
        return self.fusion.embedded(self.network.embedded(pieces), self.descriptor.embedded(pieces))


def _logs(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities, 1e-12))
