"""Finds prepared datasets: above all the one that a checkpoint was trained on."""

import json
import pathlib

import tensorflow_datasets as tfds

from iam_writer.errors import MissingDataError
from pipelines.strips import Strips, strips_of_split


def prepared(name: str, data_dir: str | None) -> list[pathlib.Path]:
    """The folders of a dataset such as 'iam_writer/top50' that are there.

    Args:
      name: as flags name it. Invented writers have many configs, and 'iam_writer/synthetic' stands for all of them.
      data_dir: where TFDS keeps datasets, None for its own place.
    """
    pattern = name + "*" * name.endswith("/synthetic")
    return sorted(path.parent for path in _folder(data_dir).glob(f"{pattern}/*/metadata.json"))


def strips(run: dict, split: str, data_dir: str | None) -> Strips:
    """The strips of a split of the dataset that a run was trained on.

    Args:
      run: what the checkpoint says of it.
      split: such as 'train'.
      data_dir: where TFDS keeps datasets, None for its own place.

    Raises:
      MissingDataError: see `folder`.
    """
    return open_strips(folder(run, data_dir), split, run["patch_height"], run["patch_width"])


def folder(run: dict, data_dir: str | None) -> pathlib.Path:
    """Where the dataset is that a run was trained on.

    Args: see `strips`.

    Raises:
      MissingDataError: it is not there, or what is there was made from other files.
    """
    for found in prepared(run["dataset"], data_dir):
        if json.loads((found / "metadata.json").read_text()).get("fingerprint") == run["fingerprint"]:
            return found
    raise MissingDataError(
        f"the dataset {run['dataset']} that it was trained on is not in {_folder(data_dir)}; name its place with "
        "--data_dir."
    )


def open_strips(folder: pathlib.Path, split: str, height: int, width: int) -> Strips:
    """The strips of a split of a prepared dataset; made if they are not there."""
    return line_strips(tfds.builder_from_directory(folder), split, height, width)


def line_strips(builder: tfds.core.DatasetBuilder, split: str, height: int, width: int) -> Strips:
    """The strips of a split, for patches of so much, made if they are not there.

    Black on white, so that a network knows hands, not scanners: see `robustness.py` for what that is worth.
    """
    return strips_of_split(
        builder, split, height=height, min_width=width, black_on_white=True, label="writer", group="form"
    )


def _folder(data_dir: str | None) -> pathlib.Path:
    return pathlib.Path(data_dir or tfds.core.constants.DATA_DIR).expanduser()
