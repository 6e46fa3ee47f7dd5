"""Measures likelihood ratios on pages whose writers are known. No TensorFlow."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Final, TypedDict

import numpy as np

from iam_writer.common.errors import MissingDataError
from iam_writer.evidence import measures
from iam_writer.evidence import population as populations
from iam_writer.evidence.measures import Quality, QualityJson
from iam_writer.evidence.ratio import FARTHEST, LEAST
from iam_writer.evidence.specimens import Specimen, Specimens
from iam_writer.handwriting.splits import shuffled
from iam_writer.recognition import reference
from iam_writer.recognition.reference import Reference

LINES: Final = (1, 2, 4, 8)
"""Besides whole pages, so many lines a side are tried."""

FOLDS: Final = 10
"""Writers are divided into so many parts. A pair is calibrated by the parts that neither of its writers is in."""

WAYS: Final = {
    "wheel": "Invented writers alone: each pair is judged as if no other page of the collection were at hand.",
    "pages": "Invented writers, and what the pages of the collection have in common. Nobody says who wrote which page.",
    "collection": f"Other writers of the collection: in {FOLDS} parts, each pair by writers of the parts that its writers are "
    "not in.",
}
"""How ratios are calibrated."""


class PairsJson(QualityJson):
    """Some `Pairs` in a JSON file."""

    calibration: str  # One of WAYS.
    lines: int | None
    pairs_by_one_hand: int
    pairs_by_two_hands: int


class ValidationJson(TypedDict):
    """A `Validation` in a JSON file."""

    writers: int
    pages: int
    refused: list[str]
    results: list[PairsJson]


@dataclasses.dataclass(frozen=True)
class Pairs:
    """The ratios of all pairs of pages.

    Attributes:
      way: one of WAYS.
      lines: how many lines of each page; None for all.
      ratios: float64 `[pairs]`, natural logarithms without a bound.
      same: bool `[pairs]`, whether one hand wrote a pair.
      bound: float64 `[pairs]`, the largest natural logarithm that is said.
    """

    way: str
    lines: int | None
    ratios: np.ndarray
    same: np.ndarray
    bound: np.ndarray

    @property
    def quality(self) -> Quality:
        return measures.quality(self.ratios, self.same, self.bound)


@dataclasses.dataclass(frozen=True)
class Validation:
    """What `validate` found.

    Attributes:
      writers: how many.
      pages: how many pages are in pairs.
      refused: sentences about pages that `verify` gives no ratio for; they are in no pair.
      pairs: for each way and amount.
    """

    writers: int
    pages: int
    refused: tuple[str, ...]
    pairs: tuple[Pairs, ...]

    def of(self, way: str, lines: int | None = None) -> Pairs | None:
        return next((one for one in self.pairs if (one.way, one.lines) == (way, lines)), None)

    def as_json(self) -> ValidationJson:
        return {
            "writers": self.writers,
            "pages": self.pages,
            "refused": list(self.refused),
            "results": [
                {
                    "calibration": one.way,
                    "lines": one.lines,
                    "pairs_by_one_hand": int(one.same.sum()),
                    "pairs_by_two_hands": int((~one.same).sum()),
                    **one.quality.as_json(),
                }
                for one in self.pairs
            ],
        }


def validate(specimens: Specimens, wheel: Reference, lines: Sequence[int] = LINES) -> Validation:
    """Judges all pairs of pages.

    Args:
      specimens: pages whose writers are known.
      wheel: what invented writers have taught.
      lines: amounts to try besides whole pages.

    Raises:
      MissingDataError: fewer than two writers, or none with two pages.
    """
    if specimens.writers is None:
        raise MissingDataError("Who wrote which page? Make a folder for each writer, with page images in it.")
    pages, refused = [], []
    for page in _few_of_each(specimens.pages):
        if why := _refusal(page, wheel):
            refused.append(f"{page.name} {why}")
        else:
            pages.append(page)
    names = [str(page.writer) for page in pages]
    if len(set(names)) < 2 or len(set(names)) == len(names):
        raise MissingDataError(
            f"There are {len(names)} pages by {len(set(names))} writers. Two writers are needed, and one of them with two pages."
        )
    found = []
    for number in (None, *lines):
        some = [page for page in pages if number is None or len(page.of_lines) >= number]
        found += judged(some, wheel, number)
    return Validation(len(set(names)), len(pages), tuple(refused), tuple(found))


def judged(pages: Sequence[Specimen], wheel: Reference, lines: int | None) -> list[Pairs]:
    """Ratios of all pairs, by each of WAYS that the number of writers allows; none if a kind of pairs is missing."""
    _, labels = np.unique([str(page.writer) for page in pages], return_inverse=True)
    first, second = np.triu_indices(len(pages), 1)
    same = labels[first] == labels[second]
    if not same.any() or same.all():
        return []
    counts = np.stack([page.counts(lines) for page in pages])
    bound = np.full(len(same), np.log(wheel.writers))
    ratios = wheel.alone().unbounded(counts, counts)[first, second]
    found = [Pairs("wheel", lines, ratios, same, bound)]
    writers = len(np.unique(labels))
    if writers >= populations.FEWEST:
        ratios = wheel.among(counts).unbounded(counts, counts)[first, second]
        found.append(Pairs("pages", lines, ratios, same, bound))
    if writers * (FOLDS - 2) / FOLDS >= populations.FEWEST:
        found.append(_crossed(counts, labels, wheel, lines))
    return found


def _crossed(counts: np.ndarray, labels: np.ndarray, wheel: Reference, lines: int | None) -> Pairs:
    order = np.argsort(np.random.default_rng(0).random(labels.max() + 1))
    part = (order % FOLDS)[labels]
    ratios = np.zeros((len(labels), len(labels)))
    bounds = np.zeros_like(ratios)
    for one, other in itertools.combinations_with_replacement(range(FOLDS), 2):
        rest = (part != one) & (part != other)
        population = populations.of_pages(wheel, counts[rest], [str(label) for label in labels[rest]])
        left, right = np.nonzero(part == one)[0], np.nonzero(part == other)[0]
        found = population.comparer.unbounded(counts[left], counts[right])
        ratios[np.ix_(left, right)], ratios[np.ix_(right, left)] = found, found.T
        bound = np.log(population.comparer.writers)
        bounds[np.ix_(left, right)] = bounds[np.ix_(right, left)] = bound
    first, second = np.triu_indices(len(labels), 1)
    return Pairs(
        "collection", lines, ratios[first, second], labels[first] == labels[second], bounds[first, second]
    )


def _refusal(page: Specimen, wheel: Reference) -> str:
    """Why `verify` gives no ratio for a page; empty if it gives one."""
    counts = page.counts()[None]
    amount, distance = float(reference.amount(counts)[0]), float(wheel.distance(counts)[0])
    if amount < LEAST:
        return f"has {amount:.1f} lines of writing, and {LEAST:.0f} is the least that was tried."
    if distance > FARTHEST:
        return f"is unlike all writing of the population (distance {distance:.1f}, at most {FARTHEST})."
    return ""


def _few_of_each(pages: Sequence[Specimen]) -> list[Specimen]:
    """At most `population.PAGES_OF_ONE` pages of each writer, chosen by their names, in order."""
    chosen = set()
    for writer in {page.writer for page in pages}:
        names = [page.name for page in pages if page.writer == writer]
        chosen |= {(writer, name) for name in shuffled(names)[: populations.PAGES_OF_ONE]}
    return [page for page in pages if (page.writer, page.name) in chosen]
