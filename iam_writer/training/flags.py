"""The flags of iam_writer.train that few runs need: invented writers, several machines and seeds, finer points of training.

They are in --helpfull. Those of every run are in train.py.
"""

import os
import re

from absl import flags

from iam_writer.common.names import COMBINATIONS, GATHERS, SCHEDULES, STRATEGIES
from iam_writer.handwriting.synthetic import SCRIPTS

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
flags.DEFINE_string(
    "text_file", None, "iam_writer/synthetic: what to write with the fonts of --fonts_dir, a sentence a line."
)
flags.DEFINE_integer("patch_height", 113, "Height of a patch; each line is scaled to it.", 32)
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
flags.DEFINE_enum("learning_rate_schedule", "constant", SCHEDULES, "cosine: falls to zero over the epochs.")
flags.DEFINE_integer(
    "window_stride",
    None,
    "Columns from one window to the next when the network answers. The checkpoint keeps it. Default: a quarter of "
    "--patch_width.",
    1,
)
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
    "validation_stride", 32, "As --window_stride, but after each epoch, when the best epoch is chosen.", 1
)
flags.DEFINE_enum(
    "combine",
    "probabilities",
    COMBINATIONS,
    "What is averaged over the windows of a line or a form. The checkpoint keeps it.",
)
flags.DEFINE_float("checkpoint_minutes", 2, "A kill loses no more than this.", 0)
flags.DEFINE_list("profile_steps", None, "First and last step to profile for TensorBoard, such as 20,30.")


@flags.validator("profile_steps", "must be two steps, such as 20,30, the second not before the first.")
def _are_steps(steps):
    return steps is None or (
        len(steps) == 2 and all(step.isdigit() for step in steps) and int(steps[0]) <= int(steps[1])
    )


@flags.multi_flags_validator(["seed", "num_seeds"], "The last seed must be below 2**32.")
def _are_seeds(values):
    return values["seed"] + values["num_seeds"] <= 2**32


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
