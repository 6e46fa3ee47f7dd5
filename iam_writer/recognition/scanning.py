"""A network looks at the windows of lines: of a split of a dataset, or of a page."""

import dataclasses
from collections.abc import Iterable

import keras
import numpy as np

from iam_writer.recognition import scoring
from pipelines.strips import Strips
from pipelines.system.progress import progress_bar
from pipelines.windows import windows

BATCH = 256


BLANK = 1e-6
"""What a window or a line without ink counts, one with ink counting 1: it decides where there is nothing else."""


def seeing(model: keras.Model) -> keras.Model:
    """The model, giving logits and the embedding before them."""
    return keras.Model(model.input, [model.output, model.get_layer("embedding").output])


def stride(width: int) -> int:
    """Columns from a window to the next: each part of the ink is seen four times."""
    return max(1, width // 4)


def cut(columns: np.ndarray, width: int, stride: int) -> np.ndarray:
    """The windows of a laid line: uint8 `[columns, height]` → a view, uint8 `[windows, width, height]`."""
    return np.lib.stride_tricks.sliding_window_view(columns, width, axis=0)[::stride].transpose(0, 2, 1)


@dataclasses.dataclass(frozen=True)
class Seen:
    """What a network says of the lines of a split, over the windows that vote.

    Attributes:
      scan: sums over these windows.
      embeddings: float64 `[lines, embedding]`, sums too.
      amounts: float64 `[lines]`, of writing, in window widths.
    """

    scan: scoring.Scan
    embeddings: np.ndarray
    amounts: np.ndarray

    def accuracies(
        self, split: str, strips: Strips, parts: dict[str, np.ndarray]
    ) -> dict[str, dict[str, float]]:
        """See `scoring.accuracies_of_parts`."""
        return scoring.accuracies_of_parts(split, self.scan, strips, parts)

    def pooled(self, pieces: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Mean softmax float `[pieces, classes]` and amount of writing float `[pieces]` of some lines together each."""
        pieces = list(pieces)
        weight = np.where(self.scan.blank, BLANK, 1.0)
        sums = np.array([weight[piece] @ self.scan.scores[piece] for piece in pieces])
        counts = np.array([weight[piece] @ self.scan.votes[piece] for piece in pieces])
        return sums / counts[:, None], np.array([self.amounts[piece].sum() for piece in pieces])

    def embedded(self, pieces: Iterable[np.ndarray]) -> np.ndarray:
        """Mean embeddings float `[pieces, embedding]`."""
        return np.array(
            [self.embeddings[piece].sum(axis=0) / self.scan.votes[piece].sum() for piece in pieces]
        )


def see(model: keras.Model, strips: Strips, stride: int, description: str) -> Seen:
    """Scans a split.

    Args:
      model: what `seeing` returns.
      strips: the split.
      stride: columns from a window to the next.
      description: for the progress bar.
    """
    _, width, _ = model.input_shape
    batches, images = windows(strips, window_width=width, batch_size=BATCH, stride=stride)
    classes, size = (output.shape[-1] for output in model.outputs)
    sums, first = np.zeros([len(strips), size]), 0

    def predict(batch: np.ndarray) -> np.ndarray:
        nonlocal first
        logits, embeddings = map(np.asarray, model.predict_on_batch(batch))
        image = images[first : first + len(batch)]
        first += len(batch)
        # A line without any window that has ink must be told by something.
        weight = np.where(scoring.has_ink(batch), 1.0, BLANK)[: len(image)]
        np.add.at(sums, image, embeddings[: len(image)] * weight[:, None])
        return logits

    progress = progress_bar(batches, desc=description, unit=" batches", leave=False)
    scanned = scoring.scan(predict, progress, images, strips.labels, classes)
    return Seen(scanned, sums, scanned.votes * stride / width)


WINDOW_BATCH = 1024


def evaluate(
    model: keras.Model, strips: Strips, classes: int, stride: int, combine: str, description: str
) -> dict[str, float]:
    """Scans the windows of a split, see `scan`, and tells what `scoring.accuracies` does."""
    scanned = scan(model, strips, classes, stride, combine, description)
    return scoring.accuracies(scanned, strips.labels, strips.groups, strips.widths)


def scan(
    model: keras.Model, strips: Strips, classes: int, stride: int, combine: str, description: str
) -> scoring.Scan:
    """Scans the windows of a split at a stride of so many columns."""
    _, width, _ = model.input_shape
    batches, images = windows(strips, window_width=width, batch_size=WINDOW_BATCH, stride=stride)
    progress = progress_bar(batches, desc=f"scanning {description}", unit=" batches", leave=False)
    return scoring.scan(model.predict_on_batch, progress, images, strips.labels, classes, combine)
