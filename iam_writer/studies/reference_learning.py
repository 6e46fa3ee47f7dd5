"""Learns what the hand descriptor needs from invented writers. The flags are in reference.py."""

import concurrent.futures
import dataclasses
import io
import multiprocessing
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from PIL import Image

from iam_writer.evidence.measures import fit_logistic
from iam_writer.handwriting.synthetic import SyntheticHandwriting
from iam_writer.recognition import descriptor, reference
from iam_writer.recognition.descriptor import Whitening
from iam_writer.recognition.reference import Comparer, Reference
from pipelines.system.cores import usable_cores
from pipelines.system.progress import progress_bar

COMPONENTS: Final = 300
"""Directions in which hands are compared. 200 and 400 gave more errors on real pages (docs/descriptor.md)."""

LINES: Final = 6
"""The number of lines on an invented page."""

ALONE: Final = 0.9
"""Largest length of what the pages of a collection have in common, as a multiple of the length of a page's own vector.

Two pages alone do not show what they have in common, so this is a generous guess. On IAM the value is about 0.5
(docs/descriptor.md).
"""

COLLECTIONS: Final = 12
"""The number of invented collections for each size of samples."""

SIZES: Final = (1, 2, 3, 6)
"""Sizes, in lines, of the samples that are compared to learn odds and errors."""


@dataclasses.dataclass(frozen=True)
class Invented:
    """Invented writers, see `SyntheticHandwriting`."""

    num_writers: int
    forms: int
    seed: int
    sessions: float


