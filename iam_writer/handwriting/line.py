"""What every reader of handwriting yields: lines, and who wrote them. No TensorFlow.

A reader (`iam_database.IamDatabase`, `handwriting_folder.HandwritingFolder`,
`synthetic_handwriting.SyntheticHandwriting`) is any object with the members of `Handwriting`.
"""

import dataclasses
from collections.abc import Sequence
from typing import Protocol


@dataclasses.dataclass(frozen=True)
class Line:
    """The image of one text line, or of a piece of one (IAM's sentence files are pieces).

    Attributes:
      id: unique name of the image, such as `a01-000u-s00-00`.
      writer: who wrote it, such as `000`.
      form: the page it was cut from, such as `a01-000u`.
      row: the physical text line it lies on. Two pieces of one row share ink and spacing, so a split
        never separates them.
      text: what is written, words separated by blanks; empty if unknown.
    """

    id: str
    writer: str
    form: str
    row: str
    text: str = ""


@dataclasses.dataclass(frozen=True)
class Census:
    """How much handwriting there is."""

    images: int
    writers: int
    forms: int

    @classmethod
    def of(cls, lines: Sequence[Line]) -> "Census":
        return cls(len(lines), len({line.writer for line in lines}), len({line.form for line in lines}))

    def __str__(self) -> str:
        return f"{self.images:,} images of {self.writers:,} writers on {self.forms:,} forms"


class Handwriting(Protocol):
    """A source of lines. Intentionally not an abstract class: nothing inherits from it."""

    lines: Sequence[Line]
    """Every line that is there, sorted by id."""

    expected: Census
    """What the index files promise; equal to `Census.of(lines)` where there is no index."""

    ignored: Sequence[str]
    """Files that lie among the others and are no line of a writer."""

    warnings: Sequence[str]
    """What is odd about the rest, for people."""

    def read(self, line: Line) -> bytes:
        """The line's image as an 8-bit gray PNG file.

        Raises:
          BadImageError: it cannot be read; the message names the image and says why.
        """
