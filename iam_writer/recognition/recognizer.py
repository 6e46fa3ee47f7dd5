"""A checkpoint at work: pages → what it says of the writer, and what it shows of the hand.

`load` opens a checkpoint of a network, of the hand descriptor, or of both. The descriptor alone needs no TensorFlow.
"""

import abc
import dataclasses
import os
import pathlib
from typing import Any, Final, Generic, Protocol, TypeVar

import numpy as np

from iam_writer.handwriting import pages
from iam_writer.handwriting.pages import Page
from iam_writer.recognition import checkpoints, descriptor
from iam_writer.recognition.calibration import Calibration
from iam_writer.recognition.discriminants import (
    LEAST_AMOUNT,
    Discriminants,
    SeenByDescriptor,
    vectors,
)
from iam_writer.recognition.gallery import Gallery
from iam_writer.recognition.rule import Rule
from iam_writer.recognition.seen import Lines, Seen
from iam_writer.recognition.verdict import Verdict, decide, doubts


class Scan(Protocol):
    """What a recognizer has found on the lines of a page."""

    @property
    def amount(self) -> float:
        """How much writing there is, as calibration counts it."""

    @property
    def lines(self) -> int:
        """How many lines have ink."""

    @property
    def windows(self) -> int | None:
        """How many windows voted; None if there are no windows."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """Who wrote it.

    Attributes:
      probabilities: float64 `[classes]`, calibrated; they hold if one of the known writers wrote it.
      likeness: with the hand of the likeliest writer.
      threshold: if the likeness is below it, the hand counts as unknown.
    """

    probabilities: np.ndarray
    likeness: float
    threshold: float

    @property
    def known(self) -> bool:
        return self.likeness >= self.threshold


S = TypeVar("S", bound=Scan)


class Recognizer(abc.ABC, Generic[S]):
    """What has learnt to name writers, with its calibration.

    Attributes:
      run: what it was trained on.
      writers: names of the classes.
      fingerprint: of the checkpoint.
      calibration: of its answers.
      rule: how windows give an answer; None if there are no windows.
    """

    def __init__(self, path: pathlib.Path, calibration: Calibration):
        self.run = checkpoints.read_state(path)["run"]
        self.writers: list[str] = self.run["writers"]
        self.fingerprint = checkpoints.fingerprint(path)
        self.calibration = calibration
        self.rule: Rule | None = None

    @abc.abstractmethod
    def scan(self, page: Page, upside_down: bool = False) -> S:
        """Looks at the lines of a page, or at each line turned by 180°."""

    @abc.abstractmethod
    def pooled(self, scan: S) -> np.ndarray:
        """The answer before calibration; float64 `[classes]`."""

    @abc.abstractmethod
    def embedding(self, scan: S) -> np.ndarray:
        """A vector that describes the hand; float64 `[embedding]`."""

    @abc.abstractmethod
    def see(self, lines: Lines, description: str, rule: Rule | None = None) -> Seen:
        """Looks at a split of a dataset; by its own rule, if no other is given."""

    def answer(self, scan: S) -> Answer:
        """The calibrated answer."""
        pooled = self.pooled(scan)
        probabilities = self.calibration.probabilities(pooled[None], np.array([scan.amount]))[0]
        likeness = self.calibration.likeness(self.embedding(scan)[None], np.array([pooled.argmax()]))
        return Answer(probabilities, float(likeness[0]), self.calibration.threshold(scan.amount))

    def embeddings(self, scan: S) -> np.ndarray:
        """What a gallery adds up for a page: float64 `[n, embedding]`. Their mean describes the hand."""
        return self.embedding(scan)[None]

    def is_upside_down(self, page: Page, scan: S) -> bool | None:
        """Looks at a page upside down, and says whether it is more like a known hand that way.

        A known hand is most like itself the right way up. A network is right about 58 of 59 validation forms of IAM's
        top50, whichever way up they are. `pages` sees only the shape of the lines: it is right about 54 forms that are the
        right way up, and about 47 that are upside down. A known hand on a page whose lines have the shape of upright ones is
        not looked at again.

        Args:
          page: as it was read.
          scan: of the page as it was read.

        Returns:
          None if the hand is known neither way up. Then nothing can be said.
        """
        as_it_is = self.answer(scan)
        if as_it_is.known and pages.UPSIDE_DOWN not in page.warnings:
            return False
        turned = self.answer(self.scan(page, upside_down=True))
        if not (as_it_is.known or turned.known):
            return None
        return turned.likeness > as_it_is.likeness

    def warnings(self, page: Page, scan: S) -> list[str]:
        """What is odd about a page, in sentences. The word on `is_upside_down` replaces that of `pages`."""
        upside_down = self.is_upside_down(page, scan)
        if upside_down is None:
            return page.warnings
        others = [text for text in page.warnings if text != pages.UPSIDE_DOWN]
        return [*others, pages.UPSIDE_DOWN] if upside_down else others

    def verdict(self, file: str, page: Page, scan: S, gallery: Gallery | None = None) -> Verdict:
        """Says who wrote a page: one of the gallery if there is one, else one of the known writers."""
        warnings = [*self.warnings(page, scan), *doubts(self.calibration, self.rule, scan.amount)]
        if gallery is not None:
            names = gallery.writers
            probabilities, known = gallery.rank(self.embedding(scan), self.calibration)
        else:
            answer = self.answer(scan)
            names, probabilities, known = self.writers, answer.probabilities, answer.known
        return decide(
            file,
            names,
            probabilities,
            known,
            lines=scan.lines,
            windows=scan.windows,
            forms=None if gallery else int(self.calibration.forms),
            warnings=warnings,
            lines_from=page.layout,
        )


@dataclasses.dataclass(frozen=True)
class Counts:
    """What the hand descriptor counts on the lines of a page.

    Attributes:
      of_lines: int64 `[lines, descriptor.SIZE]`.
      dpi: the resolution that the page was taken for.
    """

    of_lines: np.ndarray
    dpi: float = float(descriptor.DPI)
    windows: None = None

    @property
    def vector(self) -> np.ndarray:
        """float32 `[1, dimensions]`, of all lines together, as the discriminants take it."""
        return vectors(self.of_lines.sum(axis=0, keepdims=True))

    @property
    def amount(self) -> float:
        """Lines of writing."""
        return max(float(descriptor.lines_of_writing(self.of_lines).sum()), LEAST_AMOUNT)

    @property
    def lines(self) -> int:
        return int(self.of_lines.any(axis=1).sum())


RESOLUTIONS: Final = (100.0, 150.0, 200.0, 400.0, 600.0)
"""Dots per inch that a page may have, other than descriptor.DPI."""

ENOUGH: Final = 4
"""So many lines of a page tell its resolution."""


class DescriptorRecognizer(Recognizer[Counts]):
    """Discriminants of the hand descriptor."""

    def __init__(self, path: pathlib.Path, calibration: Calibration, discriminants: Discriminants):
        super().__init__(path, calibration)
        self.discriminants = discriminants

    def scan(self, page: Page, upside_down: bool = False) -> Counts:
        """Counts the lines of a page at descriptor.DPI.

        If no known hand explains the page as well as it explains half of the validation lines, the page may be of another
        resolution. Then some lines are also counted at each of RESOLUTIONS, and the resolution at which the known hands
        explain them best is taken. The sizes of strokes and letters alone cannot tell a resolution, since hands differ in
        them. A picture that was too large was made smaller, such as an open book at 300 dpi. So its resolution is tried, too.
        """
        step = -1 if upside_down else 1
        lines = [line.image[::step, ::step] for line in page.lines]
        found = _counts(lines, descriptor.DPI)
        if self._fit(found) >= self.discriminants.usual_fit:
            return found
        longest = np.argsort([-line.shape[1] for line in lines], kind="stable")[:ENOUGH]
        shrunk = round(descriptor.DPI * page.scale)
        tried = {*RESOLUTIONS, float(shrunk)} if page.scale < 0.95 else RESOLUTIONS
        fits = {float(descriptor.DPI): self._fit(Counts(found.of_lines[longest]))}  # They have been counted.
        fits |= {dpi: self._fit(_counts([lines[i] for i in longest], dpi)) for dpi in tried}
        dpi = max(fits, key=fits.__getitem__)
        return found if dpi == descriptor.DPI else _counts(lines, dpi)

    def _fit(self, counts: Counts) -> float:
        """How well the nearest known hand explains the lines, on average."""
        return float(self.discriminants.fits(vectors(counts.of_lines)).mean())

    def warnings(self, page: Page, scan: Counts) -> list[str]:
        found = super().warnings(page, scan)
        if scan.dpi == descriptor.DPI:
            return found
        return [*found, f"it looks like a scan at {scan.dpi:g} dpi, and was scaled to {descriptor.DPI} dpi"]

    def pooled(self, scan: Counts) -> np.ndarray:
        return np.asarray(np.exp(self.discriminants.log_probabilities(scan.vector))[0])

    def embedding(self, scan: Counts) -> np.ndarray:
        return np.asarray(self.discriminants.project(scan.vector)[0], np.float64)

    def see(self, lines: Lines, description: str, rule: Rule | None = None) -> SeenByDescriptor:
        return SeenByDescriptor(lines.counts(), self.discriminants)


def _counts(lines: list[np.ndarray], dpi: float) -> Counts:
    counted = [descriptor.counts(descriptor.at_dpi(line, dpi)) for line in lines]
    return Counts(np.stack(counted), float(dpi))


def load(path: str | os.PathLike[str], calibration: Calibration) -> Recognizer[Any]:
    """Opens a checkpoint.

    Args:
      path: of best.keras or best.descriptor.
      calibration: of the checkpoint, see `inputs.open_calibration`.

    Raises:
      CheckpointError: it cannot be read.
    """
    path = pathlib.Path(path)
    discriminants, fusion = checkpoints.read_descriptor(path)
    if discriminants is not None and not checkpoints.has_network(path):
        with checkpoints.readable(path):
            return DescriptorRecognizer(path, calibration, discriminants)
    from iam_writer.recognition import network_recognizer  # TensorFlow takes seconds to load.

    with checkpoints.readable(path):
        network = network_recognizer.NetworkRecognizer(path, calibration)
    if discriminants is None or fusion is None:
        return network
    hands = DescriptorRecognizer(path, calibration, discriminants)
    return network_recognizer.FusedRecognizer(path, calibration, network, hands, fusion)
