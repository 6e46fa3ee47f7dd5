"""What every result keeps about itself: the command, the date, versions, and hashes of the files. No TensorFlow."""

import datetime
import importlib.metadata
import platform
import sys
from collections.abc import Iterable

from iam_writer.recognition import descriptor, reference
from iam_writer.recognition.described import DescribedPage
from iam_writer.recognition.reference import Reference

PACKAGES = ("iam_writer", "numpy", "opencv-python-headless", "pillow")


def record(population: Reference) -> dict[str, object]:
    """Where a result comes from.

    Returns:
      `date`, in UTC; `command`, the words of the command line; `versions`, by package; `descriptor`, the version of what is
      counted; `reference`, the name of the file that was learnt from invented writers, and its fingerprint.
    """
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": sys.orig_argv,
        "versions": {package: _version(package) for package in PACKAGES}
        | {"python": platform.python_version()},
        "descriptor": descriptor.VERSION,
        "reference": {"file": reference.FILE.name, "fingerprint": population.fingerprint},
    }


def files(pages: Iterable[DescribedPage]) -> list[dict[str, object]]:
    """Of each page: its path, SHA-256, size in pixels, the resolution that it tells in pixels an inch, or null, its lines, the PAGE-XML or ALTO file that gave them, or null, and what is odd about it."""
    return [
        {
            "path": page.path,
            "sha256": page.sha256,
            "width": page.size[0],
            "height": page.size[1],
            "dpi": page.dpi,
            "lines": page.lines,
            "lines_from": page.layout or None,
            "lines_from_sha256": page.layout_sha256 or None,
            "warnings": list(page.warnings),
        }
        for page in pages
    ]


def _version(package: str) -> str | None:
    if package == "iam_writer":
        from iam_writer import __version__

        return __version__
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # Another build of the package is installed.
        return None
