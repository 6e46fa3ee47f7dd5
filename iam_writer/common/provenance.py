"""Where a result comes from: the command, the date, the versions of the packages, and the machine.

Loads Keras only for `provenance`, so that programs without TensorFlow can use `origin`.
"""

import datetime
import hashlib
import importlib.metadata
import os
import pathlib
import platform
import sys
from collections.abc import Iterable
from typing import Final, NotRequired, TypedDict, cast

from iam_writer.handwriting import documents
from pipelines.system.cores import usable_cores

_PACKAGES: Final = ("iam_writer", "tensorflow", "tensorflow-datasets", "keras", "numpy")

_WITHOUT_TENSORFLOW: Final = ("iam_writer", "numpy", "opencv-python-headless", "pillow")


class Origin(TypedDict):
    """What a result of a program without TensorFlow says about where it comes from."""

    date: str  # In UTC, such as '2026-01-31T12:00:00+00:00'.
    command: list[str]  # The words of the command line.
    # Of the packages and of 'python'; None if another build of a package is installed.
    versions: dict[str, str | None]


def origin(packages: Iterable[str] = ()) -> Origin:
    """What a result of a program without TensorFlow says about where it comes from.

    Args:
      packages: packages whose versions are added.
    """
    versions = {package: _version(package) for package in (*_WITHOUT_TENSORFLOW, *packages)}
    return {
        "date": now(),
        "command": sys.orig_argv,
        "versions": versions | {"python": platform.python_version()},
    }


Provenance = TypedDict(
    "Provenance",
    {
        "date": str,  # In UTC, such as '2026-01-31T12:00:00+00:00'.
        "command": list[str],  # The words of the command line.
        "backend": str,  # Of Keras.
        "versions.python": str,
        "versions.iam_writer": str,
        # None if another build of the package is installed.
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
    import keras  # Takes seconds to load.

    from iam_writer.common.devices import gpus

    backend, found_gpus = keras.backend.backend(), gpus()
    names = (*_PACKAGES, *(["jax"] if backend == "jax" else []), *packages)
    found = {
        "date": now(),
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


def sha256(path: str | os.PathLike[str]) -> str:
    """Of a file, in hexadecimal. Of a page of a file (scans.pdf#3) it is that of the file, followed by # and the page's number."""
    file, page = documents.split(os.fspath(path))
    found = hashlib.sha256(pathlib.Path(file).read_bytes()).hexdigest()
    return found if page is None else f"{found}#{page}"


def now() -> str:
    """The date and the time in UTC, such as '2026-01-31T12:00:00+00:00'."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _version(package: str) -> str | None:
    if package == "iam_writer":  # It may run from a checkout, without being installed.
        from iam_writer import __version__

        return __version__
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu() -> str | None:
    """The processor's name. Python's own `platform.processor` gives only the architecture on Linux."""
    try:
        rows = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or None
    names = (row.partition(":")[2].strip() for row in rows if row.startswith("model name"))
    return next(names, None) or platform.processor() or None
