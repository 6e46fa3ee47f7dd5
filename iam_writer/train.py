r"""Trains a network that says who wrote a line of handwriting, and tells how well it does.

With no data at hand, on invented writers:

  python -m iam_writer.train --flagfile=iam_writer/flagfiles/quickstart.flags

On the IAM handwriting database, its archives or extracted folders being in ~/iam:

  python -m iam_writer.train --flagfile=iam_writer/flagfiles/iam_top50.flags --manual_dir=~/iam --workdir=runs/top50

Run again, the same command goes on where it was stopped or killed. In the workdir: best.keras and last.keras,
result.json, flags.txt, which repeats the run, and tensorboard/.

Exit status: 0 done; 1 a flag is wrong or the input cannot be used, and the message says what to do; 130 stopped.
"""

import dataclasses
import os
import re

from absl import app, flags

from iam_writer import data_flags, programs
from iam_writer.settings import (
    AUGMENTATIONS,
    COMBINATIONS,
    GATHERS,
    MODELS,
    PRECISIONS,
    SCHEDULES,
    STRATEGIES,
    Settings,
)
from iam_writer.synthetic_handwriting import SCRIPTS

flags.adopt_module_key_flags(data_flags)
flags.DEFINE_string(
    "dataset",
    "iam_writer/synthetic",
    f"What to train on, as TFDS names it: {'|'.join(data_flags.DATASETS)}. Several with commas between train one network, "
    "which tells each line from the writers of all of them; figures are given of each and of all.",
)

flags.DEFINE_integer("num_writers", 50, "iam_writer/synthetic: how many writers to invent.", 2)
flags.DEFINE_integer("forms_per_writer", 6, "iam_writer/synthetic: pages each of them writes.", 3)
flags.DEFINE_integer("lines_per_form", 6, "iam_writer/synthetic: lines of a page.", 1)
flags.DEFINE_integer("synthetic_seed", 0, "iam_writer/synthetic: another seed, other writers.", 0)
flags.DEFINE_enum("script", "latin", SCRIPTS, "iam_writer/synthetic: what its hands write in.")
flags.DEFINE_enum(
    "test_script",
    None,
    SCRIPTS,
    "iam_writer/synthetic: what the same hands write the test forms in: are they known by a script never trained on? "
    "Default: as --script.",
)
flags.DEFINE_string(
    "fonts_dir", None, "iam_writer/synthetic: write with the *.ttf and *.otf fonts of this folder."
)
flags.DEFINE_string("text_file", None, "iam_writer/synthetic: what to write with them, a sentence a line.")

flags.DEFINE_integer("patch_height", 113, "Height of a patch; each line is scaled to it.", 32)
flags.DEFINE_integer(
    "patch_width", 113, "Width of a patch, in columns of a scaled line; for deepwriter of two.", 32
)
flags.DEFINE_float("patch_fraction", 0.3, "Share of all patch positions that make an epoch.", 0)
flags.DEFINE_enum(
    "balance", "none", ["none", "writers"], "Draw every position, or every writer, equally often."
)
flags.DEFINE_integer("batch_size", 256, "Patches in a batch, over all devices.", 1)
flags.DEFINE_integer("parallel_calls", 2, "Batches made at once. Does not change what is in them.", 1)
flags.DEFINE_enum(
    "gather",
    "host",
    GATHERS,
    "Where patches are gathered. device: its memory must hold all training lines, and the host sends 4 bytes a patch.",
)
flags.DEFINE_string(
    "data_service", None, "Let the workers of a tf.data service (pipelines.serve) gather: grpc://host:port."
)

