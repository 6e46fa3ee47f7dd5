r"""Trains a network that says who wrote a line of handwriting, and tells how well it does.

With no data at hand, on invented writers:

  python -m iam_writer.train --flagfile=iam_writer/flagfiles/quickstart.flags

On the IAM handwriting database, its archives or extracted folders being in ~/iam:

  python -m iam_writer.train --flagfile=iam_writer/flagfiles/iam_top50.flags --manual_dir=~/iam --workdir=runs/top50

Run again, the same command goes on where it was stopped or killed. In the workdir: best.keras and last.keras,
result.json, flags.txt, which repeats the run, and tensorboard/. --helpfull lists more flags, of finer points.

Exit status: 0 done; 1 a flag is wrong or the input cannot be used, and the message says what to do; 130 stopped.
"""

import dataclasses
import math
import os

from absl import app, flags

from iam_writer.common import data_flags, programs
from iam_writer.common.errors import FlagError
from iam_writer.common.names import AUGMENTATIONS, MODELS, PRECISIONS
from iam_writer.training import flags as train_flags  # noqa: F401 (train_flags: for its flags)
from iam_writer.training.settings import Settings

flags.adopt_module_key_flags(data_flags)
flags.DEFINE_string(
    "dataset",
    "iam_writer/synthetic",
    f"What to train on, as TFDS names it: {', '.join(data_flags.DATASETS)}. Several with commas between train one network, "
    "which tells each line from the writers of all of them; figures are given of each and of all.",
)
flags.DEFINE_integer(
    "patch_width", 113, "Width of a patch, in columns of a scaled line; for deepwriter of two.", 32
)
flags.DEFINE_float("patch_fraction", 0.3, "Share of all patch positions that make an epoch.", 0)
flags.DEFINE_enum(
    "balance", "none", ["none", "writers"], "Draw every position, or every writer, equally often."
)
flags.DEFINE_integer("batch_size", 256, "Patches in a batch, over all devices.", 1)

flags.DEFINE_enum("model", "article", MODELS, "The network.")
flags.DEFINE_list(
    "augment", [], f"Changes to the patches in training, each by chance: {', '.join(AUGMENTATIONS)}; or all."
)
flags.DEFINE_enum("precision", "auto", PRECISIONS, "auto: float32 on a CPU, mixed on a GPU.")
flags.DEFINE_integer("epochs", 10, "How many.", 1)
flags.DEFINE_float("learning_rate", 1e-3, "Of Adam.", 0)

flags.DEFINE_string("workdir", "runs/quickstart", "Where checkpoints, results and logs go.")


@flags.validator("augment", f"must be of {', '.join(AUGMENTATIONS)}; or all.")
def _are_augmentations(names):
    return names == ["all"] or set(names) <= set(AUGMENTATIONS)


@flags.validator(
    "dataset", f"should be one of {'|'.join(data_flags.DATASETS)}, or several with commas between."
)
def _are_datasets(names):
    return set(names.split(",")) <= set(data_flags.DATASETS)


@flags.validator(
    "dataset",
    "together can be one of IAM's, iam_writer/folder and iam_writer/synthetic, each once: two from one source would have "
    "the same writers under two names.",
)
def _are_of_different_sources(names):
    sources = [data_flags.SOURCES.get(name) for name in names.split(",")]
    return len(set(sources)) == len(sources)


@flags.multi_flags_validator(
    ["dataset", "test_script"],
    "--test_script needs --dataset=iam_writer/synthetic, whose hands write more than one.",
)
def _can_write_it(values):
    return values["test_script"] is None or "iam_writer/synthetic" in values["dataset"].split(",")


@flags.multi_flags_validator(["patch_fraction", "learning_rate"], "must be more than 0.")
def _are_positive(values):
    return all(value > 0 for value in values.values())


@flags.multi_flags_validator(
    ["model", "patch_width"], "--model=deepwriter needs an even --patch_width of 64 or more."
)
def _can_be_halved(values):
    width = values["patch_width"]
    return values["model"] != "deepwriter" or (width % 2 == 0 and width >= 64)


def settings_from_flags() -> Settings:
    """The flags' values; paths with ~ resolved.

    Raises:
      FlagError: a number is infinite or none, or there are other than as many folders as datasets.
    """
    values = {field.name: flags.FLAGS[field.name].value for field in dataclasses.fields(Settings)}
    for name, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):  # NaN is within all bounds.
            raise FlagError(f"--{name}={value} is not a number to work with.")
    # One dataset's folder may have a comma in its name.
    if "," in values["dataset"] and values["manual_dir"]:
        values["manual_dir"] = ",".join(map(os.path.expanduser, values["manual_dir"].split(",")))
    for name in ("manual_dir", "data_dir", "fonts_dir", "text_file", "workdir"):
        values[name] = values[name] and os.path.expanduser(values[name])
    if values["profile_steps"]:
        values["profile_steps"] = [int(step) for step in values["profile_steps"]]
    if values["augment"] == ["all"]:
        values["augment"] = list(AUGMENTATIONS)
    settings = Settings(**values)
    _ = settings.datasets  # Raises FlagError.
    return settings


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"Unknown argument {argv[1]!r}; flags begin with --.")
    programs.set_up_logging()
    with programs.plain_endings():
        settings = settings_from_flags()
    from iam_writer.recognition import scoring
    from iam_writer.training import (
        experiment,  # TensorFlow takes seconds to load; a wrong flag is told before.
    )

    with programs.plain_endings():
        if settings.num_seeds == 1:
            printed = scoring.table(experiment.run(settings))
        else:
            printed = scoring.table_of_seeds(experiment.run_seeds(settings))
        print(printed)
        where = (
            settings.workdir
            if settings.num_seeds == 1
            else f"{settings.workdir} a folder a seed, and in each"
        )
        print(f"\nIn {where}: result.json, best.keras, flags.txt, tensorboard/")


if __name__ == "__main__":
    app.run(main)
