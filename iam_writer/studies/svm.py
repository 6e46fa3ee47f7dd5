"""A support vector machine on hand-made features: what was done before networks, to see what they buy."""

import concurrent.futures
import dataclasses
import io
import json
import logging
import multiprocessing
import pathlib
import time

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from iam_writer.common.files import write_beside
from iam_writer.common.provenance import provenance
from iam_writer.iam_writer_dataset_builder import prepare
from iam_writer.recognition import scoring
from iam_writer.recognition.rule import LOG_PROBABILITIES, Rule
from iam_writer.studies import hand_made_features
from pipelines.strips import Example, examples_of_split
from pipelines.system.cores import usable_cores
from pipelines.system.progress import progress_bar

log = logging.getLogger(__name__)

PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Values of the SVM's C to choose from."""


@dataclasses.dataclass(frozen=True)
class Split:
    """What is known of a split's lines.

    Attributes:
      counts: int64 `[lines, SIZE]`, see `hand_made_features`.
      labels: int64 `[lines]`.
      forms: `[lines]` names.
      widths: float `[lines]`, in multiples of their height.
    """

    counts: np.ndarray
    labels: np.ndarray
    forms: np.ndarray
    widths: np.ndarray

    def pooled(self) -> "Split":
        """The forms, as if each were one long line."""
        names, first, form = np.unique(self.forms, return_index=True, return_inverse=True)
        counts = np.zeros((len(names), self.counts.shape[1]), self.counts.dtype)
        np.add.at(counts, form, self.counts)
        return Split(counts, self.labels[first], names, np.bincount(form, self.widths))


def run(
    *,
    dataset: str,
    manual_dir: str | None,
    data_dir: str | None,
    max_bad_images: float,
    processes: int | None,
    workdir: str,
) -> dict[str, dict[str, float]]:
    """Extracts the features, trains, chooses C by validation lines, and evaluates.

    Args: see the flags of the same names of `iam_writer.studies.baseline`.

    Returns:
      'validation' and 'test' → the lines' and forms' part of what `scoring.accuracies` returns; also written to
      `<workdir>/result.json`.

    Raises:
      InputError: of the kinds in `errors`.
      OSError: something cannot be written.
    """
    config = {**locals(), "model": "svm"}
    began = time.monotonic()
    pathlib.Path(workdir).mkdir(parents=True, exist_ok=True)
    builder = prepare(
        dataset.partition("/")[2],
        data_dir=data_dir,
        manual_dir=manual_dir,
        max_bad_images=max_bad_images,
    )
    splits = {name: _extract(builder, name, processes) for name in ("train", "validation", "test")}
    extracted = time.monotonic()

    classes = builder.info.features["writer"].num_classes
    tried = []
    for penalty in PENALTIES:
        machine = train(splits["train"], penalty)
        result = evaluate(machine, splits["validation"], classes)
        log.info("C=%g: validation lines %.1f %%", penalty, 100 * result["line_top1"])
        tried.append((penalty, machine, result))
    # Of equals the first, which is the most regular.
    penalty, machine, result = max(tried, key=lambda entry: entry[2]["line_top1"])
    results = {"validation": result, "test": evaluate(machine, splits["test"], classes)}

    summary = {
        f"{split}.{name}": value for split, result in results.items() for name, value in result.items()
    }
    now = time.monotonic()
    summary |= {
        "minutes": (now - began) / 60,
        "train.minutes": (now - extracted) / 60,
        "train.lines": len(splits["train"].labels),
        "train.C": penalty,
        "train.validation_line_top1_by_C": {
            f"{c:g}": tried_result["line_top1"] for c, _, tried_result in tried
        },
        "dataset": builder.info.full_name,
        "dataset_fingerprint": builder.info.metadata["fingerprint"],
        "config": config,
    }
    summary |= provenance(["scikit-learn", "opencv-python-headless"])
    write_beside(pathlib.Path(workdir) / "result.json", json.dumps(summary, indent=2) + "\n")
    return results


def train(split: Split, penalty: float) -> Pipeline:
    """A linear machine for each pair of writers, on the lines' standardised features."""
    machine = make_pipeline(StandardScaler(), SVC(kernel="linear", C=penalty, cache_size=500))
    return machine.fit(hand_made_features.features(split.counts), split.labels)


def evaluate(machine: Pipeline, split: Split, classes: int) -> dict[str, float]:
    """What `scoring.accuracies` says of lines, and of forms by their pooled counts.

    Args:
      machine: what `train` returned.
      split: its lines.
      classes: how many writers there are; one that the machine has not seen is never named.
    """

    def accuracies(part: Split) -> dict[str, float]:
        # Duels won, and by how much. These are no probabilities, but rank like them.
        scores = np.full((len(part.labels), classes), -np.inf)
        decided = machine.decision_function(hand_made_features.features(part.counts))
        if decided.ndim == 1:  # Of two writers there is one duel.
            decided = np.stack([-decided, decided], axis=1)
        scores[:, machine.classes_] = decided
        none = np.zeros(len(part.labels), np.int64)
        scanned = scoring.Scan(
            scores,
            votes=none + 1,
            blank=none > 0,
            windows=none + 1,
            top1=none,
            top5=none,
            rule=Rule(stride=1, combine=LOG_PROBABILITIES),
        )
        return scoring.accuracies(scanned, part.labels, part.forms, part.widths)

    lines, forms = accuracies(split), accuracies(split.pooled())
    found = {
        name: value for name, value in lines.items() if name.startswith("line") and "entropy" not in name
    }
    found |= {name: value for name, value in forms.items() if name.startswith("form_")}
    return found | {name: lines[name] for name in ("lines", "forms", "writers")}


def _extract(builder: tfds.core.DatasetBuilder, split: str, processes: int | None) -> Split:
    """The features of a split's lines."""
    examples = list(examples_of_split(builder, split, label="writer", group="form"))
    # Spawned, not forked: a copy of a process in which TensorFlow runs threads may hang.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(processes or usable_cores(), mp_context=context) as pool:
        found = pool.map(hand_made_features.counts, [example.image for example in examples], chunksize=16)
        counts = list(progress_bar(found, total=len(examples), desc=split, unit=" images"))
    labels, forms = ([getattr(example, name) for example in examples] for name in ("label", "group"))
    return Split(np.stack(counts), np.array(labels), np.array(forms), np.array(list(map(_width, examples))))


def _width(example: Example) -> float:
    """In multiples of its height."""
    with Image.open(io.BytesIO(example.image)) as image:  # Reads the header only.
        return image.width / image.height
