"""Finds prepared datasets, for instance those that a checkpoint was trained on, and joins several datasets.

When datasets are joined, each keeps its own split and its own writers. If the first has n writers, writer k of the second
becomes class n + k. The name of a writer then begins with the dataset: 'top50: 000'.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from iam_writer.common.errors import MissingDataError
from iam_writer.common.specs import config_of
from pipelines.strips import Example, Strips, examples_of_split, open_or_build, strips_of_split

Builders = Mapping[str, tfds.core.DatasetBuilder]
"""Config, such as 'top50', → prepared dataset."""

_FEATURES = {"label": "writer", "id": "id", "group": "form"}
"""What our datasets call what strips need to know."""

SEPARATOR = ": "
"""Between a dataset's config, where there are several, and the name of a writer or a form."""

_DAMAGED = (tf.errors.DataLossError, tf.errors.FailedPreconditionError, tf.errors.NotFoundError)
"""What TensorFlow says of records that are cut short, fewer than they were, or gone."""


def prepared(name: str, data_dir: str | None) -> list[pathlib.Path]:
    """The folders of a dataset such as 'iam_writer/top50', as far as it has been built.

    Args:
      name: the name in flags. Invented writers have many configs, and 'iam_writer/synthetic' stands for all of them.
      data_dir: the folder in which TFDS keeps datasets; None for the default of TFDS.
    """
    pattern = name + "*" * name.endswith("/synthetic")
    return sorted(path.parent for path in _folder(data_dir).glob(f"{pattern}/*/metadata.json"))


def strips(run: dict, split: str, data_dir: str | None) -> Strips:
    """The strips of a split of the datasets that a run was trained on.

    Args:
      run: what the checkpoint says about the run, as `checkpoints.read_state` returns it.
      split: such as 'train'.
      data_dir: the folder in which TFDS keeps datasets; None for the default of TFDS.

    Raises:
      MissingDataError: see `builders`.
    """
    return joint_strips(builders(run, data_dir), split, run["patch_height"], run["patch_width"])


def builders(run: dict, data_dir: str | None) -> Builders:
    """The datasets that a run was trained on.

    Args: see `strips`.

    Raises:
      MissingDataError: a dataset is not there, or it was made from other files.
    """
    return {
        config_of(name): tfds.builder_from_directory(_find(name, fingerprint, data_dir))
        for name, fingerprint in zip(run["dataset"], run["fingerprint"], strict=True)
    }


def _find(name: str, fingerprint: str, data_dir: str | None) -> pathlib.Path:
    for found in prepared(name, data_dir):
        with _whole(found):
            if json.loads((found / "metadata.json").read_text()).get("fingerprint") == fingerprint:
                return found
    raise MissingDataError(
        f"The dataset {name} that the network was trained on is not in {_folder(data_dir)}. Name its folder with --data_dir."
    )


def line_strips(builder: tfds.core.DatasetBuilder, split: str, height: int, width: int) -> Strips:
    """The strips of a split for patches of this height and width. They are built if they are not there.

    They are black on white, so that a network learns hands and not scanners. `studies/robustness.py` measures the effect.
    """
    with _whole(builder.data_path):
        return strips_of_split(
            builder, split, height=height, min_width=width, black_on_white=True, **_FEATURES
        )


@contextlib.contextmanager
def _whole(folder: os.PathLike) -> Iterator[None]:
    """Raises MissingDataError with a plain message if the files of a prepared dataset are damaged."""
    try:
        yield
    except (*_DAMAGED, json.JSONDecodeError) as error:
        raise MissingDataError(
            f"The files of the dataset in {folder} are damaged, or some are missing. Remove the folder. Then "
            "iam_writer.train builds the dataset again."
        ) from error


def joint_strips(builders: Builders, split: str, height: int, width: int) -> Strips:
    """The strips of a split of one dataset, or of several datasets together. They are built if they are not there.

    The lines of several datasets lie one dataset after the other. The strips are in the folder of the first dataset.
    """
    first, *others = builders.values()
    if not others:
        return line_strips(first, split, height, width)
    infos = [builder.info for builder in builders.values()]
    laid_with = "+".join(info.config_name for info in infos[1:])
    sources = ", ".join(f"{info.full_name} {info.metadata['fingerprint']}" for info in infos)
    return open_or_build(
        pathlib.Path(first.data_path) / "strips" / f"{split}-{height}x{width}-black+{laid_with}",
        lambda: line_examples(builders, split),
        height=height,
        min_width=width,
        black_on_white=True,
        source=f"{split} of {sources}",
        total=sum(info.splits[split].num_examples for info in infos),
    )


def line_examples(builders: Builders, split: str) -> Iterator[Example]:
    """The lines of a split of one or several datasets, one dataset after the other. Writers and forms of two datasets stay apart."""
    writers_before = 0
    for config, builder in builders.items():
        with _whole(builder.data_path):
            for example in examples_of_split(builder, split, **_FEATURES):
                if len(builders) == 1:
                    yield example
                    continue
                label, group = writers_before + example.label, f"{config}{SEPARATOR}{example.group}"
                yield dataclasses.replace(example, label=label, group=group)
        writers_before += builder.info.features["writer"].num_classes


def writers(builders: Builders) -> list[str]:
    """The name of each class."""
    names = {config: builder.info.features["writer"].names for config, builder in builders.items()}
    if len(names) == 1:
        return next(iter(names.values()))
    return [f"{config}{SEPARATOR}{name}" for config, of_one in names.items() for name in of_one]


def parts(run: dict, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Which lines belong to which dataset. Empty if there is only one dataset.

    Args:
      run: what a checkpoint says about its run: `dataset` and `writers`.
      labels: int `[lines]`.

    Returns:
      Config → bool `[lines]`.
    """
    configs = [config_of(name) for name in run["dataset"]]
    if len(configs) == 1:
        return {}
    config_of_line = np.array([writer.partition(SEPARATOR)[0] for writer in run["writers"]])[labels]
    return {config: config_of_line == config for config in configs}


def _folder(data_dir: str | None) -> pathlib.Path:
    return pathlib.Path(data_dir or tfds.core.constants.DATA_DIR).expanduser()
