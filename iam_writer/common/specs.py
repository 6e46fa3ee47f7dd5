"""What the flags --dataset and --manual_dir say. They are read in this module only. Does not import TensorFlow."""

import dataclasses
import os
from typing import Any

from iam_writer.common.errors import FlagError


@dataclasses.dataclass(frozen=True)
class DatasetSpec:
    """A dataset to train on.

    Attributes:
      config: such as 'top50'.
      manual_dir: the folder of its files. None if the dataset is prepared already, or needs no files.
    """

    config: str
    manual_dir: str | None = None

    @property
    def name(self) -> str:
        """The name in flags and checkpoints, such as 'iam_writer/top50'."""
        return f"iam_writer/{self.config}"


def config_of(name: str) -> str:
    """'iam_writer/top50' → 'top50'."""
    return name.partition("/")[2]


def listed(names: str | list[str]) -> list[str]:
    """One or several names as a list. The flag joins names with commas. So did checkpoints and result.json of earlier versions."""
    return names if isinstance(names, list) else names.split(",")


def listed_in(run: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint says about its run. The datasets and fingerprints are lists, also if an earlier version wrote them."""
    return run | {name: listed(run[name]) for name in ("dataset", "fingerprint") if name in run}


def parse(dataset: str, manual_dir: str | None) -> tuple[DatasetSpec, ...]:
    """What the flags --dataset and --manual_dir say.

    Args:
      dataset: a name such as 'iam_writer/top50', or several names with commas between.
      manual_dir: the folder of the dataset. With several datasets, a folder for each dataset that is read from files,
        with commas between, or one folder for all.

    Raises:
      FlagError: the number of folders is wrong.
    """
    configs = [config_of(name) for name in listed(dataset)]
    if manual_dir is None:
        return tuple(map(DatasetSpec, configs))
    if len(configs) == 1:
        return (DatasetSpec(configs[0], manual_dir),)
    of_files = [config for config in configs if config != "synthetic"]
    folders = _folders(dataset, manual_dir)
    if len(folders) == 1:
        folders *= len(of_files)
    if len(folders) != len(of_files):
        raise FlagError(
            f"--manual_dir names {len(folders)} folders, but {len(of_files)} datasets are read from files: "
            f"{', '.join(of_files)}. Name one folder for each of these datasets, in this order, or one folder for all."
        )
    folder_of = dict(zip(of_files, folders, strict=True))
    return tuple(DatasetSpec(config, folder_of.get(config) or None) for config in configs)


def expanduser(dataset: str, manual_dir: str) -> str:
    """`manual_dir` with ~ resolved in each of its folders."""
    return ",".join(map(os.path.expanduser, _folders(dataset, manual_dir)))


def _folders(dataset: str, manual_dir: str) -> list[str]:
    """The folder of one dataset may have a comma in its name."""
    return manual_dir.split(",") if len(listed(dataset)) > 1 else [manual_dir]
