"""A trained network at work, alone or together with the hand descriptor: pages → windows → answers."""

import dataclasses
import io
import pathlib

import keras
import numpy as np
from PIL import Image

from iam_writer.handwriting.pages import Page
from iam_writer.recognition import checkpoints
from iam_writer.recognition.calibration import Calibration
from iam_writer.recognition.fusion import Fusion, SeenByBoth
from iam_writer.recognition.recognizer import Counts, DescriptorRecognizer, Recognizer
from iam_writer.recognition.rule import Rule, softmax
from iam_writer.recognition.scanning import BATCH, SeenByNetwork, cut, see, seeing
from iam_writer.recognition.seen import Lines
from pipelines.strips import lay


@dataclasses.dataclass(frozen=True)
class WindowScan:
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

    @property
    def lines(self) -> int:
        return len(np.unique(self.line[self.votes]))

    @property
    def windows(self) -> int:
        return int(self.votes.sum())


class NetworkRecognizer(Recognizer[WindowScan]):
    """A network.

    Attributes:
      height: of a patch.
      width: of a patch.
      rule: the answer rule.
    """

    rule: Rule

    def __init__(self, path: pathlib.Path, calibration: Calibration):
        super().__init__(path, calibration)
        self.height, self.width = self.run["patch_height"], self.run["patch_width"]
        self.rule = checkpoints.read_rule(path)
        self._model = seeing(checkpoints.load(path), self.rule.sizes)

    def lay(self, page: Page) -> list[np.ndarray]:
        """The lines of a page as the network knows them: uint8 `[columns, height]` each, black on white."""
        return [lay(_file(line.image), self.height, self.width, black_on_white=True) for line in page.lines]

    def scan(self, page: Page, upside_down: bool = False) -> WindowScan:
        step = -1 if upside_down else 1
        return self.scan_laid([line[::step, ::step] for line in self.lay(page)])

    def scan_laid(self, laid: list[np.ndarray]) -> WindowScan:
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
        return WindowScan(softmax(logits), embeddings, line, column, votes, float(amount))

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

    def see(self, lines: Lines, description: str, rule: Rule | None = None) -> SeenByNetwork:
        return see(self._model, lines.strips, rule or self.rule, description)

    def pooled(self, scan: WindowScan) -> np.ndarray:
        votes = self.rule.votes(scan.probabilities[scan.votes])
        return self.rule.answers(votes.mean(axis=0, dtype=np.float64, keepdims=True))[0]

    def embeddings(self, scan: WindowScan) -> np.ndarray:
        """The embeddings of the windows that have ink."""
        return scan.embeddings[scan.votes]

    def embedding(self, scan: WindowScan) -> np.ndarray:
        return self.embeddings(scan).mean(axis=0, dtype=np.float64)


@dataclasses.dataclass(frozen=True)
class BothScans:
    """What a network and the hand descriptor have found on the lines of a page."""

    network: WindowScan
    descriptor: Counts

    @property
    def amount(self) -> float:
        return self.network.amount

    @property
    def lines(self) -> int:
        return self.network.lines

    @property
    def windows(self) -> int:
        return self.network.windows


class FusedRecognizer(Recognizer[BothScans]):
    """A network and the hand descriptor together.

    Attributes:
      network: its network.
      descriptor: its descriptor.
      fusion: how their answers become one.
    """

    def __init__(
        self,
        path: pathlib.Path,
        calibration: Calibration,
        network: NetworkRecognizer,
        descriptor: DescriptorRecognizer,
        fusion: Fusion,
    ):
        super().__init__(path, calibration)
        self.network, self.descriptor, self.fusion = network, descriptor, fusion
        self.rule = network.rule

    def scan(self, page: Page, upside_down: bool = False) -> BothScans:
        return BothScans(self.network.scan(page, upside_down), self.descriptor.scan(page, upside_down))

    def pooled(self, scan: BothScans) -> np.ndarray:
        network = self.network.pooled(scan.network)[None], np.array([scan.network.amount])
        descriptor = self.descriptor.pooled(scan.descriptor)[None], np.array([scan.descriptor.amount])
        return self.fusion.pooled(network, descriptor)[0][0]

    def embedding(self, scan: BothScans) -> np.ndarray:
        network, descriptor = (
            self.network.embedding(scan.network),
            self.descriptor.embedding(scan.descriptor),
        )
        return self.fusion.embedded(network[None], descriptor[None])[0]

    def see(self, lines: Lines, description: str, rule: Rule | None = None) -> SeenByBoth:
        network = self.network.see(lines, description, rule)
        return SeenByBoth(network, self.descriptor.see(lines, description), self.fusion)


def _file(gray: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(gray).save(file, "PPM")  # Takes no time to encode.
    return file.getvalue()
