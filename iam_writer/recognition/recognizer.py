"""A trained network at work: pages → windows → what they say of the writer, and what they show of the hand."""

import dataclasses
import io
import os
import pathlib

import keras
import numpy as np
from PIL import Image

from iam_writer.handwriting import pages
from iam_writer.handwriting.pages import Page
from iam_writer.recognition import checkpoints
from iam_writer.recognition.calibration import Calibration
from iam_writer.recognition.gallery import Gallery
from iam_writer.recognition.rule import Rule, softmax
from iam_writer.recognition.scanning import BATCH, Seen, cut, see, seeing
from iam_writer.recognition.verdict import Verdict, decide, doubts
from pipelines.strips import Strips, lay


@dataclasses.dataclass(frozen=True)
class Scan:
    """What a network says of the windows of some lines.

    Attributes:
      probabilities: float32 `[windows, classes]`, before calibration.
      embeddings: float32 `[windows, embedding]`.
      line: int64 `[windows]`, the number of the line.
      column: int64 `[windows]`, where in the laid line it begins.
      votes: bool `[windows]`, whether it has ink.
      amount: window widths of text, as calibration counts.
    """

    probabilities: np.ndarray
    embeddings: np.ndarray
    line: np.ndarray
    column: np.ndarray
    votes: np.ndarray
    amount: float


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


class Recognizer:
    """A network with its calibration.

    Attributes:
      writers: names of the classes.
      height: of a patch.
      width: of a patch.
      rule: the answer rule.
      fingerprint: of the checkpoint.
      run: what it was trained on.
      calibration: of its answers.
    """

    def __init__(self, path: str | os.PathLike[str], calibration: Calibration):
        path = pathlib.Path(path)
        self.run = checkpoints.read_state(path)["run"]
        self.writers: list[str] = self.run["writers"]
        self.height, self.width = self.run["patch_height"], self.run["patch_width"]
        self.rule = checkpoints.read_rule(path)
        self.fingerprint = checkpoints.fingerprint(path)
        self.calibration = calibration
        self._model = seeing(checkpoints.load(path))

    def lay(self, page: Page) -> list[np.ndarray]:
        """The lines of a page as the network knows them: uint8 `[columns, height]` each, black on white."""
        return [lay(_file(line.image), self.height, self.width, black_on_white=True) for line in page.lines]

    def scan(self, laid: list[np.ndarray]) -> Scan:
        """Looks at the windows of laid lines."""
        of_line = [cut(columns, self.width, self.rule.stride) for columns in laid]
        every = np.concatenate(of_line)
        logits, embeddings = self.look(every)
        line = np.repeat(np.arange(len(of_line)), [len(some) for some in of_line])
        column = np.concatenate([np.arange(len(some)) * self.rule.stride for some in of_line])
        votes = self.rule.has_ink(every)
        if not votes.any():
            votes[:] = True
        amount = votes.sum() * self.rule.stride / self.width
        return Scan(softmax(logits), embeddings, line, column, votes, float(amount))

    def look(self, patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """float32 logits `[n, classes]` and embeddings `[n, embedding]` of uint8 patches `[n, width, height]`."""
        # Called, not `predict`ed, which would compile for seconds to save fractions of one.
        parts = [
            self._model(np.ascontiguousarray(patches[i : i + BATCH]), training=False)
            for i in range(0, len(patches), BATCH)
        ]
        logits, embeddings = (
            np.concatenate([keras.ops.convert_to_numpy(part[i]) for part in parts]).astype(np.float32)
            for i in (0, 1)
        )
        return logits, embeddings

    def see(self, strips: Strips, description: str, rule: Rule | None = None) -> Seen:
        """Looks at a split of a dataset, see `scanning.see`; by the network's rule, if no other is given."""
        return see(self._model, strips, rule or self.rule, description)

    def pooled(self, scan: Scan) -> np.ndarray:
        """The answer by the rule, before calibration; float64 `[classes]`. There must be a window that votes."""
        votes = self.rule.votes(scan.probabilities[scan.votes])
        return self.rule.answers(votes.mean(axis=0, dtype=np.float64, keepdims=True))[0]

    def answer(self, scan: Scan) -> Answer:
        """The calibrated answer. There must be a window that votes."""
        pooled = self.pooled(scan)
        probabilities = self.calibration.probabilities(pooled[None], np.array([scan.amount]))[0]
        likeness = self.calibration.likeness(self.embedding(scan)[None], np.array([pooled.argmax()]))
        return Answer(probabilities, float(likeness[0]), self.calibration.threshold(scan.amount))

    def embedding(self, scan: Scan) -> np.ndarray:
        """The mean embedding of the windows that have ink; float64 `[embedding]`."""
        return scan.embeddings[scan.votes].mean(axis=0, dtype=np.float64)

    def is_upside_down(self, page: Page, scan: Scan) -> bool | None:
        """Looks at a page upside down, and says whether it is more like a known hand that way.

        A known hand is most like itself the right way up. The network is right about 58 of 59 validation forms of IAM's
        top50, whichever way up they are. `pages` sees only the shape of the lines: it is right about 54 forms that are the
        right way up, and about 47 that are upside down.

        Args:
          page: as it was read.
          scan: what the network says of the page as it was read.

        Returns:
          None if the network knows the hand neither way up. Then the network cannot say.
        """
        as_it_is = self.answer(scan)
        turned = self.answer(self.scan([line[::-1, ::-1] for line in self.lay(page)]))
        if not (as_it_is.known or turned.known):
            return None
        return turned.likeness > as_it_is.likeness

    def warnings(self, page: Page, scan: Scan) -> list[str]:
        """What is odd about a page, in sentences. The network's word on `is_upside_down` replaces that of `pages`."""
        upside_down = self.is_upside_down(page, scan)
        if upside_down is None:
            return page.warnings
        others = [text for text in page.warnings if text != pages.UPSIDE_DOWN]
        return [*others, pages.UPSIDE_DOWN] if upside_down else others

    def verdict(self, file: str, page: Page, scan: Scan, gallery: Gallery | None = None) -> Verdict:
        """Says which writer wrote a page: one of the gallery if there is one, else one that the network was trained on."""
        warnings = [*self.warnings(page, scan), *doubts(self.calibration, self.rule, scan.amount)]
        voting = {"lines": len(np.unique(scan.line[scan.votes])), "windows": int(scan.votes.sum())}
        if gallery is not None:
            names = gallery.writers
            probabilities, known = gallery.rank(self.embedding(scan), self.calibration)
        else:
            answer = self.answer(scan)
            names, probabilities, known = self.writers, answer.probabilities, answer.known
        return decide(file, names, probabilities, known, warnings=warnings, **voting)


def _file(gray: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(gray).save(file, "PPM")  # Takes no time to encode.
    return file.getvalue()