def learnt(writers: int) -> Reference:
    """Learns the whitening from some invented writers, and odds and errors from others.

    Args:
      writers: the number of writers who write in several sessions. Half as many write in a single session.
    """
    groups = [Invented(writers // 2, 2, 0, 0.0), Invented(writers, 3, 1, 1.0)]
    counts, labels = zip(*(of_lines(group) for group in groups), strict=True)
    labels = np.concatenate([labels[0], labels[1] + writers])
    vectors = descriptor.features(np.concatenate(counts).sum(axis=1))
    whitening = reference.rounded(Whitening.fit_within(vectors, labels, COMPONENTS))

    others, whose = of_lines(Invented(max(20, writers // 3), 3, 2, 1.0))
    alone, among = list(_alone(whitening, others, whose)), list(_among(whitening, others, whose))
    within = list(_within(whitening, others[np.unique(whose, return_index=True)[1]]))
    odds = [fit_logistic(np.concatenate([pair.inputs for pair in way]), _same(way)) for way in (alone, among)]
    sizes = [_sized(others, lines) for lines in SIZES]
    return Reference(
        whitening,
        *odds,
        odds_within=fit_logistic(np.concatenate([pair.inputs for pair in within]), _same(within)),
        amounts=np.array([float(np.median(reference.amount(samples))) for samples in sizes]),
        errors=np.array(
            [[pair.errors(of) for pair in way] for way, of in zip((alone, among), odds, strict=True)]
        ),
        spread=np.array(
            [[pair.spread(of) for pair in way] for way, of in zip((alone, among), odds, strict=True)]
        ),
        beyond=np.array([np.quantile(reference.residual(whitening, samples), 0.99) for samples in sizes]),
        writers=len(np.unique(whose)),
        fingerprint="",
    )


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Pairs of samples of one size.

    Attributes:
      inputs: float64 `[pairs, n]`, what decides the odds.
      same: bool `[pairs]`, whether one hand wrote both.
    """

    inputs: np.ndarray
    same: np.ndarray

    def errors(self, odds: np.ndarray) -> tuple[float, float]:
        """The share of pairs by two writers that are taken for one hand, and the share of pairs by one writer taken for two."""
        one = self.inputs @ odds > 0
        return float(one[~self.same].mean()), float((~one[self.same]).mean())

    def spread(self, odds: np.ndarray) -> np.ndarray:
        """How the odds of pairs by two writers, and of pairs by one writer, are spread: see `Comparer.spread`."""
        found = self.inputs @ odds
        return np.stack([np.quantile(found[kind], reference.QUANTILES) for kind in (~self.same, self.same)])


def _same(pairs: list[Pairs]) -> np.ndarray:
    return np.concatenate([pair.same for pair in pairs])


def _sized(counts: np.ndarray, lines: int) -> np.ndarray:
    """Samples int64 `[n, 2, SIZE]` of the first lines of pages."""
    return reference.halves(counts[:, :lines]) if lines > 1 else _cut(counts[:, 0])


def _alone(whitening: Whitening, counts: np.ndarray, labels: np.ndarray) -> Iterator[Pairs]:
    """Pairs of pages for each size of samples, in invented collections.

    The pages of a collection have a vector in common. Its direction is random. Its length is between 0 and ALONE times
    the length of the pages' own vectors.
    """
    random = np.random.default_rng(0)
    first, second = np.triu_indices(len(counts), 1)
    same = labels[first] == labels[second]
    for lines in SIZES:
        samples = _sized(counts, lines)
        found = []
        for _ in range(COLLECTIONS):
            direction = random.normal(size=whitening.projection.shape[1])
            common = random.uniform(0, ALONE) * direction / np.linalg.norm(direction)
            found.append(reference.inputs(whitening, samples, samples, common)[first, second])
        yield Pairs(np.concatenate(found), np.tile(same, COLLECTIONS))


def _within(whitening: Whitening, counts: np.ndarray) -> Iterator[Pairs]:
    """Upper and lower parts of one page by each writer: those of one page, and those of two. Else as `_alone`."""
    random = np.random.default_rng(0)
    same = np.eye(len(counts), dtype=bool).ravel()
    for lines in range(1, LINES // 2 + 1):
        upper, lower = _sized(counts[:, :lines], lines), _sized(counts[:, -lines:], lines)
        for _ in range(COLLECTIONS // 2):
            direction = random.normal(size=whitening.projection.shape[1])
            common = random.uniform(0, ALONE) * direction / np.linalg.norm(direction)
            found = reference.inputs(whitening, upper, lower, common).reshape(-1, reference.INPUTS)
            yield Pairs(found, same)


def _among(whitening: Whitening, counts: np.ndarray, labels: np.ndarray) -> Iterator[Pairs]:
    """Pairs of pages for each size of samples, compared with how like they are to all pages."""
    first, second = np.triu_indices(len(counts), 1)
    for lines in SIZES:
        samples = _sized(counts, lines)
        mean = descriptor.features(samples.sum(axis=1)).mean(axis=0).astype(np.float32)
        none = np.zeros(0)
        comparer = Comparer(Whitening(mean, whitening.projection), none, none, none, 1, none, cohort=samples)
        found = comparer.among_inputs(samples, samples, labels[:, None] == labels)
        yield Pairs(found[first, second], labels[first] == labels[second])


def _cut(lines: np.ndarray) -> np.ndarray:
    """Turns single lines into samples whose second half is empty: int `[n, SIZE]` → int `[n, 2, SIZE]`."""
    return np.stack([lines, np.zeros_like(lines)], axis=1)


def of_lines(group: Invented) -> tuple[np.ndarray, np.ndarray]:
    """Counts of the lines of each page, int64 `[pages, LINES, SIZE]`, and the writer of each page, int64 `[pages]`."""
    writers = np.arange(group.num_writers)
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        usable_cores(), mp_context=context, initializer=_one_thread
    ) as pool:
        found = pool.map(
            _of_writer, *zip(*((group, int(writer)) for writer in writers), strict=True), chunksize=4
        )
        progress = progress_bar(found, total=len(writers), desc=f"seed {group.seed}", unit=" writers")
        counts = np.concatenate(list(progress))
    return counts, np.repeat(writers, group.forms)


def _one_thread() -> None:
    cv2.setNumThreads(1)  # Each core already has a process.


def _of_writer(group: Invented, writer: int) -> np.ndarray:
    handwriting = _handwriting(group)
    each = group.forms * LINES
    lines = handwriting.lines[writer * each : (writer + 1) * each]
    found = []
    for line in lines:
        with Image.open(io.BytesIO(handwriting.read(line))) as picture:
            found.append(descriptor.counts(np.asarray(picture.convert("L"))).astype(np.int32))
    return np.array(found).reshape(group.forms, LINES, descriptor.SIZE)


_MADE: dict[Invented, SyntheticHandwriting] = {}


def _handwriting(group: Invented) -> SyntheticHandwriting:
    if group not in _MADE:
        _MADE[group] = SyntheticHandwriting(
            group.num_writers, group.forms, LINES, group.seed, sessions=group.sessions
        )
    return _MADE[group]
