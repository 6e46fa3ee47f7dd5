"""The settings of a training run. Each field is also a flag of `iam_writer.train`. Does not import TensorFlow."""

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from iam_writer.common.errors import OtherRunError
from iam_writer.common.names import (
    AUGMENTATIONS,
    COMBINATIONS,
    DATASETS_IN_WORDS,
    DESCRIPTOR,
    FUSIONS,
    GATHERS,
    MODELS,
    PRECISIONS,
    SCHEDULES,
    STRATEGIES,
)
from iam_writer.common.specs import DatasetSpec, parse
from iam_writer.handwriting.synthetic import SCRIPTS
from iam_writer.recognition.rule import Rule


@dataclasses.dataclass(frozen=True)
class Flag:
    """The flag of a field of `Settings`.

    Attributes:
      help: what it means.
      lower: the least value, None if there is no bound.
      upper: the greatest value, None if there is no bound.
      choices: the possible values; empty if there is no such list.
      is_key: whether --help lists the flag. --helpfull lists all flags.
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
    """All settings of a run. A field without a flag here has its flag in `common.data_flags`."""

    dataset: str = _setting(
        "iam_writer/synthetic",
        f"The dataset: {DATASETS_IN_WORDS} Several, with commas between, train one network on all of them.",
        is_key=True,
    )
    manual_dir: str | None = None
    page_pattern: str | None = None
    writer_pattern: str | None = None
    data_dir: str | None = None
    max_bad_images: float = 0.01
    num_writers: int = _setting(50, "iam_writer/synthetic: how many writers to invent.", 2)
    forms_per_writer: int = _setting(6, "iam_writer/synthetic: how many pages each writer writes.", 3)
    lines_per_form: int = _setting(6, "iam_writer/synthetic: how many lines a page has.", 1)
    synthetic_seed: int = _setting(0, "iam_writer/synthetic: another seed gives other writers.", 0)
    script: str = _setting("latin", "iam_writer/synthetic: the script of the writers.", choices=SCRIPTS)
    test_script: str | None = _setting(
        None,
        "iam_writer/synthetic: the script of the test forms. The writers are the same. This shows whether the network knows "
        "a writer in a script that it was not trained on. Default: the same as --script.",
        choices=SCRIPTS,
    )
    fonts_dir: str | None = _setting(
        None, "iam_writer/synthetic: the folder of the *.ttf and *.otf fonts to write with."
    )
    text_file: str | None = _setting(
        None,
        "iam_writer/synthetic: the text file to write with the fonts of --fonts_dir. It has one sentence on each line.",
    )
    patch_height: int = _setting(113, "The height of a patch. Each line is scaled to it.", 32)
    patch_width: int = _setting(
        113,
        "The width of a patch, in columns of a scaled line. For deepwriter, the width of two patches side by side.",
        32,
        is_key=True,
    )
    patch_fraction: float = _setting(
        0.3, "The share of all patch positions that an epoch has.", 0, is_key=True
    )
    balance: str = _setting(
        "none",
        "What is drawn equally often: each position (none), or each writer (writers).",
        choices=("none", "writers"),
        is_key=True,
    )
    batch_size: int = _setting(256, "The number of patches in a batch, over all devices.", 1, is_key=True)
    parallel_calls: int | None = _setting(
        None,
        "How many batches are made at once. It changes the speed, but not the batches. Default: one for each core, as far as "
        "memory allows.",
        1,
    )
    gather: str = _setting(
        "host",
        "Where patches are cut from their lines. With device, the host sends 4 bytes for each patch, and the memory of the "
        "device must hold all training lines.",
        choices=GATHERS,
    )
    steps_per_call: str = _setting(
        "auto",
        "With --gather=device: steps that the device makes without the host. The batches and weights stay the same. auto: about "
        "64 on a GPU, else 1.",
    )
    data_service: str | None = _setting(
        None,
        "The address of a tf.data service (pipelines.serve) whose workers make the batches: grpc://host:port.",
    )
    model: str = _setting(
        "article",
        "The network; or descriptor: linear discriminants of the hand descriptor, which are learnt in a minute or two.",
        choices=MODELS,
        is_key=True,
    )
    fuse: str = _setting(
        "auto",
        "Whether the hand descriptor answers together with the network. descriptor: yes. auto: if it names no fewer "
        "validation lines rightly than the network alone.",
        choices=FUSIONS,
        is_key=True,
    )
    augment: list[str] = _setting(  # noqa: RUF009  The list is copied for each object.
        [],
        f"Random changes to the patches in training, with commas between: {', '.join(AUGMENTATIONS)}; or all.",
        is_key=True,
    )
    precision: str = _setting(
        "auto",
        "The precision of numbers. auto: float32 on a CPU, mixed precision on a GPU.",
        choices=PRECISIONS,
        is_key=True,
    )
    jit_compile: str = _setting(
        "auto",
        "Whether the network is compiled with XLA. auto: on one GPU only.",
        choices=("auto", "true", "false"),
    )
    strategy: str = _setting(
        "one",
        "one: train on one device. mirrored: train on all GPUs of this machine. multi_worker: train on several machines, with "
        "one process on each, TF_CONFIG set, and one workdir for all.",
        choices=STRATEGIES,
    )
    deterministic: bool = _setting(
        False, "Give the same weights each time, bit for bit. Training is then slower."
    )
    seed: int = _setting(
        0, "The seed of the weights, of the order of the patches, and of dropout.", 0, 2**32 - 1
    )
    num_seeds: int = _setting(
        1, "How many runs are made, with the seeds from --seed on. Each run has a folder of its own.", 1
    )
    epochs: int = _setting(
        10, "The number of epochs. An epoch has --patch_fraction of all positions.", 1, is_key=True
    )
    learning_rate: float = _setting(1e-3, "The learning rate of Adam.", 0, is_key=True)
    learning_rate_schedule: str = _setting(
        "constant",
        "How the learning rate changes. cosine: it falls to zero over the epochs.",
        choices=SCHEDULES,
    )
    warmup_fraction: float = _setting(
        0.0, "The share of all steps in which the learning rate rises from zero.", 0, 0.99
    )
    window_stride: int | None = _setting(
        None,
        "The columns from one window to the next when the network answers. The checkpoint keeps this number. Default: a "
        "quarter of --patch_width.",
        1,
    )
    validation_stride: int = _setting(
        32,
        "The same as --window_stride, but for the validation after each epoch, which chooses the best epoch.",
        1,
    )
    combine: str = _setting(
        "probabilities",
        "What is averaged over the windows of a line or a form. The checkpoint keeps this choice.",
        choices=COMBINATIONS,
    )
    window_sizes: list[str] = _setting(  # noqa: RUF009  The list is copied for each object.
        ["1"],
        "The sizes at which the network looks at each window when it answers, with commas between, such as 1,0.88. Two sizes "
        "take twice the time. The checkpoint keeps them.",
    )
    workdir: str = _setting("runs/quickstart", "The folder for checkpoints, results and logs.", is_key=True)
    checkpoint_minutes: float = _setting(
        2.0,
        "A checkpoint is saved at least this often, in minutes. A killed run loses no more than these minutes.",
        0,
    )

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
    def rule(self) -> Rule:
        """By which the network of this run answers."""
        sizes = [float(size) for size in self.window_sizes]
        return Rule.chosen(self.patch_width, self.window_stride, self.combine, sizes)

    @property
    def decides_weights(self) -> dict:
        """The settings that the weights of each step depend on. A run can only be continued if they are unchanged."""
        if self.model == DESCRIPTOR:
            names = ("model", "patch_height", "patch_width")
            decisive = {name: getattr(self, name) for name in names}
            return decisive | {"dataset": [spec.name for spec in self.specs]}
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


OF_DESCRIPTOR = frozenset(
    "dataset manual_dir page_pattern writer_pattern data_dir max_bad_images num_writers forms_per_writer lines_per_form "
    "synthetic_seed script test_script fonts_dir text_file patch_height patch_width model workdir".split()
)
"""The settings that matter with --model=descriptor. The others are about networks."""

REMOVED = {"weight_decay": 0.0, "label_smoothing": 0.0, "ema_momentum": 0.0}
"""Settings that older versions had, with the values that did nothing: checkpoints of those versions name them."""


def check_same_run(before: dict, now: dict, checkpoint: str, specs: Sequence[DatasetSpec]) -> None:
    """Checks that this run would continue the run of a checkpoint.

    Args:
      before: what the checkpoint says: `Settings.decides_weights`, `precision`, `writers`, and `fingerprint`, which has one
        entry for each dataset.
      now: the same of this run.
      checkpoint: its path, for the message.
      specs: the datasets of this run.

    Raises:
      OtherRunError: the two differ. The message names each difference.
    """
    before = {name: value for name, value in before.items() if REMOVED.get(name, ...) != value}
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if not names:
        return
    advice = "Choose another --workdir. To continue the run, use the flags.txt beside the checkpoint."
    differences, others = [], [name for name in names if name not in ("writers", "fingerprint")]
    if "fingerprint" in names and "dataset" not in names:
        changed = list(_other_files(before, now, specs))
        differences = [_changed(spec) for spec in changed]
        if not others and all(spec.config != "synthetic" for spec in changed):
            advice = "Choose another --workdir, or restore the files as they were."
    elif "writers" in names and "dataset" not in names:
        differences = ["the writers have changed"]
    if {"learning_rate_schedule", "warmup_fraction"} & set(others):
        others = [
            name for name in others if name != "epochs"
        ]  # One of the two has none; the schedule says why.
    elif others == ["epochs"]:
        advice = (
            "With this schedule or warm-up, the learning rate of each step depends on --epochs. Only a run with a constant "
            "learning rate and without warm-up can be continued for more epochs. Choose another --workdir."
        )
    differences += [f"{name} was {_brief(before.get(name))}, now {_brief(now.get(name))}" for name in others]
    raise OtherRunError(
        f"This command does not continue the run of {checkpoint}, because they differ: {'; '.join(differences)}. The "
        f"checkpoint was not changed. {advice}"
    )


def _other_files(before: dict, now: dict, specs: Sequence[DatasetSpec]) -> Iterator[DatasetSpec]:
    """The datasets whose fingerprint has changed."""
    fingerprints = (run.get("fingerprint", []) for run in (before, now))
    for spec, was, is_now in itertools.zip_longest(specs, *fingerprints):
        if was != is_now:
            yield spec


def _changed(spec: DatasetSpec) -> str:
    if spec.config == "synthetic":
        return (
            "the invented writers of iam_writer/synthetic have changed (their number, their pages, --synthetic_seed, the "
            "script, the fonts or the text)"
        )
    where = f"in {spec.manual_dir}" if spec.manual_dir else "that were found in --data_dir"
    return f"the scans or files of the dataset {spec.name} {where} have changed since the run began"


def _brief(value: object) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else repr(value)
