"""A network looks at all windows of the lines of a split. The only scan of splits: training, evaluate and the studies use it."""

import dataclasses
import math
from collections.abc import Generator, Iterable, Sequence

import keras
import numpy as np

from iam_writer.common.devices import gpus, on_jax
from iam_writer.models.sizes import at_sizes
from iam_writer.recognition import scoring
from iam_writer.recognition.device_scan import WINDOWS, Looked, looks
from iam_writer.recognition.rule import Rule
from iam_writer.recognition.seen import Seen
from pipelines.strips import Strips
from pipelines.system.progress import progress_bar
from pipelines.windows import window_starts, windows

BATCH = 256
"""Windows that a network looks at together."""

BLANK = 1e-6
"""The weight of a line or a window without ink; one with ink has weight 1. So a piece of blank lines still gets an answer."""


def seeing(model: keras.Model, sizes: Sequence[float] = (1.0,)) -> keras.Model:
    """A network of the same weights that gives two outputs.

    Args:
      model: the network.
      sizes: see `Rule.sizes`.

    Returns:
      uint8 windows `[n, width, height]` → float32 logits `[n, classes]`, and the embedding before them, float
      `[n, embedding]`.
    """
    both = at_sizes(keras.Model(model.input, [model.output, model.get_layer("embedding").output]), sizes)
    if not (gpus() or on_jax()):
        both.jit_compile = False  # TensorFlow's XLA made the article's network four times slower on a CPU.
    return both


def cut(columns: np.ndarray, width: int, stride: int) -> np.ndarray:
    """The windows of a laid line: uint8 `[columns, height]` → a view, uint8 `[windows, width, height]`."""
    every = np.lib.stride_tricks.sliding_window_view(columns, width, axis=0)
    return every[::stride].transpose(0, 2, 1)


@dataclasses.dataclass(frozen=True)
class SeenByNetwork:
    """What a network says of the lines of a split, see `seen.Seen`.

    Attributes:
      scan: sums over the windows that vote.
      embeddings: float64 `[lines, embedding]`, sums over the same windows; those of lines without ink times BLANK.
      amounts: float64 `[lines]`, how much writing the windows see, in window widths.
    """

    scan: scoring.Scan
    embeddings: np.ndarray
    amounts: np.ndarray

    def alone(self) -> dict[str, Seen]:
        """See `seen.Seen`."""
        return {}

    def answers(self, lines: np.ndarray, forms: np.ndarray) -> scoring.Answers:
        """See `scoring.Scan.answers`."""
        return self.scan.answers(lines, forms)

    def pooled(self, pieces: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """See `seen.Seen`. The answers follow the rule of the scan."""
        pieces = list(pieces)
        weight = np.where(self.scan.blank, BLANK, 1.0)
        sums = np.array([weight[piece] @ self.scan.scores[piece] for piece in pieces])
        counts = np.array([weight[piece] @ self.scan.votes[piece] for piece in pieces])
        amounts = np.array([self.amounts[piece].sum() for piece in pieces])
        return self.scan.rule.answers(sums / counts[:, None]), amounts

    def embedded(self, pieces: Iterable[np.ndarray]) -> np.ndarray:
        """See `seen.Seen`: the mean embeddings of the windows with ink."""
        return np.array(
            [self.embeddings[piece].sum(axis=0) / self.scan.votes[piece].sum() for piece in pieces]
        )


def see(model: keras.Model, strips: Strips, rule: Rule, description: str) -> SeenByNetwork:
    """Looks at all windows of a split.

    Args:
      model: what `seeing` returns.
      strips: the split.
      rule: the answer rule.
      description: such as 'validation', for the progress bar.
    """
    _, width, _ = model.input_shape
    classes, size = (output.shape[-1] for output in model.outputs)
    starts, images = window_starts(strips, window_width=width, stride=rule.stride)
    if gpus():
        batches, number = looks(model, strips, starts, rule), math.ceil(len(starts) / WINDOWS)
    else:
        batches, number = _looks_on_host(model, strips, rule), math.ceil(len(starts) / BATCH)
    sums = np.zeros([len(strips), size])

    def answers() -> Generator[tuple[np.ndarray, np.ndarray], None, None]:
        first = 0
        for looked in progress_bar(
            batches, total=number, desc=f"scanning {description}", unit=" batches", leave=False
        ):
            image = images[first : first + len(looked.logits)]
            first += len(looked.logits)
            weight = np.where(looked.has_ink, 1.0, BLANK)[: len(image)]
            np.add.at(sums, image, looked.embeddings[: len(image)] * weight[:, None])
            yield looked.logits, looked.has_ink

    scanned = scoring.add_up(answers(), images, strips.labels, classes, rule)
    return SeenByNetwork(scanned, sums, scanned.votes * rule.stride / width)


def _looks_on_host(model: keras.Model, strips: Strips, rule: Rule) -> Generator[Looked, None, None]:
    """What a network says of all windows, which the host gathers; see `device_scan.looks`."""
    _, width, _ = model.input_shape
    batches, _ = windows(strips, window_width=width, batch_size=BATCH, stride=rule.stride)
    for batch in batches.as_numpy_iterator():
        logits, embeddings = map(np.asarray, model.predict_on_batch(batch))
        yield Looked(logits, embeddings, rule.has_ink(batch))


def evaluate(model: keras.Model, strips: Strips, rule: Rule, description: str) -> scoring.Accuracies:
    """What `scoring.accuracies` says of a split. Args: see `see`."""
    scanned = see(model, strips, rule, description).scan
    answers = scanned.answers(np.ones(len(strips), bool), strips.groups)
    return scoring.accuracies(answers, strips.labels, strips.groups, strips.widths)
