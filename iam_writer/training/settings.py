"""What a training run is told: one field a flag of `iam_writer.train`, which says what each means. No TensorFlow."""

import dataclasses

from iam_writer.common.errors import FlagError, OtherRunError


@dataclasses.dataclass(frozen=True)
class Settings:
    """See the flags of the same names."""

    dataset: str
    manual_dir: str | None
    data_dir: str | None
    max_bad_images: float
    num_writers: int
    forms_per_writer: int
    lines_per_form: int
    synthetic_seed: int
    script: str
    test_script: str | None
    fonts_dir: str | None
    text_file: str | None
    patch_height: int
    patch_width: int
    patch_fraction: float
    balance: str
    batch_size: int
    parallel_calls: int
    gather: str
    data_service: str | None
    model: str
    augment: list[str]
    precision: str
    jit_compile: str
    strategy: str
    deterministic: bool
    seed: int
    num_seeds: int
    epochs: int
    learning_rate: float
    learning_rate_schedule: str
    warmup_fraction: float
    weight_decay: float
    label_smoothing: float
    ema_momentum: float
    early_stopping_epochs: int
    window_stride: int | None
    validation_stride: int
    combine: str
    workdir: str
    checkpoint_minutes: float
    profile_steps: list[int] | None

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

    @property
    def datasets(self) -> dict[str, str | None]:
        """See `datasets_of`."""
        return datasets_of(self.dataset, self.manual_dir)

    @property
    def decides_weights(self) -> dict:
        """The settings that the weights depend on, step by step; a run is resumed with these unchanged."""
        names = (
            "dataset model augment patch_height patch_width patch_fraction balance batch_size precision strategy seed "
            "learning_rate learning_rate_schedule warmup_fraction weight_decay label_smoothing ema_momentum "
            "validation_stride combine"
        ).split()
        decisive = {name: getattr(self, name) for name in names}
        if self.learning_rate_schedule != "constant" or self.warmup_fraction:
            decisive["epochs"] = self.epochs
        return decisive


def datasets_of(dataset: str, manual_dir: str | None) -> dict[str, str | None]:
    """The config of each dataset → where its files lie.

    Args:
      dataset: one, such as 'iam_writer/top50', or several with commas between.
      manual_dir: of one; of several, a folder for each of those that are read from files, with commas between, or one
        for all.

    Raises:
      FlagError: there are more or fewer folders.
    """
    configs = [name.partition("/")[2] for name in dataset.split(",")]
    if len(configs) == 1 or manual_dir is None:
        return dict.fromkeys(configs, manual_dir)
    of_files = [config for config in configs if config != "synthetic"]
    folders = manual_dir.split(",")
    if len(folders) == 1:
        folders *= len(of_files)
    if len(folders) != len(of_files):
        raise FlagError(
            f"--manual_dir names {len(folders)} folders, and {len(of_files)} datasets are read from files: "
            f"{', '.join(of_files)}. Name one for each, in this order, or one for all."
        )
    return dict.fromkeys(configs) | {
        config: folder or None for config, folder in zip(of_files, folders, strict=True)
    }


def check_same_run(before: dict, now: dict, checkpoint: str) -> None:
    """Compares what a checkpoint was trained with to what this run would train with.

    Raises:
      OtherRunError: they differ; the message names each difference.
    """
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if names:
        differences = "; ".join(
            f"{name} was {_brief(before.get(name))}, now {_brief(now.get(name))}" for name in names
        )
        raise OtherRunError(
            f"{checkpoint} belongs to another run: {differences}. Nothing was changed. Choose another --workdir, or "
            "repeat that run with the flags.txt that lies beside it."
        )


def _brief(value: object) -> str:
    return f"{len(value)} of them" if isinstance(value, list) else repr(value)
