"""The answer rule of a network: where it looks at a line, which windows vote, and how their votes become one answer.

A run chooses the rule, and the checkpoint keeps it. Everything that uses the checkpoint follows the rule: the table
of the run, evaluate, identify, enroll, verify, the studies and every export. Pure functions of numpy.
"""

import dataclasses
import json
from collections.abc import Sequence

import numpy as np

from iam_writer.common.names import COMBINATIONS

PROBABILITIES, LOG_PROBABILITIES = COMBINATIONS

LOWEST = 1e-7
"""A probability below this is raised to it before its logarithm is taken, so that one window cannot decide alone."""

SMALLEST, LARGEST = 0.5, 2.0
"""The range of sizes at which a network can look at a window."""

LEGACY_STRIDE = 8
"""The stride of checkpoints that were written before rules were kept, if there is no result.json beside them."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """How the windows of a line, or of a page, give one answer.

    Attributes:
      stride: columns from the start of one window to the start of the next.
      combine: what is averaged over the windows: 'probabilities' or 'log_probabilities'.
      dark: a pixel below this gray (0 to 255) is ink.
      least_ink: a window votes if at least this share of its pixels is ink. So the gap between two words does not vote.
      sizes: the network looks at each window at these sizes, and its logits are averaged; see `sizes.at_sizes`.
    """

    stride: int
    combine: str = PROBABILITIES
    dark: int = 128
    least_ink: float = 0.01
    sizes: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        """Raises ValueError if a field has an impossible value."""
        if self.combine not in COMBINATIONS:
            raise ValueError(f"combine is {self.combine!r}; it must be one of {', '.join(COMBINATIONS)}.")
        if self.stride < 1:
            raise ValueError(f"stride is {self.stride}; it must be 1 or more.")
        object.__setattr__(self, "sizes", tuple(self.sizes))  # JSON makes a list of it.
        if not self.sizes or not all(SMALLEST <= size <= LARGEST for size in self.sizes):
            raise ValueError(f"sizes is {self.sizes}; each must be {SMALLEST} to {LARGEST}.")

    @classmethod
    def chosen(cls, width: int, stride: int | None, combine: str, sizes: Sequence[float] = (1.0,)) -> "Rule":
        """The rule of a run.

        Args:
          width: columns of a window.
          stride: see above; None for a quarter of a window, so that each part of the ink is seen four times.
          combine: see above.
          sizes: see above.
        """
        return cls(max(1, width // 4) if stride is None else stride, combine, sizes=tuple(sizes))

    def changed(self, stride: int | None, combine: str | None) -> "Rule":
        """The rule with another stride or another combination; None keeps what it has."""
        return dataclasses.replace(self, stride=stride or self.stride, combine=combine or self.combine)

    def has_ink(self, windows: np.ndarray) -> np.ndarray:
        """Which of uint8 windows `[n, width, height]` hold enough ink to vote; bool `[n]`."""
        _, width, height = windows.shape
        return np.count_nonzero(windows < self.dark, axis=(1, 2)) / (width * height) >= self.least_ink

    def votes(self, probabilities: np.ndarray) -> np.ndarray:
        """What is averaged over windows.

        Args:
          probabilities: float `[windows, classes]`, the softmax of each window.

        Returns:
          float `[windows, classes]`.
        """
        if self.combine == PROBABILITIES:
            return probabilities
        return np.log(np.maximum(probabilities, LOWEST))

    def answers(self, means: np.ndarray) -> np.ndarray:
        """The answers, before calibration, that follow from means of `votes`.

        Args:
          means: float `[n, classes]`.

        Returns:
          float `[n, classes]`, rows that sum to one.
        """
        return means if self.combine == PROBABILITIES else softmax(means)

    def in_words(self) -> str:
        """Such as 'a window every 28 columns, probabilities averaged'."""
        columns = "column" if self.stride == 1 else f"{self.stride} columns"
        sizes = "" if self.sizes == (1,) else f" at the sizes {', '.join(f'{size:g}' for size in self.sizes)}"
        return f"a window every {columns}{sizes}, {self.combine.replace('_', ' ')} averaged"

    def instead_of(self, kept: "Rule") -> str:
        """A sentence that says that this is not the rule that the checkpoint keeps."""
        return f"This is not the rule that the checkpoint keeps, which is: {kept.in_words()}."

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> "Rule":
        """Raises ValueError if the bytes are not a rule, or the rule of another version."""
        try:
            return cls(**json.loads(text))
        except TypeError as error:
            raise ValueError(
                f"The answer rule was written by another version of iam_writer: {error}."
            ) from error


def softmax(logits: np.ndarray) -> np.ndarray:
    """Float `[n, classes]` → rows that sum to one."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: np.ndarray = exponentials / exponentials.sum(axis=1, keepdims=True)
    return shares
