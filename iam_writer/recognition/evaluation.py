"""How honest and how careful the answers about a split are. Pure functions of numpy, for result.json and for reports."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from iam_writer.recognition import calibration as calibrations
from iam_writer.recognition import scoring
from iam_writer.recognition.calibration import Calibration
from iam_writer.recognition.seen import Seen

if TYPE_CHECKING:
    from pipelines.strips import Strips


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What a checkpoint says of a split.

    Attributes:
      name: of the split.
      strips: the split.
      seen: what the checkpoint says.
      writers: names of the classes.
      calibration: of the checkpoint.
      results: what `seen.accuracies` returns.
      about: a sentence on the checkpoint.
    """

    name: str
    strips: "Strips"
    seen: Seen
    writers: Sequence[str]
    calibration: Calibration
    results: dict[str, scoring.Accuracies]
    about: str

    def judged(self, pieces: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of lines taken together: calibrated float `[pieces, classes]`, labels, and which are accepted, bool `[pieces]`."""
        pooled, amounts = self.seen.pooled(pieces)
        labels = self.strips.labels[[piece[0] for piece in pieces]]
        likeness = self.calibration.likeness(self.seen.embedded(pieces), pooled.argmax(axis=1))
        accepted = likeness >= [self.calibration.threshold(amount) for amount in amounts]
        return self.calibration.probabilities(pooled, amounts), labels, accepted

    def hands(self) -> tuple[np.ndarray, np.ndarray]:
        """What each form shows of the hand: float `[forms, dimensions]` of unit length, and who wrote it, int `[forms]`."""
        (forms,) = calibrations.pieces_of_forms(self.strips.groups, ())
        writers = self.strips.labels[[form[0] for form in forms]]
        return self.calibration.embed(self.seen.embedded(forms)), writers


def summary(evaluation: Evaluation) -> dict[str, float]:
    """Calibration and rejection: `line_calibration_error`, `form_calibration_error`, `form_accepted` … as shares."""
    strips = evaluation.strips
    found = calibration_errors(evaluation.seen, evaluation.calibration, strips.labels, strips.groups)
    pieces = calibrations.pieces_of_forms(strips.groups, (1,))
    for level, piece in zip(("line", "form"), pieces, strict=True):
        *_, accepted = evaluation.judged(piece)
        found[f"{level}_accepted"] = float(accepted.mean())
    return found


def calibration_errors(
    seen: Seen, calibration: Calibration, labels: np.ndarray, forms: np.ndarray
) -> dict[str, float]:
    """The expected calibration errors of lines and of forms: `line_calibration_error`, `form_calibration_error`.

    Args:
      seen: what is said of a split.
      calibration: of these answers.
      labels: int `[lines]`.
      forms: `[lines]`.
    """
    found = {}
    pieces = calibrations.pieces_of_forms(forms, (1,))
    for level, piece in zip(("line", "form"), pieces, strict=True):
        probabilities = calibration.probabilities(*seen.pooled(piece))
        right = probabilities.argmax(axis=1) == labels[[one[0] for one in piece]]
        found[f"{level}_calibration_error"] = calibrations.calibration_error(probabilities.max(axis=1), right)
    return found
