"""Names writers without a network, on the same lines: a support vector machine."""

import concurrent.futures
import dataclasses
import io
import json
import logging
import multiprocessing
import pathlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from iam_writer.common.files import write_beside
from iam_writer.common.provenance import provenance
from iam_writer.common.specs import config_of
from iam_writer.iam_writer_dataset_builder import prepare
from iam_writer.recognition import scoring
from iam_writer.studies import hand_made_features
from pipelines.strips import Example, examples_of_split
from pipelines.system.cores import usable_cores
from pipelines.system.progress import progress_bar

log = logging.getLogger(__name__)

PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Values of the SVM's C to choose from."""


@dataclasses.dataclass(frozen=True)
class Split:
    """The data of a split's lines.

    Attributes:
      counts: int64 `[lines, SIZE]`, see `hand_made_features`.
      labels: int64 `[lines]`, the writers.
      forms: `[lines]`, the names of the lines' forms.
      widths: float `[lines]`, the widths of the images in multiples of their heights.
    """

    counts: np.ndarray
    labels: np.ndarray
    forms: np.ndarray
    widths: np.ndarray

    def pooled(self) -> "Split":
        """The split's forms, each as one long line."""
        names, first, form = np.unique(self.forms, return_index=True, return_inverse=True)
        counts = np.zeros((len(names), self.counts.shape[1]), self.counts.dtype)
        np.add.at(counts, form, self.counts)
        return Split(counts, self.labels[first], names, np.bincount(form, self.widths))


def run(
    *,
    dataset: str,
    manual_dir: str | None,
    page_pattern: str | None = None,
    writer_pattern: str | None = None,
    data_dir: str | None,
    max_bad_images: float,
    processes: int | None,
    workdir: str,
) -> dict[str, scoring.Accuracies]:
    """Counts the features of each line, learns, and evaluates.

    Args: see the flags of the same names of `iam_writer.studies.baseline`.

    Returns:
      For 'validation' and 'test', the part of what `scoring.accuracies` returns that is about lines and forms. It is also
      written to `<workdir>/result.json`.

    Raises:
      InputError: one of the kinds in `errors`.
      OSError: a file cannot be written.
    """
    config = dict(locals()) | {"model": "svm"}
    began = time.monotonic()
    pathlib.Path(workdir).mkdir(parents=True, exist_ok=True)
    builder = prepare(
        config_of(dataset),
        data_dir=data_dir,
        manual_dir=manual_dir,
        max_bad_images=max_bad_images,
        page_pattern=page_pattern,
        writer_pattern=writer_pattern,
    )
    splits = {name: _extract(builder, name, processes) for name in ("train", "validation", "test")}
    extracted = time.monotonic()
    classes = builder.info.features["writer"].num_classes
    scores, about = train_svm(splits["train"], splits["validation"], classes)
    results = {name: evaluate(scores, splits[name], classes) for name in ("validation", "test")}

    summary: dict[str, Any] = {
        f"{split}.{name}": value for split, result in results.items() for name, value in result.items()
    }
    now = time.monotonic()
    summary |= {
        "minutes": (now - began) / 60,
        "train.minutes": (now - extracted) / 60,
        "train.lines": len(splits["train"].labels),
        "dataset": [builder.info.full_name],
        "dataset_fingerprint": [builder.info.metadata["fingerprint"]],
        "config": config,
    }
    summary |= about
    summary |= provenance(["scikit-learn", "opencv-python-headless"])
    write_beside(pathlib.Path(workdir) / "result.json", json.dumps(summary, indent=2) + "\n")
    return results


Scores = Callable[[np.ndarray], np.ndarray]
"""Counts `[n, SIZE]` → scores, float `[n, classes]`. The highest score names the writer.

A writer without training lines has the score -inf.
"""


def train_svm(train: Split, validation: Split, classes: int) -> tuple[Scores, dict[str, Any]]:
    """Trains a machine with each of PENALTIES, and chooses the one with the best accuracy of validation lines.

    Returns:
      The scores, and the entries of result.json about the choice.
    """
    tried = {}
    for penalty in PENALTIES:
        scores = svm_scores(train, penalty, classes)
        tried[penalty] = evaluate(scores, validation, classes)["line_top1"], scores
        log.info("C=%g: validation lines %.1f %%", penalty, 100 * tried[penalty][0])
    # `max` takes the first of several equally good penalties, which regularizes most.
    penalty = max(tried, key=lambda penalty: tried[penalty][0])
    by_penalty = {f"{penalty:g}": line_top1 for penalty, (line_top1, _) in tried.items()}
    return tried[penalty][1], {"train.C": penalty, "train.validation_line_top1_by_C": by_penalty}


def svm_scores(train: Split, penalty: float, classes: int) -> Scores:
    """Trains a linear machine for each pair of writers, on the lines' standardised features."""
    machine = make_pipeline(StandardScaler(), SVC(kernel="linear", C=penalty, cache_size=500))
    machine.fit(hand_made_features.features(train.counts), train.labels)

    def scores(counts: np.ndarray) -> np.ndarray:
        # A score is the number of pairs of writers that a writer wins, and the size of the wins. Scores are not
        # probabilities, but they rank the writers.
        found = np.full((len(counts), classes), -np.inf)
        decided = machine.decision_function(hand_made_features.features(counts))
        if decided.ndim == 1:  # Two writers make only one pair.
            decided = np.stack([-decided, decided], axis=1)
        found[:, machine.classes_] = decided
        return found

    return scores


def evaluate(scores: Scores, split: Split, classes: int) -> scoring.Accuracies:
    """The accuracies of lines, and of forms with their pooled counts. See `scoring.accuracies`.

    Args:
      scores: the function that a method has learnt.
      split: the lines to name.
      classes: the number of writers.
    """

    answers = scoring.Answers(scores(split.counts), scores(split.pooled().counts))
    return scoring.accuracies(answers, split.labels, split.forms, split.widths)


def _extract(
    builder: tfds.core.DatasetBuilder,
    split: str,
    processes: int | None,
) -> Split:
    """The features of a split's lines."""
    examples = examples_of_split(builder, split, label="writer", id="id", group="form")
    examples = sorted(examples, key=lambda example: example.id)  # In the order of the lines on their forms.
    # Processes are spawned and not forked, because a fork of a process with TensorFlow's threads may hang.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(processes or usable_cores(), mp_context=context) as pool:
        found = pool.map(hand_made_features.counts, [example.image for example in examples], chunksize=16)
        counted = list(progress_bar(found, total=len(examples), desc=split, unit=" images"))
    labels, forms = ([getattr(example, name) for example in examples] for name in ("label", "group"))
    return Split(np.stack(counted), np.array(labels), np.array(forms), np.array(list(map(_width, examples))))


def _width(example: Example) -> float:
    """The width of a line's image in multiples of its height."""
    with Image.open(io.BytesIO(example.image)) as image:  # Reads the header only.
        return image.width / image.height
