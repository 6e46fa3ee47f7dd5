"""Compares hands without training: what verify and identify do, as Python functions. Does not import TensorFlow.

  from iam_writer.recognition import hands
  print(hands.identify("known", "letter.png").as_text())  # known/ada/*.png, known/bob/*.png …

All knowledge about hands comes from invented writers (`reference`). So the odds and error rates of an answer are those of
invented writers. docs/descriptor.md says how often the answers are right on real pages.
"""

import dataclasses
import math
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypedDict

import numpy as np

from iam_writer.common.errors import BadImageError, MissingDataError, NoWritingError
from iam_writer.handwriting import images, layout_files
from iam_writer.recognition import reference, ways
from iam_writer.recognition.described import DescribedPage, describe_all
from iam_writer.recognition.reference import Comparer, Reference

LITTLE: Final = 1.0
"""Lines of writing below which an answer is said to be a guess."""

MANY: Final = 20
"""Writers from which on what all their pages have in common is told by these pages, see `reference`."""

SHOWN: Final = 5
"""So many of the known writers are listed."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """Writing of which it is known, or assumed, that one hand wrote it.

    Attributes:
      name: the name of the writer, or of the file.
      pages: the pages with the writing.
    """

    name: str
    pages: tuple[DescribedPage, ...]

    @property
    def counts(self) -> np.ndarray:
        """int64 `[2, SIZE]`: counts of two halves of the lines."""
        return np.sum([page.counts for page in self.pages], axis=0)

    @property
    def lines(self) -> int:
        return sum(page.lines for page in self.pages)

    @property
    def amount(self) -> float:
        """Lines of writing by the length of their contours, see `reference.amount`."""
        return float(reference.amount(self.counts[None])[0])


class Candidate(TypedDict):
    """A known writer, and how strongly the page speaks for this writer's hand; see `Ranking`."""

    writer: str
    log10_odds: float


class RankingAsJson(TypedDict):
    """What `iam_writer.identify --json` prints about a page; see `Ranking`."""

    file: str
    writer: str | None
    candidates: list[Candidate]
    known_writers: int
    lines: int
    lines_from: str | None
    warnings: list[str]


@dataclasses.dataclass(frozen=True)
class Ranking:
    """Which of the known writers wrote a page.

    Attributes:
      file: the page.
      writer: the writer; None if no known writer is `known` times as likely under one hand as under two. So many times is just
        enough if it was as likely before that one of them wrote the page as that somebody else did.
      candidates: the most similar known writers, with the logarithm (base 10) of the odds that one hand wrote both.
      known: how many known writers there are.
      lines: how many text lines were found on the page.
      warnings: sentences about what makes the answer less reliable.
      lines_from: the PAGE-XML or ALTO file that gave the lines; empty if the program has found them.
    """

    file: str
    writer: str | None
    candidates: tuple[tuple[str, float], ...]
    known: int
    lines: int
    warnings: tuple[str, ...]
    lines_from: str = ""

    def as_json(self) -> RankingAsJson:
        return {
            "file": self.file,
            "writer": self.writer,
            "candidates": [{"writer": writer, "log10_odds": odds} for writer, odds in self.candidates],
            "known_writers": self.known,
            "lines": self.lines,
            "lines_from": self.lines_from or None,
            "warnings": list(self.warnings),
        }

    def as_text(self) -> str:
        if self.writer is None:
            rows = [f"{self.file}: none of the known writers. The nearest hands:"]
        else:
            rows = [f"{self.file}: written by {self.writer}"]
        width = max(len(writer) for writer, _ in self.candidates)
        rows += [f"  {writer:{width}}  {in_words(odds)}" for writer, odds in self.candidates]
        if self.writer is None and self.candidates[0][1] > 0:
            rows.append(
                f"  Among {self.known} writers, one is somewhat like the page by chance. So more than {self.known} times is needed."
            )
        rows.append(
            f"  {self.lines} line{'s' * (self.lines != 1)} of writing were compared.".replace(
                "line of writing were", "line of writing was"
            )
        )
        given = layout_files.in_words([self.lines_from])
        rows += [f"  {given}"] if given else []
        rows += [f"  Warning: {text}." for text in self.warnings]
        return "\n".join(rows)


def in_words(log10_odds: float) -> str:
    """Such as '40 times as likely if one hand wrote both'."""
    times = 10 ** abs(log10_odds)
    number = f"{times:.0f}" if times >= 10 else f"{times:.1f}"
    return f"{number} times as likely if {'one hand' if log10_odds > 0 else 'two hands'} wrote them"


def too_little(amount: float, comparer: Comparer) -> list[str]:
    """A sentence if there is less writing than the error rates were measured on."""
    least = max(LITTLE, float(comparer.amounts[0]))
    if amount >= least:
        return []
    return [
        f"only {amount:.1f} lines of writing could be compared. With less than {least:.1f} lines the answer is a guess"
    ]


def sample(name: str, paths: Sequence[str]) -> Sample:
    """Reads the pages of one writer.

    Raises:
      BadImageError: a file is no image.
      NoWritingError: a page has no handwriting.
    """
    pages = []
    for page in describe_all(paths):
        if isinstance(page, BadImageError):
            raise page
        if not page.lines:
            raise NoWritingError(f"{page.path}: {'; '.join(page.warnings)}. Name a page with handwriting.")
        pages.append(page)
    return Sample(name, tuple(pages))


