"""The flags of iam_writer.train, made from the fields of `Settings`, and the rules that their values must follow."""

import dataclasses
import os
import re

from absl import flags

from iam_writer.common.names import AUGMENTATIONS, DATASETS, SOURCES
from iam_writer.common.specs import listed
from iam_writer.recognition.rule import LARGEST, SMALLEST
from iam_writer.training.settings import Flag, Settings


def _define(field: dataclasses.Field) -> None:
    """Defines the flag of a field. `dataclasses` has checked that the field has one default."""
    flag: Flag = field.metadata["flag"]
    has_factory = field.default is dataclasses.MISSING
    default = field.default_factory() if has_factory else field.default
    bounds = {"lower_bound": flag.lower, "upper_bound": flag.upper}
    if flag.choices:
        flags.DEFINE_enum(field.name, default, flag.choices, flag.help)
    elif isinstance(default, list):
        flags.DEFINE_list(field.name, default, flag.help)
    elif isinstance(default, bool):  # Before int, of which bool is a kind.
        flags.DEFINE_bool(field.name, default, flag.help)
    elif isinstance(default, int) or field.type == int | None:
        flags.DEFINE_integer(field.name, default, flag.help, **bounds)
    elif isinstance(default, float):
        flags.DEFINE_float(field.name, default, flag.help, **bounds)
    else:
        flags.DEFINE_string(field.name, default, flag.help)


for _field in dataclasses.fields(Settings):
    if "flag" in _field.metadata:
        _define(_field)

KEY_FLAGS = tuple(
    field.name
    for field in dataclasses.fields(Settings)
    if "flag" in field.metadata and field.metadata["flag"].is_key
)
"""What --help lists."""


@flags.validator("augment", f"must name some of {', '.join(AUGMENTATIONS)}; or all.")
def _are_augmentations(names):
    return names == ["all"] or set(names) <= set(AUGMENTATIONS)


@flags.validator("dataset", f"should be one of {'|'.join(DATASETS)}, or several with commas between.")
def _are_datasets(names):
    return set(listed(names)) <= set(DATASETS)


@flags.validator(
    "dataset",
    "can name one of IAM's datasets and one of each other kind together. Two datasets of one source would have the same "
    "writers under two names.",
)
def _are_of_different_sources(names):
    sources = [SOURCES.get(name) for name in listed(names)]
    return len(set(sources)) == len(sources)


@flags.multi_flags_validator(
    ["dataset", "test_script"],
    "--test_script needs --dataset=iam_writer/synthetic, since only invented writers write in two scripts.",
)
def _can_write_it(values):
    return values["test_script"] is None or "iam_writer/synthetic" in listed(values["dataset"])


@flags.multi_flags_validator(
    ["dataset", "page_pattern", "writer_pattern"],
    "--page_pattern and --writer_pattern need --dataset=iam_writer/folder: the other datasets know their pages and writers.",
)
def _has_a_folder(values):
    patterns = values["page_pattern"] or values["writer_pattern"]
    return not patterns or "iam_writer/folder" in listed(values["dataset"])


@flags.multi_flags_validator(["patch_fraction", "learning_rate"], "must be more than 0.")
def _are_positive(values):
    return all(value > 0 for value in values.values())


@flags.multi_flags_validator(
    ["model", "patch_width"], "--model=deepwriter needs an even --patch_width of 64 or more."
)
def _can_be_halved(values):
    width = values["patch_width"]
    return values["model"] != "deepwriter" or (width % 2 == 0 and width >= 64)


@flags.multi_flags_validator(["seed", "num_seeds"], "The last seed must be below 2**32.")
def _are_seeds(values):
    return values["seed"] + values["num_seeds"] <= 2**32


@flags.multi_flags_validator(
    ["fonts_dir", "text_file"], "--fonts_dir and --text_file must be given together."
)
def _are_together(values):
    return (values["fonts_dir"] is None) == (values["text_file"] is None)


@flags.multi_flags_validator(
    ["script", "test_script", "fonts_dir"],
    "--script and --test_script cannot be given with --fonts_dir, since --text_file says what is written.",
)
def _are_of_hands(values):
    return values["fonts_dir"] is None or (values["script"] == "latin" and values["test_script"] is None)


@flags.multi_flags_validator(["script", "test_script"], "--test_script and --script must differ.")
def _are_two_scripts(values):
    return values["script"] != values["test_script"]


@flags.multi_flags_validator(
    ["gather", "data_service", "strategy"],
    "--gather=device and --data_service cannot be given together. With TensorFlow, both need --strategy=one. With "
    "KERAS_BACKEND=jax, they also work with --strategy=mirrored.",
)
def _is_one_device(values):
    special = (values["gather"] != "host") + (values["data_service"] is not None)
    strategies = ("one", "mirrored") if os.environ.get("KERAS_BACKEND") == "jax" else ("one",)
    return special == 0 or (special == 1 and values["strategy"] in strategies)


@flags.validator(
    "strategy",
    "multi_worker needs the environment variable TF_CONFIG. TensorFlow's guide to distributed training describes it.",
)
def _knows_its_workers(strategy):
    return strategy != "multi_worker" or "TF_CONFIG" in os.environ


@flags.validator(
    "window_sizes", f"must be numbers of {SMALLEST} to {LARGEST}, with commas between, each once."
)
def _are_sizes(sizes):
    try:
        numbers = [float(size) for size in sizes]
    except ValueError:
        return False
    return (
        bool(numbers) and len({*numbers}) == len(numbers) and all(SMALLEST <= n <= LARGEST for n in numbers)
    )


@flags.validator("steps_per_call", "must be auto, or a number of 1 or more.")
def _is_number_of_steps(steps):
    return steps == "auto" or (steps.isdecimal() and int(steps) > 0)


@flags.validator("data_service", "must be grpc://host:port.")
def _is_address(service):
    return service is None or re.fullmatch(r"grpc://[^/]+:\d+", service)
