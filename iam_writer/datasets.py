"""Finds the prepared dataset that a checkpoint was trained on."""

import json
import pathlib

import tensorflow_datasets as tfds

from iam_writer.errors import MissingDataError
from pipelines.strips import Strips, strips_of_split


def strips(run: dict, split: str, data_dir: str | None) -> Strips:
    """The strips of a split of the dataset that a run was trained on.

    Args:
      run: what the checkpoint says of it.
      split: such as 'train'.
      data_dir: where TFDS keeps datasets, None for its own place.

    Raises:
      MissingDataError: it is not there, or one of its name was made from other files.
    """
    folder = pathlib.Path(data_dir or tfds.core.constants.DATA_DIR).expanduser()
    # Invented writers have many configs, told apart by their fingerprints; and a dataset may have been made anew.
    name = run["dataset"] + "*" * run["dataset"].endswith("/synthetic")
    for metadata in sorted(folder.glob(f"{name}/*/metadata.json")):
        if json.loads(metadata.read_text()).get("fingerprint") == run["fingerprint"]:
            builder = tfds.builder_from_directory(metadata.parent)
            return strips_of_split(
                builder,
                split,
                height=run["patch_height"],
                min_width=run["patch_width"],
                label="writer",
                group="form",
            )
    raise MissingDataError(
        f"the dataset {run['dataset']} that it was trained on is not in {folder}; name its place with --data_dir."
    )