def identify(
    known: str | os.PathLike[str] | Mapping[str, Sample],
    questioned: str | os.PathLike[str],
    population: Reference | None = None,
) -> Ranking:
    """Which of the known writers wrote a page.

    Args:
      known: a folder that holds a folder of page images for each writer; or samples by name, see `known_writers`.
      questioned: an image file of a page, or of a line.
      population: the knowledge about hands; by default the reference of the package.

    Raises:
      MissingDataError: there is no writer's folder.
      BadImageError: the questioned file is no image.
      NoWritingError: the questioned page has no handwriting.
    """
    samples = known if isinstance(known, Mapping) else known_writers(known)[0]
    asked = sample(os.fspath(questioned), [os.fspath(questioned)])
    return rank_likeliest(asked, samples, population or reference.read())


def rank_likeliest(
    asked: Sample,
    known: Mapping[str, Sample],
    population: Reference,
    at_dpi: Callable[[DescribedPage, float], DescribedPage] | None = None,
) -> Ranking:
    """The same as `rank`, but a page that is upside down, or of another resolution, is read as it fits the known hands.

    Args:
      asked: see `rank`.
      known: see `rank`.
      population: see `rank`.
      at_dpi: see `ways.likeliest`.
    """
    counts = np.stack([one.counts for one in known.values()])
    comparer = population.among(counts) if len(counts) >= MANY else population.alone()
    found = rank(Sample(asked.name, ways.likeliest(asked.pages, counts, comparer, at_dpi)), known, population)
    if found.writer is not None or any(page.dpi for page in asked.pages):
        return found
    return dataclasses.replace(found, warnings=(*found.warnings, ways.NONE_FITS))


def rank(asked: Sample, known: Mapping[str, Sample], population: Reference) -> Ranking:
    """The same as `identify`, for samples that have been read."""
    names = list(known)
    counts = np.stack([known[name].counts for name in names])
    comparer = population.among(counts) if len(names) >= MANY else population.alone()
    near = comparer.cosines(asked.counts[None], counts)[0]
    unbounded = comparer.unbounded(asked.counts[None], counts)[0] / math.log(10)
    # As `Comparer.log_odds`, which is not called, since it would compare again.
    bound = math.log10(comparer.writers)
    odds = np.clip(unbounded, -bound, bound)
    order = np.argsort(-near, kind="stable")[:SHOWN]
    best = int(order[0])
    warnings = [text for page in asked.pages for text in page.warnings]
    for page in known[names[best]].pages:
        if any(page.shows_the_same_as(other) for other in asked.pages):
            warnings.append(f"{page.path} of this writer shows the same page, so the answer says nothing")
    warnings += too_little(min(asked.amount, known[names[best]].amount), comparer)
    return Ranking(
        asked.name,
        names[best] if unbounded[best] > math.log10(len(names)) else None,
        tuple((names[i], float(odds[i])) for i in order),
        len(names),
        asked.lines,
        tuple(warnings),
        asked.pages[0].layout if len(asked.pages) == 1 else "",
    )


def known_writers(place: str | os.PathLike[str]) -> tuple[dict[str, Sample], list[str]]:
    """Reads the pages of known writers.

    Args:
      place: a folder that holds a folder for each writer, with image files of pages or lines in it.

    Returns:
      Samples by the writer's name; and a sentence for each file that was left out, and on files that gave lines.

    Raises:
      MissingDataError: there is no folder of a writer with handwriting.
    """
    root = pathlib.Path(place).expanduser()
    if not root.is_dir():
        raise MissingDataError(
            f"There is no folder {root}. Name with --known a folder that holds a folder of pages for each writer."
        )
    files = {
        of_one.name: sorted(path for path in of_one.rglob("*") if path.suffix.lower() in images.SUFFIXES)
        for of_one in sorted(root.iterdir())
        if of_one.is_dir() and not of_one.name.startswith(".")
    }
    paths = [str(path) for of_writer in files.values() for path in of_writer]
    pages, left_out = good(describe_all(paths, progress="Known pages"))
    by_path = {page.path: page for page in pages}
    found = {
        writer: Sample(writer, tuple(by_path[str(path)] for path in of_writer if str(path) in by_path))
        for writer, of_writer in files.items()
    }
    found = {writer: one for writer, one in found.items() if one.pages}
    if not found:
        raise MissingDataError(
            f"{root} holds no folder of a writer with handwriting. Make a folder for each writer, with page images in it."
        )
    return found, left_out + about_lines(pages)


def about_lines(pages: Sequence[DescribedPage]) -> list[str]:
    """Sentences on PAGE-XML and ALTO files: of how many pages they gave the lines, and which could not be used."""
    given = layout_files.in_words([page.layout for page in pages])
    unused = [
        f"{page.path}: {text}." for page in pages for text in page.warnings if layout_files.NOT_USED in text
    ]
    return ([given] if given else []) + unused


def good(described: Iterable[DescribedPage | BadImageError]) -> tuple[list[DescribedPage], list[str]]:
    """Pages with handwriting, and a sentence for each file that was left out."""
    pages, left_out = [], []
    for page in described:
        if isinstance(page, BadImageError):
            left_out.append(f"{page} It was left out.")
        elif not page.lines:
            left_out.append(f"{page.path}: {'; '.join(page.warnings)}. It was left out.")
        else:
            pages.append(page)
    return pages, left_out
