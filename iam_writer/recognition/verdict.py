"""The answer of a checkpoint about a page, in words and as JSON. Does not import TensorFlow."""

import dataclasses
from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from iam_writer.handwriting import layout_files
from iam_writer.recognition import calibration
from iam_writer.recognition.calibration import Calibration
from iam_writer.recognition.rule import Rule


class LikelyWriter(TypedDict):
    """One of the known writers, with a probability; null if the answer is that none of them wrote the page."""

    writer: str
    probability: float | None


class VerdictAsJson(TypedDict):
    """What `iam_writer.identify --checkpoint=… --json` prints about a page; see `Verdict`."""

    file: str
    writer: str | None
    probability: float | None
    top5: list[LikelyWriter]
    lines: int
    lines_from: str | None
    windows: int | None
    validation_forms: int | None
    warning: str | None


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Who wrote a page.

    Attributes:
      file: the path of the page.
      writer: who wrote the page; None if none of the known writers did.
      probability: the probability of `writer`; None if `writer` is None.
      top5: the likeliest known writers, each with a probability. It holds if one of the known writers wrote the page.
      lines: how many text lines have ink.
      windows: how many windows voted; None if the checkpoint has no network.
      validation_forms: how many forms the probabilities were calibrated on; None for a gallery, which has no such forms.
      warning: what makes the answer less reliable; None if nothing does.
      lines_from: the PAGE-XML or ALTO file that gave the lines; empty if the program has found them.
    """

    file: str
    writer: str | None
    probability: float | None
    top5: list[tuple[str, float]]
    lines: int
    windows: int | None
    validation_forms: int | None
    warning: str | None
    lines_from: str = ""

    def as_json(self) -> VerdictAsJson:
        return {
            "file": self.file,
            "writer": self.writer,
            "probability": self.probability and round(self.probability, 4),
            # Without a writer no probabilities: they hold only if one of these wrote the page.
            "top5": [
                {"writer": writer, "probability": None if self.writer is None else round(p, 4)}
                for writer, p in self.top5
            ],
            "lines": self.lines,
            "lines_from": self.lines_from or None,
            "windows": self.windows,
            "validation_forms": self.validation_forms,
            "warning": self.warning,
        }

    def as_text(self) -> str:
        if self.writer is None:
            # No percentages: they hold only if it is one of these writers, and this answer says that it is none.
            rows = [f"{self.file}: none of the known writers. The nearest hands:"]
            rows += [f"  {writer}" for writer, _ in self.top5]
        else:
            width = max(len(writer) for writer, _ in self.top5)
            rows = [f"{self.file}: written by {self.writer}"]
            rows += [
                f"  {writer:{width}} {p:6.1%}  {'▪' * round(20 * p)}".rstrip() for writer, p in self.top5
            ]
        rows.append(f"  {self._basis()}")
        given = layout_files.in_words([self.lines_from])
        rows += [f"  {given}"] if given else []
        if self.warning:
            rows.append(f"  Warning: {self.warning}")
        return "\n".join(rows)

    def _basis(self) -> str:
        """What the answer rests on."""
        lines = f"{self.lines} line{'s' * (self.lines != 1)}"
        if self.windows is None:
            basis = f"{lines} of writing {'was' if self.lines == 1 else 'were'} compared."
        else:
            basis = f"{self.windows:,} window{'s' * (self.windows != 1)} on {lines} voted."
        if self.writer is not None and self.validation_forms is not None:
            surest = calibration.surest(self.validation_forms)
            basis += f" The percentages rest on {self.validation_forms} validation forms; none can exceed {surest:.1%}."
        return basis


def decide(
    file: str,
    writers: Sequence[str],
    probabilities: np.ndarray,
    known: bool,
    *,
    lines: int,
    windows: int | None,
    forms: int | None,
    warnings: Sequence[str],
    lines_from: str = "",
) -> Verdict:
    """Puts an answer together.

    Args:
      file: path of the page.
      writers: names of the classes.
      probabilities: float `[classes]`.
      known: whether one of the known writers wrote the page.
      lines: how many text lines have ink.
      windows: how many windows voted; None if the checkpoint has no network.
      forms: how many validation forms the probabilities were calibrated on; None for a gallery.
      warnings: sentences.
      lines_from: see `Verdict`.
    """
    order = np.argsort(-probabilities, kind="stable")[:5]
    top5 = [(writers[i], float(probabilities[i])) for i in order]
    writer, probability = top5[0] if known else (None, None)
    return Verdict(file, writer, probability, top5, lines, windows, forms, _sentences(warnings), lines_from)


def _sentences(warnings: Sequence[str]) -> str | None:
    return " ".join(f"{text[0].upper()}{text[1:]}." for text in warnings) or None


def doubts(kept: Calibration, rule: Rule | None, amount: float) -> list[str]:
    """Reasons why the probabilities may be less reliable than usual.

    Args:
      kept: the calibration of the checkpoint.
      rule: the answer rule of the checkpoint; None without a network.
      amount: the amount of writing, as calibration counts it.
    """
    found = []
    if rule is not None and kept.combine != rule.combine:
        found.append(
            "the probabilities are rough, because an older version calibrated this checkpoint for another answer rule. Give "
            "the training command again, which only repeats the calibration"
        )
    if amount < kept.amounts[0] / 2:
        found.append("there is less than half a line of writing, so the answer is a guess")
    return found
