"""How strongly questioned and known pages speak for one hand: a likelihood ratio with its limits. No TensorFlow.

from iam_writer.evidence import ratio
print(ratio.verify(["letter.png"], ["known1.png", "known2.png"]).as_text())
"""

import dataclasses
import math
import os
from collections.abc import Sequence
from typing import Final, TypedDict

import numpy as np

from iam_writer.evidence import changes, record, scale
from iam_writer.evidence import population as populations
from iam_writer.evidence.population import Population
from iam_writer.evidence.record import FileRecord, Record
from iam_writer.handwriting import layout_files
from iam_writer.recognition import hands, reference
from iam_writer.recognition.hands import Sample
from iam_writer.recognition.reference import Reference

LEAST: Final = 1.0
"""Lines of writing, by the length of contours, that each side needs."""

FARTHEST: Final = 1.6
"""Pages whose `Reference.distance` is larger get no ratio. One of 100 invented pages has more than 1.

Of 120 pages of IAM one of 100 had more than 1.4; of the same pages at 100 dpi, taken for 300 dpi, 72 % have more.
"""


class Amounts(TypedDict):
    """Lines of writing on each side, by the length of contours."""

    questioned: float
    known: float


class RatioJson(Record):
    """A `Ratio` in a JSON file."""

    log10_lr: float | None
    log10_bound: float
    at_bound: bool
    words: str | None
    scale: str
    h1: str
    h2: str
    applies: bool
    reasons: list[str]
    same_page: list[str] | None
    population: str
    population_writers: int
    lines_of_writing: Amounts
    false_match: float
    false_non_match: float
    questioned: list[FileRecord]
    known: list[FileRecord]
    warnings: list[str]


@dataclasses.dataclass(frozen=True)
class Ratio:
    """What two samples of writing say about whether one hand wrote them.

    Attributes:
      questioned: the pages that are asked about.
      known: the pages that they are compared with.
      log10: the logarithm (base 10) of the likelihood ratio; None if there is none.
      unbounded: the same without the bound; for tests and plots, not for a report.
      bound: the largest log10 that the calibration supports.
      reasons: sentences why there is no ratio.
      same_page: paths of two files that show one page, if there are such.
      population: whose pages tell how alike two hands are.
      amounts: lines of writing of both sides, by the length of contours.
      errors: shares of pairs of the population, with as much writing, that would be taken for one hand and for two wrongly.
      about: where the result comes from, see `record`.
      warnings: sentences on what to bear in mind.
    """

    questioned: Sample
    known: Sample
    log10: float | None
    unbounded: float | None
    bound: float
    reasons: tuple[str, ...]
    same_page: tuple[str, str] | None
    population: Population
    amounts: tuple[float, float]
    errors: tuple[float, float]
    about: Record
    warnings: tuple[str, ...]

    @property
    def hypotheses(self) -> tuple[str, str]:
        asked, known = named(self.questioned), named(self.known)
        return f"The person who wrote {known} also wrote {asked}.", f"Another person wrote {asked}."

    @property
    def at_bound(self) -> bool:
        return self.log10 is not None and abs(self.log10) >= self.bound

    def as_json(self) -> RatioJson:
        """Numbers have their full precision."""
        one, two = self.hypotheses
        return {
            "log10_lr": self.log10,
            "log10_bound": self.bound,
            "at_bound": self.at_bound,
            "words": None if self.log10 is None else scale.supports(self.log10),
            "scale": scale.SOURCE,
            "h1": one,
            "h2": two,
            "applies": self.log10 is not None,
            "reasons": list(self.reasons),
            "same_page": list(self.same_page) if self.same_page else None,
            "population": self.population.about,
            "population_writers": self.population.writers,
            "lines_of_writing": {"questioned": self.amounts[0], "known": self.amounts[1]},
            "false_match": self.errors[0],
            "false_non_match": self.errors[1],
            "questioned": record.files(self.questioned.pages),
            "known": record.files(self.known.pages),
            "warnings": list(self.warnings),
            **self.about,
        }

    def as_text(self) -> str:
        asked, known = named(self.questioned), named(self.known)
        if self.same_page:
            left, right = self.same_page
            return (
                f"{left} and {right} show the same page.\n"
                "  A page says nothing about hands when it is compared with itself. There is no likelihood ratio."
            )
        one, two = self.hypotheses
        asks = [f"  H1: {one}", f"  H2: {two}"]
        if self.log10 is None:
            rows = [f"{asked} and {known}: no likelihood ratio.", *asks]
            rows += [f"  It does not apply: {reason}." for reason in self.reasons]
            return "\n".join(rows)
        likelier, other = ("H1", "H2") if self.log10 > 0 else ("H2", "H1")
        at_least = "at least " if self.at_bound else ""
        rows = [
            f"{asked} and {known}: {speaks(self.log10)}.",
            *asks,
            f"  What the pages look like is {at_least}{scale.times(self.log10)} as likely under {likelier} as under {other}: "
            f"log10 LR {self.log10:+.2f}.",
            f"  In words ({scale.SOURCE}): {scale.supports(self.log10)}.",
        ]
        if self.at_bound:
            rows.append(
                f"  {self.population.comparer.writers} writers cannot support a larger number, so none is given."
            )
        rows += [
            f"  Writing: {self.amounts[0]:.1f} lines questioned, {self.amounts[1]:.1f} lines known.",
            f"  Population: {self.population.about}",
            f"  In the population, with as much writing: {self.errors[0]:.1%} of the pairs by two writers speak for one hand, "
            f"{self.errors[1]:.1%} of the pairs by one writer for two.",
            "  This is not the probability that one person wrote the pages: that also depends on everything else that is known.",
        ]
        given = layout_files.in_words([page.layout for page in (*self.questioned.pages, *self.known.pages)])
        rows += [f"  {given}"] if given else []
        return "\n".join(rows + [f"  Warning: {text}." for text in self.warnings])


