"""Lines of handwriting and their writers, as every reader of handwriting gives them. Does not use TensorFlow.

A reader is any object with the members of `Handwriting`: `iam_database.IamDatabase`, `folder.HandwritingFolder` and
`synthetic.SyntheticHandwriting` are readers.
"""

import dataclasses
from collections.abc import Sequence
from typing import Protocol


@dataclasses.dataclass(frozen=True)
class Line:
    """The image of one text line, or of a piece of a text line. IAM's sentence files are pieces.

    Attributes:
      id: unique name of the image, such as `a01-000u-s00-00`.
      writer: the writer, such as `000`.
      form: the page from which the image was cut, such as `a01-000u`.
      row: the physical text line that the image lies on. Two pieces of one row share ink and spacing, so a split
        never separates them.
      text: the written words, separated by blanks; empty if unknown.
      split: the split that the owner of the files has chosen; empty if none was chosen.
      copies: a name that the page has in common with the pages that are copies of it; empty if there is no copy.
    """

    id: str
    writer: str
    form: str
    row: str
    text: str = ""
    split: str = ""
    copies: str = ""


@dataclasses.dataclass(frozen=True)
class Census:
    """How many images, writers and forms there are."""

    images: int
    writers: int
    forms: int

    @classmethod
    def of(cls, lines: Sequence[Line]) -> "Census":
        return cls(len(lines), len({line.writer for line in lines}), len({line.form for line in lines}))

    def __str__(self) -> str:
        return f"{self.images:,} images of {self.writers:,} writers on {self.forms:,} forms"


class Handwriting(Protocol):
    """A source of lines. It is a protocol, not an abstract class, since nothing needs to inherit from it."""

    lines: Sequence[Line]
    """All lines that were found, sorted by id."""

    expected: Census
    """The census that the index files promise; equal to `Census.of(lines)` if there is no index."""

    ignored: Sequence[str]
    """Files that lie among the others but are not lines of a writer."""

    warnings: Sequence[str]
    """Sentences that tell people what is odd about the lines."""

    def read(self, line: Line) -> bytes:
        """The content of an 8-bit gray PNG file of the line.

        Raises:
          BadImageError: the image cannot be read. The message names the image and the reason.
        """
