"""What a training run is told. Each field is also a flag of `iam_writer.train`, made from what stands here. No TensorFlow."""

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from iam_writer.common.errors import OtherRunError
from iam_writer.common.names import (
    AUGMENTATIONS,
    COMBINATIONS,
    DATASETS,
    GATHERS,
    MODELS,
    PRECISIONS,
    SCHEDULES,
    STRATEGIES,
)
from iam_writer.common.specs import DatasetSpec, parse
from iam_writer.handwriting.synthetic import SCRIPTS


@dataclasses.dataclass(frozen=True)
class Flag:
    """How a field of `Settings` is asked for on the command line.

    Attributes:
      help: what it means.
      lower: the least value, None if there is no bound.
      upper: the greatest value, None if there is no bound.
      choices: the values that there are, empty if there are others.
      is_key: whether --help lists it; --helpfull lists all.
    """

    help: str
    lower: float | None = None
    upper: float | None = None
    choices: Sequence[str] = ()
    is_key: bool = False


def _setting(default: Any, help: str, lower: float | None = None, upper: float | None = None, **more) -> Any:
    """A field with a flag; see `Flag`."""
    flag = Flag(help, lower, upper, **more)
    if isinstance(default, list):
        return dataclasses.field(default_factory=default.copy, metadata={"flag": flag})
    return dataclasses.field(default=default, metadata={"flag": flag})


@dataclasses.dataclass(frozen=True)
class Settings:
    """All that decides a run. A field without a flag here has its flag in `common.data_flags`."""

    dataset: str = _setting(
        "iam_writer/synthetic",
        f"What to train on, as TFDS names it: {', '.join(DATASETS)}. Name several with commas between, and one network "
        "learns the writers of all of them; accuracies are given for each dataset and for all.",
        is_key=True,
    )
    manual_dir: str | None = None
    data_dir: str | None = None
    max_bad_images: float = 0.01
    num_writers: int = _setting(50, "iam_writer/synthetic: how many writers to invent.", 2)
    forms_per_writer: int = _setting(6, "iam_writer/synthetic: pages of each writer.", 3)
    lines_per_form: int = _setting(6, "iam_writer/synthetic: lines of a page.", 1)
    synthetic_seed: int = _setting(0, "iam_writer/synthetic: another seed gives other writers.", 0)
    script: str = _setting("latin", "iam_writer/synthetic: the script of the writers.", choices=SCRIPTS)
    test_script: str | None = _setting(
        None,
        "iam_writer/synthetic: the script of the test forms, written by the same writers. It shows whether the network "
        "knows a writer by a script that it was never trained on. Default: as --script.",
        choices=SCRIPTS,
    )
    fonts_dir: str | None = _setting(
        None, "iam_writer/synthetic: write with the *.ttf and *.otf fonts of this folder."
    )
    text_file: str | None = _setting(
        None, "iam_writer/synthetic: what to write with the fonts of --fonts_dir, a sentence a line."
    )
    patch_height: int = _setting(113, "Height of a patch; each line is scaled to it.", 32)
    patch_width: int = _setting(
        113,
        "Width of a patch, in columns of a scaled line; deepwriter takes two patches in this width.",
        32,
        is_key=True,
    )
    patch_fraction: float = _setting(0.3, "Share of all patch positions that make an epoch.", 0, is_key=True)
    balance: str = _setting(
        "none",
        "Draw every position equally often, or every writer.",
        choices=("none", "writers"),
        is_key=True,
    )
    batch_size: int = _setting(256, "Patches in a batch, over all devices.", 1, is_key=True)
    parallel_calls: int | None = _setting(
        None,
        "Batches made at once. The batches stay the same. Default: one for each core, as far as memory allows.",
        1,
    )
    gather: str = _setting(
        "host",
        "Where patches are gathered. device: its memory must hold all training lines, and the host sends 4 bytes a patch.",
        choices=GATHERS,
    )
    data_service: str | None = _setting(
        None, "Let the workers of a tf.data service (pipelines.serve) gather: grpc://host:port."
    )
    model: str = _setting("article", "The network.", choices=MODELS, is_key=True)
    augment: list[str] = _setting(  # noqa: RUF009  The list is copied for each object.
        [],
        f"Random changes to the patches in training: {', '.join(AUGMENTATIONS)}; or all.",
        is_key=True,
    )
    precision: str = _setting(
        "auto", "auto: float32 on a CPU, mixed on a GPU.", choices=PRECISIONS, is_key=True
    )
    jit_compile: str = _setting(
        "auto", "Compile with XLA. auto: on one GPU only.", choices=("auto", "true", "false")
    )
    strategy: str = _setting(
        "one",
        "Train on one device, mirrored on all GPUs, or on several machines: one process each, with TF_CONFIG set and one "
        "workdir for all.",
        choices=STRATEGIES,
    )
    deterministic: bool = _setting(False, "Give bit for bit the same weights each time; costs some speed.")
    seed: int = _setting(0, "Of the weights, the order of the patches, and dropout.", 0, 2**32 - 1)
    num_seeds: int = _setting(1, "Run for this many seeds, from --seed on, each in a folder of its own.", 1)
    epochs: int = _setting(
        10, "How often the run goes through --patch_fraction of the positions.", 1, is_key=True
    )
    learning_rate: float = _setting(1e-3, "Of Adam.", 0, is_key=True)
    learning_rate_schedule: str = _setting(
        "constant", "cosine: the learning rate falls to zero over the epochs.", choices=SCHEDULES
    )
    warmup_fraction: float = _setting(
        0.0, "Share of all steps in which the learning rate rises to its height.", 0, 0.99
    )
    window_stride: int | None = _setting(
        None,
        "Columns from one window to the next when the network answers. The checkpoint keeps it. Default: a quarter of "
        "--patch_width.",
        1,
    )
    validation_stride: int = _setting(
        32, "As --window_stride, but after each epoch, when the best epoch is chosen.", 1
    )
    combine: str = _setting(
        "probabilities",
        "What is averaged over the windows of a line or a form. The checkpoint keeps it.",
        choices=COMBINATIONS,
    )
    workdir: str = _setting("runs/quickstart", "Where checkpoints, results and logs go.", is_key=True)
    checkpoint_minutes: float = _setting(2.0, "A killed run loses no more than these minutes.", 0)

    def as_flags(self) -> str:
        """A flagfile that repeats the run."""
        lines = [
            "# Repeats this run: python -m iam_writer.train --flagfile=<this file> --workdir=<a new one>"
        ]
        for name, value in dataclasses.asdict(self).items():
            if isinstance(value, bool):
                lines.append(f"--{name}" if value else f"--no{name}")
            elif value is not None:
                lines.append(f"--{name}={','.join(map(str, value)) if isinstance(value, list) else value}")
        return "\n".join(lines) + "\n"

    @functools.cached_property
    def specs(self) -> tuple[DatasetSpec, ...]:
        """What `dataset` and `manual_dir` say; see `specs.parse`, also for what is raised."""
        return parse(self.dataset, self.manual_dir)

    @property
    def decides_weights(self) -> dict:
        """The settings that the weights depend on, step by step; a run is resumed with these unchanged."""
        names = (
            "model augment patch_height patch_width patch_fraction balance batch_size precision strategy seed "
            "learning_rate learning_rate_schedule warmup_fraction "
            "validation_stride combine"
        ).split()
        decisive = {name: getattr(self, name) for name in names}
        decisive["dataset"] = [spec.name for spec in self.specs]
        if self.learning_rate_schedule != "constant" or self.warmup_fraction:
            decisive["epochs"] = self.epochs
        return decisive


