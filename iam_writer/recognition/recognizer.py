"""A trained network at work: pages → windows → what they say of the writer, and what they show of the hand."""

import dataclasses
import io
import os
import pathlib
from collections.abc import Iterable

import keras
import numpy as np
from PIL import Image

from iam_writer.handwriting import pages
from iam_writer.handwriting.pages import Page
from iam_writer.recognition import calibration as calibrations
from iam_writer.recognition import checkpoints, scoring
from iam_writer.recognition.calibration import Calibration
from iam_writer.recognition.gallery import Gallery
from iam_writer.recognition.verdict import Verdict, decide, doubts
from pipelines.strips import Strips, lay
from pipelines.system.progress import progress_bar
from pipelines.windows import windows

BATCH = 256

BLANK = 1e-6
"""What a window or a line without ink counts, one with ink counting 1: it decides where there is nothing else."""


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
      probabilities: float64 `[classes]`, calibrated, given that it is one of the known writers.
      likeness: with the hand of the likeliest of them.
      threshold: below it the hand is taken for an unknown one.
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
      stride: columns from a window to the next.
      fingerprint: of the checkpoint.
      run: what it was trained on.
      calibration: of its answers.
    """

    def __init__(self, path: str | os.PathLike, calibration: Calibration):
        path = pathlib.Path(path)
        self.run = checkpoints.read_state(path)["run"]
        self.writers: list[str] = self.run["writers"]
        self.height, self.width = self.run["patch_height"], self.run["patch_width"]
        self.stride = stride(self.width)
        self.fingerprint = checkpoints.fingerprint(path)
        self.calibration = calibration
        self._model = seeing(checkpoints.load(path))

    def lay(self, page: Page) -> list[np.ndarray]:
        """The lines of a page as the network knows them: uint8 `[columns, height]` each, black on white."""
        return [lay(_file(line.image), self.height, self.width, black_on_white=True) for line in page.lines]

    def scan(self, laid: list[np.ndarray]) -> Scan:
        """Looks at the windows of laid lines."""
        of_line = [cut(columns, self.width, self.stride) for columns in laid]
        every = np.concatenate(of_line)
        logits, embeddings = self.look(every)
        line = np.repeat(np.arange(len(of_line)), [len(some) for some in of_line])
        column = np.concatenate([np.arange(len(some)) * self.stride for some in of_line])
        votes = scoring.has_ink(every)
        if not votes.any():
            votes[:] = True
        amount = votes.sum() * self.stride / self.width
        return Scan(scoring.softmax(logits), embeddings, line, column, votes, float(amount))

    def look(self, patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """float32 logits `[n, classes]` and embeddings `[n, embedding]` of uint8 patches `[n, width, height]`."""
        # Called, not `predict`ed, which would compile for seconds to save fractions of one.
        parts = [
            self._model(np.ascontiguousarray(patches[i : i + BATCH]), training=False)
            for i in range(0, len(patches), BATCH)
        ]
        return tuple(
            np.concatenate([keras.ops.convert_to_numpy(part[i]) for part in parts]).astype(np.float32)
            for i in (0, 1)
        )

    def see(self, strips: Strips, stride: int, description: str) -> "Seen":
        """Scans a split of a dataset, see the function of this name."""
        return see(self._model, strips, stride, description)

    def answer(self, scan: Scan) -> Answer:
        """The vote of all windows that have ink; there must be one."""
        pooled = scan.probabilities[scan.votes].mean(axis=0, dtype=np.float64)
        probabilities = self.calibration.probabilities(pooled[None], np.array([scan.amount]))[0]
        likeness = self.calibration.likeness(self.embedding(scan)[None], pooled.argmax(keepdims=True))
        return Answer(probabilities, float(likeness[0]), self.calibration.threshold(scan.amount))

    def embedding(self, scan: Scan) -> np.ndarray:
        """The mean embedding of the windows that have ink; float64 `[embedding]`."""
        return scan.embeddings[scan.votes].mean(axis=0, dtype=np.float64)

    def warnings(self, page: Page, scan: Scan) -> list[str]:
        """What is odd about a page, in sentences.

        Whether it is upside down the network knows best, if it knows the hand: then that is more like itself the right
        way up. Of 59 validation forms of IAM's top50 this tells 58 aright, either way up; the shape of the lines, which is
        all that `pages` has to go by, 54 and 47. Of unknown hands the network knows nothing, and the lines decide.
        """
        as_it_is, turned = (
            self.answer(seen) for seen in (scan, self.scan([line[::-1, ::-1] for line in self.lay(page)]))
        )
        if not (as_it_is.known or turned.known):
            return page.warnings
        upside_down = [pages.UPSIDE_DOWN] if turned.likeness > as_it_is.likeness else []
        return [*(text for text in page.warnings if text != pages.UPSIDE_DOWN), *upside_down]

    def verdict(self, file: str, page: Page, scan: Scan, gallery: Gallery | None = None) -> Verdict:
        """Who of the writers trained on, or of a gallery, wrote a page."""
        warnings = [*self.warnings(page, scan), *doubts(self.calibration, scan.amount)]
        voting = {"lines": len(np.unique(scan.line[scan.votes])), "windows": int(scan.votes.sum())}
        if gallery is not None:
            names = gallery.writers
            probabilities, known = gallery.rank(self.embedding(scan), self.calibration)
        else:
            answer = self.answer(scan)
            names, probabilities, known = self.writers, answer.probabilities, answer.known
        return decide(file, names, probabilities, known, warnings=warnings, **voting)


def seeing(model: keras.Model) -> keras.Model:
    """The model, giving logits and the embedding before them."""
    return keras.Model(model.input, [model.output, model.get_layer("embedding").output])


def stride(width: int) -> int:
    """Columns from a window to the next: each part of the ink is seen four times."""
    return max(1, width // 4)


def cut(columns: np.ndarray, width: int, stride: int) -> np.ndarray:
    """The windows of a laid line: uint8 `[columns, height]` → a view, uint8 `[windows, width, height]`."""
    return np.lib.stride_tricks.sliding_window_view(columns, width, axis=0)[::stride].transpose(0, 2, 1)


def _file(gray: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(gray).save(file, "PPM")  # Takes no time to encode.
    return file.getvalue()


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


def calibrate(model: keras.Model, strips: dict[str, Strips]) -> Calibration:
    """Learns from validation how sure to be, and from training in what hands differ.

    Args:
      model: as it was trained.
      strips: 'train' and 'validation'; others are not looked at.
    """
    train, validation = strips["train"], strips["validation"]
    model = seeing(model)
    _, width, _ = model.input_shape
    known = see(model, train, width, "calibrating: training lines")
    seen = see(model, validation, stride(width), "calibrating: validation lines")

    sizes = [size for size in calibrations.pieces_of_forms(validation.groups) if size]
    pooled, amounts = zip(*map(seen.pooled, sizes), strict=True)
    labels = [validation.labels[[piece[0] for piece in size]] for size in sizes]
    train_forms = calibrations.pieces_of_forms(train.groups, ())[-1]
    form_labels = train.labels[[form[0] for form in train_forms]]
    lines = calibrations.unit(known.embedded(np.arange(len(train))[:, None]))
    mean, projection = calibrations.fit_projection(lines, train.labels)

    form_hands = calibrations.unit((calibrations.unit(known.embedded(train_forms)) - mean) @ projection)
    hands = [form_hands[form_labels == writer].sum(axis=0) for writer in range(pooled[0].shape[1])]
    found = Calibration(
        temperature=calibrations.fit_temperature(*map(np.concatenate, (pooled, amounts, labels))),
        amounts=np.ones(1),
        thresholds=np.zeros(1),
        lines=np.array(len(validation)),
        forms=np.array(len(sizes[-1])),
        mean=mean,
        projection=projection,
        hands=calibrations.unit(np.array(hands)),
        pair=np.zeros(2),
        pair_threshold=np.array(0.0),
        pair_errors=np.ones(2),
        pairs=np.zeros(2, int),
        form_amount=np.array(np.median(amounts[-1])),
    )
    likeness = [
        found.likeness(seen.embedded(size), p.argmax(axis=1)) for size, p in zip(sizes, pooled, strict=True)
    ]
    knots, thresholds = calibrations.fit_thresholds(likeness, list(amounts))
    pairs = fit_pairs(
        (lines, train.labels),
        (seen.embedded(sizes[-1]), labels[-1]),
        (known.embedded(train_forms), form_labels),
    )
    return dataclasses.replace(found, amounts=knots, thresholds=thresholds, **pairs)


Labelled = tuple[np.ndarray, np.ndarray]
"""Mean embeddings float `[n, embedding]`, and whose they are, int `[n]`."""


def fit_pairs(lines: Labelled, forms: Labelled, others: Labelled, folds: int = 2) -> dict[str, np.ndarray]:
    """What pairs of a form and another one teach of telling two hands apart.

    The projection is learnt from some of the writers, and the pairs are those of the others: with one learnt from
    themselves there would be hardly an error among them, and many among strangers.

    Args:
      lines: of training, to learn projections from.
      forms: of validation; each is a partner in every pair.
      others: forms of training; the other partner is one of these, or of validation.
      folds: into so many parts the writers are divided.

    Returns:
      The fields of Calibration that begin with `pair`; none of them if there are no pairs of both kinds.
    """
    scores, same = [], []
    for fold in range(folds):
        kept = lines[1] % folds != fold
        if len(np.unique(lines[1][kept])) < 2:
            continue
        mean, projection = calibrations.fit_projection(lines[0][kept], lines[1][kept])
        hands, writers = [], []
        for embeddings, labels in (forms, others):
            of_fold = labels % folds == fold
            hands.append(calibrations.unit((calibrations.unit(embeddings[of_fold]) - mean) @ projection))
            writers.append(labels[of_fold])
        cosines = hands[0] @ np.concatenate(hands).T
        each_once = np.tri(*cosines.shape) == 0  # Of two validation forms, one order; and none with itself.
        scores.append(cosines[each_once])
        same.append((writers[0][:, None] == np.concatenate(writers)[None])[each_once])
    score, is_same = (np.concatenate([*parts, np.zeros(0)]) for parts in (scores, same))
    is_same = is_same.astype(bool)
    if is_same.all() or not is_same.any():
        return {}
    pair = calibrations.fit_logistic(score, is_same)
    threshold, *errors = calibrations.equal_error(score * pair[0] + pair[1], is_same)
    return {
        "pair": pair,
        "pair_threshold": np.array(threshold),
        "pair_errors": np.array(errors),
        "pairs": np.array([is_same.sum(), (~is_same).sum()]),
    }