flags.DEFINE_enum("model", "article", MODELS, "The network.")
flags.DEFINE_list(
    "augment", [], f"Changes to the patches in training, each by chance: {', '.join(AUGMENTATIONS)}; or all."
)
flags.DEFINE_enum("precision", "auto", PRECISIONS, "auto: float32 on a CPU, mixed on a GPU.")
flags.DEFINE_enum(
    "jit_compile", "auto", ["auto", "true", "false"], "Compile with XLA. auto: on one GPU only."
)
flags.DEFINE_enum(
    "strategy",
    "one",
    STRATEGIES,
    "Train on one device, mirrored on all GPUs, or on several machines: one process each, with TF_CONFIG set and one "
    "workdir for all.",
)
flags.DEFINE_bool(
    "deterministic", False, "Bit for bit the same weights each time, at the price of some speed."
)
flags.DEFINE_integer("seed", 0, "Of the weights, the order of the patches, and dropout.", 0, 2**32 - 1)
flags.DEFINE_integer("num_seeds", 1, "Runs for this many seeds, seed and on, each in a folder of its own.", 1)
flags.DEFINE_integer("epochs", 10, "How many.", 1)
flags.DEFINE_float("learning_rate", 1e-3, "Of Adam.", 0)
flags.DEFINE_enum("learning_rate_schedule", "constant", SCHEDULES, "cosine: falls to zero over the epochs.")
flags.DEFINE_float(
    "warmup_fraction", 0, "Share of all steps in which the learning rate rises to its height.", 0, 0.99
)
flags.DEFINE_float("weight_decay", 0, "Of kernels, decoupled as in AdamW, times the learning rate.", 0)
flags.DEFINE_float("label_smoothing", 0, "Share of the truth that goes to all writers alike.", 0, 0.99)
flags.DEFINE_float(
    "ema_momentum",
    0,
    "Evaluates an exponential moving average of the weights, such as 0.999; 0: the weights.",
    0,
    0.99999,
)
flags.DEFINE_integer(
    "early_stopping_epochs",
    0,
    "Stops after so many epochs without a better one on validation lines; 0: never.",
    0,
)

flags.DEFINE_integer(
    "window_stride", 8, "Columns from a window to the next in the final evaluation; 1: all.", 1
)
flags.DEFINE_integer("validation_stride", 32, "The same after each epoch, to choose the best one.", 1)
flags.DEFINE_enum(
    "combine", "probabilities", COMBINATIONS, "What of the windows is averaged for a line, and for a form."
)
flags.DEFINE_string("workdir", "runs/quickstart", "Where checkpoints, results and logs go.")
flags.DEFINE_float("checkpoint_minutes", 2, "A kill loses no more than this.", 0)
flags.DEFINE_list("profile_steps", None, "First and last step to profile for TensorBoard, such as 20,30.")


@flags.validator("profile_steps", "must be two steps, such as 20,30, the second not before the first.")
def _are_steps(steps):
    return steps is None or (
        len(steps) == 2 and all(step.isdigit() for step in steps) and int(steps[0]) <= int(steps[1])
    )


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


@flags.multi_flags_validator(["fonts_dir", "text_file"], "--fonts_dir and --text_file go together.")
def _are_together(values):
    return (values["fonts_dir"] is None) == (values["text_file"] is None)


@flags.multi_flags_validator(
    ["script", "test_script", "fonts_dir"],
    "--script and --test_script are of invented hands; with --fonts_dir, --text_file says what is written.",
)
def _are_of_hands(values):
    return values["fonts_dir"] is None or (values["script"] == "latin" and values["test_script"] is None)


@flags.multi_flags_validator(["script", "test_script"], "--test_script must be another than --script.")
def _are_two_scripts(values):
    return values["script"] != values["test_script"]


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
    ["gather", "data_service", "strategy"],
    "--gather=device and --data_service need --strategy=one, and exclude each other.",
)
def _is_one_device(values):
    special = (values["gather"] != "host") + (values["data_service"] is not None)
    return special == 0 or (special == 1 and values["strategy"] == "one")


@flags.validator(
    "strategy", "multi_worker needs the environment variable TF_CONFIG, see TensorFlow's guide to it."
)
def _knows_its_workers(strategy):
    return strategy != "multi_worker" or "TF_CONFIG" in os.environ


@flags.validator("data_service", "must be grpc://host:port.")
def _is_address(service):
    return service is None or re.fullmatch(r"grpc://[^/]+:\d+", service)


@flags.multi_flags_validator(
    ["model", "patch_width"], "--model=deepwriter needs an even --patch_width of 64 or more."
)
def _can_be_halved(values):
    width = values["patch_width"]
    return values["model"] != "deepwriter" or (width % 2 == 0 and width >= 64)


def settings_from_flags() -> Settings:
    """The flags' values; paths with ~ resolved.

    Raises:
      FlagError: there are other than as many folders as datasets.
    """
    values = {field.name: flags.FLAGS[field.name].value for field in dataclasses.fields(Settings)}
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
    from iam_writer import scoring, training  # TensorFlow takes seconds to load; a wrong flag is told before.

    with programs.plain_endings():
        if settings.num_seeds == 1:
            printed = scoring.table(training.run(settings))
        else:
            printed = scoring.table_of_seeds(training.run_seeds(settings))
    print(printed)
    where = (
        settings.workdir if settings.num_seeds == 1 else f"{settings.workdir} a folder a seed, and in each"
    )
    print(f"\nIn {where}: result.json, best.keras, flags.txt, tensorboard/")


if __name__ == "__main__":
    app.run(main)
