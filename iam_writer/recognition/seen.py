"""What a checkpoint says of the lines of a split: the interface that calibration, evaluation and reports use. No TensorFlow.

A network sees windows (`scanning`), the hand descriptor sees whole lines (`line_counts`), and `fusion` puts both together.
All of them answer about pieces: a piece is one line, some lines of a form, or a whole form.
"""

import dataclasses
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

import numpy as np

from iam_writer.recognition import scoring
from iam_writer.recognition.calibration import pieces_of_forms

if TYPE_CHECKING:
    from pipelines.strips import Strips


@dataclasses.dataclass(frozen=True)
class Lines:
    """The lines of a split, as a network needs them and as the hand descriptor needs them.

    Attributes:
      strips: their laid images, labels and forms.
      counts: gives int `[lines, descriptor.SIZE]` in the same order. It is called only if the counts are needed.
    """

    strips: "Strips"
    counts: Callable[[], np.ndarray]


class Seen(Protocol):
    """What a checkpoint says of the lines of a split."""

    def pooled(self, pieces: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """One answer for each piece.

        Args:
          pieces: the numbers of the lines of each piece, int `[lines of the piece]`.

        Returns:
          float64 `[pieces, classes]`, the answers before calibration, rows that sum to one; float64 `[pieces]`, the
          amounts of writing.
        """

    def embedded(self, pieces: Iterable[np.ndarray]) -> np.ndarray:
        """One vector that describes the hand of each piece; float64 `[pieces, embedding]`."""

    def alone(self) -> "dict[str, Seen]":
        """What each of several recognizers says alone, by its name; empty if there is one only."""

    def answers(self, lines: np.ndarray, forms: np.ndarray) -> scoring.Answers:
        """What accuracies are made of.

        Args:
          lines: bool `[lines]`, which lines to answer about.
          forms: `[lines]`, the name of each line's form.
        """


def of_lines_and_forms(
    says: Callable[[list[np.ndarray]], np.ndarray], lines: np.ndarray, forms: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What is said of some lines, in their order, and of their forms, in the order of the forms' sorted names.

    Args:
      says: pieces → float `[pieces, classes]`.
      lines: bool `[lines]`, which lines to ask about.
      forms: `[lines]`, the name of each line's form.
    """
    numbers = np.flatnonzero(lines)
    (whole,) = pieces_of_forms(forms[numbers], ())
    return says(list(numbers[:, None])), says([numbers[form] for form in whole])


def accuracies(
    seen: Seen, split: str, strips: "Strips", parts: dict[str, np.ndarray]
) -> dict[str, scoring.Accuracies]:
    """The accuracies of a split, under its name, and of each of its parts, under '<split>.<part>'.

    A writer of any part may be named for a line. If a network and the descriptor answer together, '<split>.network' and
    '<split>.descriptor' are the accuracies of each alone.

    Args:
      seen: what is said of the split.
      split: its name.
      strips: the split.
      parts: name → which lines, bool `[lines]`; empty if the split has one part only.
    """
    which = {split: np.ones(len(strips.labels), bool)} | {
        f"{split}.{part}": lines for part, lines in parts.items()
    }

    def of(some: Seen, lines: np.ndarray) -> scoring.Accuracies:
        answers = some.answers(lines, strips.groups)
        return scoring.accuracies(answers, strips.labels[lines], strips.groups[lines], strips.widths[lines])

    found = {name: of(seen, lines) for name, lines in which.items()}
    return found | {f"{split}.{name}": of(one, which[split]) for name, one in seen.alone().items()}
