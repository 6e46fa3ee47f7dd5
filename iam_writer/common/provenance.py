"""Where a result comes from: the command, the versions of the packages, and the machine."""

import importlib.metadata
import pathlib
import platform
import sys
from collections.abc import Iterable

import keras

from iam_writer.common.devices import gpus
from pipelines.system.cores import usable_cores


def provenance(packages: Iterable[str] = ()) -> dict[str, object]:
    """What result.json says about where it comes from.

    Args:
      packages: whose versions to add to those that every program uses.

    Returns:
      `command`, the words of the command line; `backend`, Keras'; `versions.<package>`; `machine.cores`, how many may be
      used; `machine.cpu`, a name or null; `machine.gpus`, their number; `machine.gpu`, the first one's name or null.
    """
    found: dict[str, object] = {"command": sys.orig_argv, "backend": keras.backend.backend()}
    if keras.backend.backend() == "jax":
        packages = ["jax", *packages]
    for package in ("iam_writer", "tensorflow", "tensorflow-datasets", "keras", "numpy", *packages):
        found[f"versions.{package}"] = _version(package)
    found_gpus = gpus()
    return found | {
        "versions.python": platform.python_version(),
        "machine.cores": usable_cores(),
        "machine.cpu": _cpu(),
        "machine.gpus": len(found_gpus),
        "machine.gpu": found_gpus[0].name if found_gpus else None,
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # Run from a checkout without installing.
        return None


def _cpu() -> str | None:
    """The processor's name. Python's own `platform.processor` gives only the architecture on Linux."""
    try:
        rows = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or None
    names = (row.partition(":")[2].strip() for row in rows if row.startswith("model name"))
    return next(names, None) or platform.processor() or None
