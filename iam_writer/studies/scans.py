"""A network's accuracies on unchanged lines, on corrupted lines, and on other scans. The flags are in robustness.py."""

import dataclasses
import io
import json
import pathlib
import tempfile
from collections.abc import Iterable, Iterator
from typing import NotRequired

import numpy as np
from PIL import Image

from iam_writer.common.datasets import builders, line_examples
from iam_writer.common.errors import MissingDataError
from iam_writer.common.files import write_beside
from iam_writer.common.provenance import Provenance, provenance
from iam_writer.handwriting import images
from iam_writer.recognition import checkpoints
from iam_writer.recognition.rule import Rule
from iam_writer.recognition.scanning import evaluate, seeing
from iam_writer.studies.corruptions import CORRUPTIONS, corrupted
from pipelines.strips import Example, open_or_build

CLEAN = "clean"

Accuracies = dict[str, float]
"""What `scoring.accuracies` returns."""


class Report(Provenance):
    """What `iam_writer.studies.robustness` writes.

    Attributes:
      checkpoint: its path.
      dataset: the datasets that the network was trained on.
      split: the split whose lines were scanned.
      rule: the fields of the `Rule` that the figures follow.
      rule_of_checkpoint: the fields of the `Rule` that the checkpoint keeps.
      results: the accuracies on clean lines, and under each corruption.
      same_lines: with --other_scans, the accuracies on the lines that are in both the dataset and the folder: for the
        images of the 'dataset' and for the 'other scans'.
    """

    checkpoint: str
    dataset: list[str]
    split: str
    rule: dict[str, str | int | float]
    rule_of_checkpoint: dict[str, str | int | float]
    results: dict[str, Accuracies]
    same_lines: NotRequired[dict[str, Accuracies]]


def run(
    *,
    checkpoint: str,
    data_dir: str | None,
    split: str,
    window_stride: int | None,
    combine: str | None,
    other_scans: str | None,
    output: str | None,
) -> Report:
    """Args: see the flags of the same names.

    Raises:
      InputError: one of the kinds in `errors`.
      OSError: a file cannot be written.
    """
    trained = checkpoints.read_state(pathlib.Path(checkpoint))["run"]
    own = builders(trained, data_dir)
    kept = checkpoints.read_rule(pathlib.Path(checkpoint))
    rule = kept.changed(window_stride, combine)
    model = seeing(checkpoints.load(checkpoint))
    _, width, height = model.input_shape

    def accuracies(examples: Iterable[Example], name: str) -> Accuracies:
        with tempfile.TemporaryDirectory() as folder:
            strips = open_or_build(
                pathlib.Path(folder) / name,
                lambda: examples,
                height=height,
                min_width=width,
                source=name,
                black_on_white=True,
            )
            return evaluate(model, strips, rule, name)

    def lines(part: str) -> Iterator[Example]:
        return line_examples(own, part)

    both = _in_both(lines, pathlib.Path(other_scans)) if other_scans else None

    report: Report = {
        **provenance(),
        "checkpoint": checkpoint,
        "dataset": [builder.info.full_name for builder in own.values()],
        "split": split,
        "rule": dataclasses.asdict(rule),
        "rule_of_checkpoint": dataclasses.asdict(kept),
        "results": {CLEAN: accuracies(lines(split), CLEAN)},
    }
    for name in CORRUPTIONS:
        report["results"][name] = accuracies(_corrupted(lines(split), name), name)
    if both:
        report["same_lines"] = {
            name: accuracies(some, name) for name, some in zip(("dataset", "other scans"), both, strict=True)
        }
    if output:
        write_beside(pathlib.Path(output), json.dumps(report, indent=2) + "\n")
    return report


def table(report: Report) -> str:
    """What `run` returns, as text for a person.

    Behind each accuracy of lines stands how many points it is below the accuracy of clean lines.
    """
    groups = [report["results"]]
    if "same_lines" in report:
        groups.append(report["same_lines"])
    rule, kept = (Rule(**report[name]) for name in ("rule", "rule_of_checkpoint"))
    rows = [f"Answer rule: {rule.in_words()}." + (f" {rule.instead_of(kept)}" if rule != kept else "")]
    for group in groups:
        first = next(iter(group.values()))
        head = f"{first['lines']:,} lines, {first['forms']:,} forms"
        rows.append(f"{head:24}{'patches':>9}{'lines':>9}{'drop':>7}{'forms':>9}")
        for name, result in group.items():
            drop = 100 * (first["line_top1"] - result["line_top1"])
            shares = "".join(f"{result[f'{level}_top1']:>9.1%}" for level in ("patch", "line"))
            rows.append(f"{name:24}{shares}{drop:>7.1f}{result['form_top1']:>9.1%}")
    return "\n".join(rows)


def _corrupted(examples: Iterable[Example], name: str) -> Iterator[Example]:
    for example in examples:
        with Image.open(io.BytesIO(example.image)) as picture:
            gray = np.asarray(picture.convert("L"))
        file = io.BytesIO()
        Image.fromarray(corrupted(gray, name, example.id)).save(file, "PPM")
        yield dataclasses.replace(example, image=file.getvalue())


def _in_both(lines, folder: pathlib.Path) -> tuple[list[Example], list[Example]]:
    """The lines of the dataset of which the folder has an image too, and the same lines with the folder's images."""
    own = [
        line
        for split in ("train", "validation", "test")
        for line in lines(split)
        if (folder / f"{line.id}.png").is_file()
    ]
    if not own:
        raise MissingDataError(
            f"{folder} has no image of a line of the dataset. The name of an image must be <id>.png, such as "
            "a01-000u-s00-00.png."
        )
    other = [dataclasses.replace(line, image=images.read_gray_png(folder / f"{line.id}.png")) for line in own]
    return own, other
