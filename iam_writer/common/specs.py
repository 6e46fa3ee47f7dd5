"""Which datasets a run is of. The flags --dataset and --manual_dir are read here, and nowhere else. No TensorFlow."""

import dataclasses
import os
from typing import Any

from iam_writer.common.errors import FlagError


@dataclasses.dataclass(frozen=True)
class DatasetSpec:
    """A dataset to train on.

    Attributes:
      config: such as 'top50'.
      manual_dir: where its files lie. None if it is prepared already, or is made from no files.
    """

    config: str
    manual_dir: str | None = None

    @property
    def name(self) -> str:
        """As flags and checkpoints name it, such as 'iam_writer/top50'."""
        return f"iam_writer/{self.config}"


def config_of(name: str) -> str:
    """'iam_writer/top50' → 'top50'."""
    return name.partition("/")[2]


def listed(names: str | list[str]) -> list[str]:
    """One or several names. The flag joins them with commas, as did checkpoints and result.json of earlier versions."""
    return names if isinstance(names, list) else names.split(",")


def listed_in(run: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint says of its run, its datasets and their fingerprints being lists also if an earlier version wrote it."""
    return run | {name: listed(run[name]) for name in ("dataset", "fingerprint") if name in run}


def parse(dataset: str, manual_dir: str | None) -> tuple[DatasetSpec, ...]:
    """What the flags --dataset and --manual_dir say.

    Args:
      dataset: one, such as 'iam_writer/top50', or several with commas between.
      manual_dir: of one; of several, a folder for each of those that are read from files, with commas between, or one
        for all.

    Raises:
      FlagError: there are more or fewer folders.
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