def named(sample: Sample) -> str:
    """Such as 'a.png', or 'a.png and 2 more pages'."""
    more = len(sample.pages) - 1
    first = sample.pages[0].path
    return first if not more else f"{first} and {more} more page{'s' * (more > 1)}"


def speaks(log10: float) -> str:
    """What the number says, in the shortest words."""
    if scale.in_words(log10) == scale.SCALE[0][1]:
        return "the pages speak neither for one hand nor for two"
    return f"the pages speak for {'one hand' if log10 > 0 else 'two hands'}"


def verify(
    questioned: Sequence[str | os.PathLike[str]],
    known: Sequence[str | os.PathLike[str]],
    population: Population | None = None,
    wheel: Reference | None = None,
) -> Ratio:
    """The likelihood ratio of two sets of pages.

    Args:
      questioned: image files of pages, or of lines, that are taken to be by one hand.
      known: other ones, too.
      population: whose pages tell how alike two hands are; by default invented writers.
      wheel: what invented writers have taught; by default what the package holds.

    Raises:
      BadImageError: a file is no image.
      NoWritingError: a page has no handwriting.
    """
    wheel = wheel or reference.read()
    left, right = (
        hands.sample(name, list(dict.fromkeys(os.fspath(path) for path in paths)))
        for name, paths in (("questioned", questioned), ("known", known))
    )
    return compare(left, right, population or populations.of_wheel(wheel), wheel)


def compare(questioned: Sample, known: Sample, population: Population, wheel: Reference) -> Ratio:
    """See `verify`; for samples that have been read."""
    comparer = population.comparer
    amounts = questioned.amount, known.amount
    same_page = next(
        (
            (one.path, other.path)
            for one in questioned.pages
            for other in known.pages
            if one.shows_the_same_as(other)
        ),
        None,
    )
    reasons = [] if not same_page else [f"{same_page[0]} and {same_page[1]} show the same page"]
    reasons += [text for side in (questioned, known) for text in limits(side, wheel)]
    found = float(comparer.unbounded(questioned.counts[None], known.counts[None])[0, 0]) / math.log(10)
    bound = math.log10(comparer.writers)
    warnings = [
        f"{page.path}: {text}" for page in (*questioned.pages, *known.pages) for text in page.warnings
    ]
    if not reasons:
        for one, other in ((questioned, known), (known, questioned)):
            warnings += _of_several_hands(one, other, population, wheel)
    if not reasons and min(amounts) < comparer.amounts[0]:
        warnings.append(
            f"there is less writing than the {comparer.amounts[0]:.1f} lines of the population's smallest samples"
        )
    if population.writers < populations.FEWEST:
        warnings.append(f"the population has fewer than {populations.FEWEST} writers")
    return Ratio(
        questioned,
        known,
        None if reasons else float(np.clip(found, -bound, bound)),
        None if reasons else found,
        bound,
        tuple(reasons),
        same_page,
        population,
        amounts,
        comparer.errors_at(min(amounts)),
        record.record(wheel),
        tuple(warnings),
    )


def _of_several_hands(one: Sample, other: Sample, population: Population, wheel: Reference) -> list[str]:
    """A sentence for each page of a sample that does not look like one hand's: which lines speak for what."""
    found = []
    for page in one.pages:
        said = []
        for name, part in changes.divided(page, wheel):
            log10 = float(
                population.comparer.log_odds(part.counts[None], other.counts[None])[0, 0]
            ) / math.log(10)
            said.append(
                f"{name} speak for {'one hand' if log10 > 0 else 'two hands'} (log10 LR {log10:+.2f})"
            )
        if said:
            found.append(
                f"{page.path} does not look like the writing of one hand. Compared with {named(other)}, {'; '.join(said)}. "
                "The ratio above is of the whole page, so it is of little use. Compare the parts as files of their own"
            )
    return found


def limits(sample: Sample, wheel: Reference) -> list[str]:
    """Why no ratio can be given for a sample, in sentences; empty if one can."""
    found = []
    if sample.amount < LEAST:
        found.append(
            f"{named(sample)} has {sample.amount:.1f} lines of writing, and {LEAST:.0f} is the least that was tried"
        )
        return found
    for page in sample.pages:
        distance = float(wheel.distance(page.counts[None])[0])
        if distance > FARTHEST:
            found.append(
                f"{page.path} is unlike all writing of the population (distance {distance:.1f}, at most {FARTHEST}): another "
                "script, print, or a file that does not say its resolution"
            )
    return found
