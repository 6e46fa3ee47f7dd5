"""The end of a run: from what was learnt to the answers of its checkpoint, and how good they are."""

import dataclasses
import functools

import keras
import numpy as np

from iam_writer.common.datasets import parts
from iam_writer.recognition import discriminants, fusion, line_counts, scoring, seen
from iam_writer.recognition.calibrate import calibrate
from iam_writer.recognition.calibration import Calibration
from iam_writer.recognition.checkpoints import Finish
from iam_writer.recognition.discriminants import SeenByDescriptor
from iam_writer.recognition.evaluation import calibration_errors
from iam_writer.recognition.fusion import SeenByBoth
from iam_writer.recognition.rule import Rule
from iam_writer.recognition.scanning import see
from iam_writer.recognition.seen import Seen
from iam_writer.training.data import Data

SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Finished:
    """How a run ends.

    Attributes:
      finish: what the checkpoint gets.
      results: see `seen.accuracies`, for 'validation' and 'test'. A fused checkpoint also has 'test.network' and
        'test.descriptor', the accuracies of each alone.
      calibration_errors: for each of `results` that has a calibration of its own, see `evaluation.calibration_errors`.
    """

    finish: Finish
    results: dict[str, scoring.Accuracies]
    calibration_errors: dict[str, dict[str, float]]


@dataclasses.dataclass(frozen=True)
class Part:
    """A network or a descriptor, or both, on all splits.

    Attributes:
      seen: what it says of each split.
      calibration: of its answers.
    """

    seen: dict[str, Seen]
    calibration: Calibration


def finish_network(data: Data, best: keras.Model, rule: Rule, fuse: str) -> Finished:
    """Scans the splits with the best network, and fuses it with the descriptor if that is asked for or helps.

    Args:
      data: of the run.
      best: what `scanning.seeing` returns.
      rule: the answer rule.
      fuse: 'none', 'descriptor', or 'auto': fuse if validation lines are answered better than by the network alone.
    """
    scanned: dict[str, Seen] = {
        split: see(best, data.strips[split], rule, split) for split in ("validation", "test")
    }
    # Each part of the training lines is seen once.
    _, width, _ = best.input_shape
    scanned["train"] = see(best, data.strips["train"], Rule(stride=width), "training lines, to calibrate")
    network = _calibrated(data, scanned, rule.combine)
    if fuse != "none":
        found, hands = _descriptor(data)
        chosen = fusion.choose(
            network.seen["validation"],
            hands.seen["validation"],
            data.strips["validation"].labels,
            data.strips["validation"].groups,
            network.calibration.temperature,
            hands.calibration.temperature,
        )
        together: dict[str, Seen] = {
            split: SeenByBoth(network.seen[split], hands.seen[split], chosen) for split in SPLITS
        }
        if fuse == "descriptor" or _helps(data, together["validation"], network.seen["validation"]):
            both = _calibrated(data, together, rule.combine)
            finish = Finish(both.calibration, rule, found, chosen)
            return _finished(data, finish, both, {"network": network, "descriptor": hands})
    return _finished(data, Finish(network.calibration, rule), network, {})


def finish_descriptor(data: Data) -> Finished:
    """Learns the hands of the writers by the descriptor alone."""
    found, hands = _descriptor(data)
    return _finished(data, Finish(hands.calibration, None, found), hands, {})


def _descriptor(data: Data) -> tuple[discriminants.Discriminants, Part]:
    counts = {split: line_counts.of_split(data.builders, split) for split in SPLITS}
    train, validation = data.strips["train"], data.strips["validation"]
    variations = line_counts.of_variations(data.builders, "train")
    lines = counts["train"], train.labels, train.groups, train.ids
    found = discriminants.learn(*lines, variations, len(data.writers))
    found = found.calibrated(discriminants.vectors(counts["validation"]), validation.labels)
    seen_by: dict[str, Seen] = {split: SeenByDescriptor(counts[split], found) for split in SPLITS}
    return found, _calibrated(data, seen_by)


def _calibrated(data: Data, of_splits: dict[str, Seen], *combine: str) -> Part:
    strips = data.strips
    found = calibrate(
        of_splits["train"], strips["train"], of_splits["validation"], strips["validation"], *combine
    )
    return Part(of_splits, found)


def _helps(data: Data, both: Seen, network: Seen) -> bool:
    """Whether both together name at least as many validation lines rightly as the network alone."""
    strips = data.strips["validation"]
    every = np.ones(len(strips), bool)
    fused, alone = (
        (scoring.rank_of_truth(one.answers(every, strips.groups).lines, strips.labels) < 1).sum()
        for one in (both, network)
    )
    return bool(fused >= alone)


def _finished(data: Data, finish: Finish, answering: Part, alone: dict[str, Part]) -> Finished:
    results: dict[str, scoring.Accuracies] = {}
    errors = {}
    joint = {"dataset": [f"iam_writer/{config}" for config in data.builders], "writers": data.writers}
    for split in ("validation", "test"):
        strips = data.strips[split]
        results |= seen.accuracies(
            answering.seen[split],
            split,
            strips,
            parts(joint, strips.labels),
        )
        of = functools.partial(calibration_errors, labels=strips.labels, forms=strips.groups)
        errors[split] = of(answering.seen[split], answering.calibration)
        errors |= {f"{split}.{name}": of(part.seen[split], part.calibration) for name, part in alone.items()}
    return Finished(finish, results, errors)
