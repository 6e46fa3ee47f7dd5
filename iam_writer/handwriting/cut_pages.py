"""Cuts scanned pages into text lines once and keeps the lines. Does not use TensorFlow.

The lines of each page are kept in a zip archive, which any viewer of archives opens.
"""

import concurrent.futures
import dataclasses
import functools
import hashlib
import io
import json
import os
import pathlib
import zipfile
from collections.abc import Sequence

import filelock
from PIL import Image

from iam_writer.common.errors import BadImageError
from iam_writer.common.files import write_beside
from iam_writer.handwriting import layout_files, pages
from pipelines.system.cores import usable_cores
from pipelines.system.progress import progress_bar


@dataclasses.dataclass(frozen=True)
class CutPage:
    """The text lines that were found on a scan.

    Attributes:
      archive: path of the zip archive that holds the lines as 01.png, 02.png, … from top to bottom.
      sizes: width and height of each line in pixels.
      warnings: what is odd about the page, see `pages.Page`.
      layout: the PAGE-XML or ALTO file that the lines are from; empty if the program has found them.
    """

    archive: str
    sizes: list[tuple[int, int]]
    warnings: list[str]
    layout: str = ""


def cut(paths: Sequence[str], folder: pathlib.Path) -> dict[str, CutPage]:
    """Finds the text lines of scans, on all cores. A scan whose lines were found before is not searched again, unless it or
    the PAGE-XML or ALTO file beside it has changed.

    Args:
      paths: image files.
      folder: where the archives are kept.

    Returns:
      Path of a scan → its text lines. Scans that cannot be read are left out; the error comes when they are read.

    Raises:
      OSError: the folder cannot be written.
    """
    if not paths:
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    # Two programs that read the same scans wait for each other.
    with filelock.FileLock(folder / ".lock"), concurrent.futures.ThreadPoolExecutor(usable_cores()) as pool:
        found = pool.map(functools.partial(_cut, folder=folder), paths)
        progress = progress_bar(found, total=len(paths), desc="finding lines", unit=" scans", leave=False)
        return {path: page for path, page in zip(paths, progress, strict=True) if page is not None}


def read(archive: str, number: int) -> bytes:
    """The content of an 8-bit gray PNG file of a line.

    Args:
      archive: the archive of a `CutPage`.
      number: the line's number; the first line has number 1.

    Raises:
      BadImageError: the line cannot be read.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            return file.read(_name(number))
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise BadImageError(
            f"Line {number} in {archive} cannot be read: {error}. Remove this file. Then the page is cut into lines again."
        ) from error


def _cut(path: str, folder: pathlib.Path) -> CutPage | None:
    stat = os.stat(path)
    found = layout_files.find(path)
    state: dict[str, int | str] = {
        "version": pages.VERSION,
        "size": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        "layout": found.sha256 if found else "",
    }
    archive = folder / f"{hashlib.sha256(os.path.abspath(path).encode()).hexdigest()[:32]}.zip"
    if kept := _kept(archive, state):
        return kept
    try:
        page = pages.read(path)
    except BadImageError:
        return None
    sizes = [line.image.shape[::-1] for line in page.lines]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as lines:  # PNG files are compressed already.
        for number, line in enumerate(page.lines, 1):
            with lines.open(_name(number), "w") as png:
                Image.fromarray(line.image).save(png, "PNG")
        lines.comment = json.dumps(
            state | {"sizes": sizes, "warnings": page.warnings, "layout_file": page.layout}
        ).encode()
    write_beside(archive, file.getvalue())
    return CutPage(str(archive), sizes, page.warnings, page.layout)


def _kept(archive: pathlib.Path, state: dict[str, int | str]) -> CutPage | None:
    """The page in an archive; None if it is damaged, or if the scan, its layout file or `pages.VERSION` has changed since."""
    try:
        with zipfile.ZipFile(archive) as file:
            about = json.loads(file.comment or b"{}")
    except (OSError, ValueError, zipfile.BadZipFile):
        return None
    if any(about.get(name) != value for name, value in state.items()):
        return None
    return CutPage(
        str(archive), [tuple(size) for size in about["sizes"]], about["warnings"], about["layout_file"]
    )


def _name(number: int) -> str:
    return f"{number:02}.png"
