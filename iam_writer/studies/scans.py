"""A network's accuracies on unchanged lines, on corrupted lines, and on other scans. The flags are in robustness.py."""

import dataclasses
import functools
import io
import json
import pathlib
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any, NotRequired

import numpy as np
from PIL import Image

from iam_writer.common.datasets import builders, line_examples
from iam_writer.common.errors import FlagError, MissingDataError
from iam_writer.common.files import write_beside
from iam_writer.common.provenance import Provenance, provenance
from iam_writer.handwriting import images
from iam_writer.recognition import inputs, line_counts, recognizer, scoring
from iam_writer.recognition.rule import Rule
from iam_writer.recognition.seen import Lines
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
      rule: the fields of the `Rule` that the figures follow; None without a network.
      rule_of_checkpoint: the fields of the `Rule` that the checkpoint keeps; None without a network.
      results: the accuracies on clean lines, and under each corruption.
      same_lines: with --other_scans, the accuracies on the lines that are in both the dataset and the folder: for the
        images of the 'dataset' and for the 'other scans'.
    """

    checkpoint: str
    dataset: list[str]
    split: str
    rule: dict[str, Any] | None
    rule_of_checkpoint: dict[str, Any] | None
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
    network = recognizer.load(checkpoint, inputs.open_calibration(checkpoint))
    own = builders(network.run, data_dir)
    kept = network.rule
    if kept is None and (window_stride or combine):
        raise FlagError(
            f"{checkpoint} holds no network, so it has no windows: leave out --window_stride and --combine."
        )
    rule = kept and kept.changed(window_stride, combine)

    def accuracies(examples: Iterable[Example], name: str) -> Accuracies:
        some = list(examples)
        with tempfile.TemporaryDirectory() as folder:
            strips = open_or_build(
                pathlib.Path(folder) / name,
                lambda: some,
                height=network.run["patch_height"],
                min_width=network.run["patch_width"],
                source=name,
                black_on_white=True,
            )
            counts = functools.partial(line_counts.of_images, [line.image for line in some], name)
            answers = network.see(Lines(strips, counts), name, rule).answers(
                np.ones(len(some), bool), strips.groups
            )
            return scoring.accuracies(answers, strips.labels, strips.groups, strips.widths)

    def lines(part: str) -> Iterator[Example]:
        return line_examples(own, part)

    both = _in_both(lines, pathlib.Path(other_scans)) if other_scans else None

    report: Report = {
        **provenance(),
        "checkpoint": checkpoint,
        "dataset": [builder.info.full_name for builder in own.values()],
        "split": split,
        "rule": rule and json.loads(rule.to_json()),
        "rule_of_checkpoint": kept and json.loads(kept.to_json()),
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
    rows = []
    if report["rule"] is not None and report["rule_of_checkpoint"] is not None:
        rule, kept = Rule(**report["rule"]), Rule(**report["rule_of_checkpoint"])
        rows.append(
            f"Answer rule: {rule.in_words()}." + (f" {rule.instead_of(kept)}" if rule != kept else "")
        )
    for group in groups:
        first = next(iter(group.values()))
        head = f"{first['lines']:,} lines, {first['forms']:,} forms"
        rows.append(f"{head:24}{'patches':>9}{'lines':>9}{'drop':>7}{'forms':>9}")
        for name, result in group.items():
            drop = 100 * (first["line_top1"] - result["line_top1"])
            patches = f"{result['patch_top1']:.1%}" if "patches" in result else "-"
            rows.append(
                f"{name:24}{patches:>9}{result['line_top1']:>9.1%}{drop:>7.1f}{result['form_top1']:>9.1%}"
            )
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
