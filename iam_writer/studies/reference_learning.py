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

from iam_writer.handwriting.synthetic import SyntheticHandwriting
from iam_writer.recognition import descriptor, reference
from iam_writer.recognition.descriptor import Whitening
from iam_writer.recognition.reference import Reference
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

AMONG: Final = 0.5
"""Largest length of the common part that is left after the mean of the pages at hand is subtracted."""

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
    odds, errors = [], []
    for most in (ALONE, AMONG):
        pairs = list(_pairs(whitening, others, whose, most))
        same = np.concatenate([pair.same for pair in pairs])
        odds.append(fit_logistic(np.concatenate([pair.inputs for pair in pairs]), same))
        errors.append([pair.errors(odds[-1]) for pair in pairs])
    amounts = [float(np.median(reference.amount(reference.halves(others[:, :lines])))) for lines in SIZES]
    return Reference(
        whitening, np.array(odds), np.array(amounts), np.array(errors), len(np.unique(whose)), fingerprint=""
    )


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Pairs of samples of one size.

    Attributes:
      inputs: float64 `[pairs, INPUTS]`.
      same: bool `[pairs]`, whether one hand wrote both.
    """

    inputs: np.ndarray
    same: np.ndarray

    def errors(self, odds: np.ndarray) -> tuple[float, float]:
        """The share of pairs by two writers that are taken for one hand, and the share of pairs by one writer taken for two."""
        one = self.inputs @ odds > 0
        return float(one[~self.same].mean()), float((~one[self.same]).mean())


def _pairs(whitening: Whitening, counts: np.ndarray, labels: np.ndarray, most: float) -> Iterator[Pairs]:
    """Pairs of pages for each size of samples, in invented collections.

    The pages of a collection have a vector in common. Its direction is random. Its length is between 0 and `most` times
    the length of the pages' own vectors.
    """
    random = np.random.default_rng(0)
    first, second = np.triu_indices(len(counts), 1)
    same = labels[first] == labels[second]
    for lines in SIZES:
        samples = reference.halves(counts[:, :lines]) if lines > 1 else _cut(counts[:, 0])
        found = []
        for _ in range(COLLECTIONS):
            direction = random.normal(size=whitening.projection.shape[1])
            common = random.uniform(0, most) * direction / np.linalg.norm(direction)
            found.append(reference.inputs(whitening, samples, samples, common)[first, second])
        yield Pairs(np.concatenate(found), np.tile(same, COLLECTIONS))


def _cut(lines: np.ndarray) -> np.ndarray:
    """Turns single lines into samples whose second half is empty: int `[n, SIZE]` → int `[n, 2, SIZE]`."""
    return np.stack([lines, np.zeros_like(lines)], axis=1)


def fit_logistic(inputs: np.ndarray, same: np.ndarray) -> np.ndarray:
    """Fits weights with which the inputs give the log-odds of `same`.

    Both outcomes have the same total weight, whatever the number of their pairs.

    Args:
      inputs: float64 `[pairs, n]`.
      same: bool `[pairs]`.

    Returns:
      float64 `[n]`.
    """
    weight = np.where(same, 0.5 / max(1, same.sum()), 0.5 / max(1, (~same).sum()))
    ridge = 1e-4 * np.eye(inputs.shape[1])
    solution = np.zeros(inputs.shape[1])
    for _ in range(
        100
    ):  # Newton's method. The small ridge keeps it finite where the two outcomes do not overlap.
        p = 1 / (1 + np.exp(-np.clip(inputs @ solution, -50, 50)))
        gradient = inputs.T @ (weight * (same - p)) - ridge @ solution
        step = np.linalg.solve((inputs * (weight * p * (1 - p))[:, None]).T @ inputs + ridge, gradient)
        solution = solution + step
        if np.abs(step).max() < 1e-9:
            break
    return solution


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
