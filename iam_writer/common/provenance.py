"""Where a result comes from: the command, the versions of the packages, and the machine."""

import importlib.metadata
import pathlib
import platform
import sys
from collections.abc import Iterable
from typing import NotRequired, TypedDict, cast

import keras

from iam_writer.common.devices import gpus
from pipelines.system.cores import usable_cores

_PACKAGES = ("iam_writer", "tensorflow", "tensorflow-datasets", "keras", "numpy")

Provenance = TypedDict(
    "Provenance",
    {
        "command": list[str],  # The words of the command line.
        "backend": str,  # Of Keras.
        "versions.python": str,
        # None if the package is not installed, for instance in a checkout.
        "versions.iam_writer": str | None,
        "versions.tensorflow": str | None,
        "versions.tensorflow-datasets": str | None,
        "versions.keras": str | None,
        "versions.numpy": str | None,
        "versions.jax": NotRequired[str | None],  # With this backend only.
        "versions.scikit-learn": NotRequired[str | None],  # In results of the baseline.
        "versions.opencv-python-headless": NotRequired[str | None],  # The same.
        "machine.cores": int,  # How many cores the program may use.
        "machine.cpu": str | None,  # The name of the processor, if the system tells it.
        "machine.gpus": int,  # How many there are.
        "machine.gpu": str | None,  # The name of the first one.
    },
)
"""The entries of a result that say where it comes from."""


def provenance(packages: Iterable[str] = ()) -> Provenance:
    """What a result says about where it comes from.

    Args:
      packages: packages whose versions are added to those of the packages that every program uses.
    """
    backend, found_gpus = keras.backend.backend(), gpus()
    names = (*_PACKAGES, *(["jax"] if backend == "jax" else []), *packages)
    found = {
        "command": sys.orig_argv,
        "backend": backend,
        **{f"versions.{name}": _version(name) for name in names},
        "versions.python": platform.python_version(),
        "machine.cores": usable_cores(),
        "machine.cpu": _cpu(),
        "machine.gpus": len(found_gpus),
        "machine.gpu": found_gpus[0].name if found_gpus else None,
    }
    return cast(Provenance, found)


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