REMOVED = {"weight_decay": 0.0, "label_smoothing": 0.0, "ema_momentum": 0.0}
"""Settings that older versions had, with the values that did nothing: checkpoints of those versions name them."""


def check_same_run(before: dict, now: dict, checkpoint: str, specs: Sequence[DatasetSpec]) -> None:
    """Compares what a checkpoint was trained with to what this run would train with.

    Args:
      before: what the checkpoint says: `Settings.decides_weights`, `precision`, `writers`, and `fingerprint`, one of each
        dataset.
      now: the same of this run.
      checkpoint: its path, for the message.
      specs: the datasets of this run.

    Raises:
      OtherRunError: they differ; the message names each difference.
    """
    before = {name: value for name, value in before.items() if REMOVED.get(name, ...) != value}
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if not names:
        return
    advice = "Choose another --workdir, or repeat that run with the flags.txt that lies beside it."
    differences, others = [], [name for name in names if name not in ("writers", "fingerprint")]
    if "fingerprint" in names and "dataset" not in names:
        changed = list(_other_files(before, now, specs))
        differences = [_changed(spec) for spec in changed]
        if not others and all(spec.config != "synthetic" for spec in changed):
            advice = "Choose another --workdir, or restore the files as they were."
    elif "writers" in names and "dataset" not in names:
        differences = ["its writers are others"]
    if {"learning_rate_schedule", "warmup_fraction"} & set(others):
        others = [
            name for name in others if name != "epochs"
        ]  # One of the two has none; the schedule says why.
    elif others == ["epochs"]:
        advice = (
            "The learning rate of each step depends on --epochs under this schedule or warm-up, so these weights cannot "
            f"be those of a run of {now['epochs']} epochs. Choose another --workdir. Only a run with a constant learning "
            "rate and without warm-up can go on for more epochs."
        )
    differences += [f"{name} was {_brief(before.get(name))}, now {_brief(now.get(name))}" for name in others]
    raise OtherRunError(
        f"{checkpoint} belongs to another run: {'; '.join(differences)}. Nothing was changed. {advice}"
    )


def _other_files(before: dict, now: dict, specs: Sequence[DatasetSpec]) -> Iterator[DatasetSpec]:
    """Those of the datasets that have another fingerprint than before."""
    fingerprints = (run.get("fingerprint", []) for run in (before, now))
    for spec, was, is_now in itertools.zip_longest(specs, *fingerprints):
        if was != is_now:
            yield spec


def _changed(spec: DatasetSpec) -> str:
    if spec.config == "synthetic":
        return (
            "the invented writers of iam_writer/synthetic are not those that the run began with: their number, their "
            "pages, --synthetic_seed, the script, the fonts or the text has changed"
        )
    where = f"in {spec.manual_dir}" if spec.manual_dir else "that were found in --data_dir"
    return f"the scans or files of the dataset {spec.name} {where} have changed since the run began"


def _brief(value: object) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else repr(value)
