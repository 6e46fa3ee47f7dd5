"""The counts of the hand descriptor for pages. They are kept, so that a second question about a page takes no time.

They are kept in `~/.cache/iam_writer`, or below XDG_CACHE_HOME if that is set. The name of a file comes from the content of
the page. The files may be removed at any time. Does not import TensorFlow.
"""

import concurrent.futures
import dataclasses
import hashlib
import io
import json
import multiprocessing
import os
import pathlib
import zipfile
from collections.abc import Iterable, Iterator
from typing import Final

import cv2
import numpy as np
from PIL import Image

from iam_writer.common.errors import BadImageError
from iam_writer.common.files import write_beside
from iam_writer.handwriting import pages
from iam_writer.recognition import descriptor
from pipelines.system.cores import usable_cores

VERSION: Final = 3
"""Of what is kept. Raise it when counts of the same file change for a reason that no other version tells."""

LOWEST_DPI, HIGHEST_DPI = 100.0, 1200.0
"""A file that says less or more than this does not know: 72 and 96 are what programs write that know no resolution."""

LOOK: Final = 32
"""Pixels of a side of the small picture by which a recompressed copy of a page is known."""

ALIKE: Final = 0.995
"""Correlation of two small pictures from which two files are said to show one page."""


@dataclasses.dataclass(frozen=True)
class DescribedPage:
    """A page and its counts.

    Attributes:
      path: the path as the user gave it.
      sha256: of the file's bytes, in hexadecimal.
      counts: int64 `[2, descriptor.SIZE]`, of its first, third, fifth … line, and of the others; of a single line, of its
        left half and its right half.
      lines: how many text lines were found.
      look: float32 `[LOOK, LOOK]`, a small picture of the page, with mean 0 and length 1.
      warnings: sentences on what is odd about the page.
      dpi: the resolution that the file tells; None if it tells none. Then `counts` are right for descriptor.DPI.
    """

    path: str
    sha256: str
    counts: np.ndarray
    lines: int
    look: np.ndarray
    warnings: tuple[str, ...]
    dpi: float | None = None

    def shows_the_same_as(self, other: "DescribedPage") -> bool:
        """Whether both files show one page: the same bytes, or the same picture saved in another way."""
        return self.sha256 == other.sha256 or float((self.look * other.look).sum()) > ALIKE


def describe(path: str | os.PathLike[str], dpi: float | None = None) -> DescribedPage:
    """Finds the lines of a page and counts their shapes. Reads the counts from the cache if this file was seen before.

    Args:
      path: an image file of a page, or of a single line.
      dpi: the resolution of the file; by default what the file says, or else descriptor.DPI.

    Raises:
      BadImageError: the image cannot be read. The message names the file and the reason.
    """
    name = os.fspath(path)
    try:
        sha256 = hashlib.sha256(pathlib.Path(name).read_bytes()).hexdigest()
    except OSError:
        sha256 = ""  # Whoever reads the image says what is wrong.
    kept = _place(sha256, dpi)
    found = _kept(kept, name, sha256) if sha256 else None
    if found is None:
        found = _described(name, sha256, dpi)
        _keep(kept, found)
    return found


def describe_all(paths: Iterable[str]) -> Iterator[DescribedPage | BadImageError]:
    """`describe` of many files on all cores, in order. A file that cannot be read gives its error."""
    names = list(paths)
    workers = min(usable_cores(), len(names))
    if workers < 2:
        yield from map(_described_or_error, names)
        return
    # Spawned, not forked: the caller may run threads.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread) as pool:
        yield from pool.map(_described_or_error, names, chunksize=1)


def _one_thread() -> None:
    cv2.setNumThreads(1)  # There is a process for each core already.


def _described_or_error(path: str) -> DescribedPage | BadImageError:
    try:
        return describe(path)
    except BadImageError as error:
        return error


def _described(path: str, sha256: str, dpi: float | None) -> DescribedPage:
    return described(path, sha256, pages.read(path), _told_dpi(path), dpi)


def described(
    path: str, sha256: str, page: pages.Page, told: float | None, dpi: float | None = None
) -> DescribedPage:
    """Counts the shapes on the lines of a page.

    Args:
      path: of its file.
      sha256: of the file's bytes.
      page: what `pages` found.
      told: the resolution that the file tells; None if it tells none.
      dpi: the resolution to go by instead.
    """
    of_lines = _of_lines(dpi or told, page.scale)
    images = [descriptor.at_dpi(line.image, of_lines) for line in page.lines]
    if len(images) == 1:
        images = np.array_split(images[0], 2, axis=1)
    counts = np.zeros((2, descriptor.SIZE), np.int64)
    for number, image in enumerate(images):
        counts[number % 2] += descriptor.counts(image)
    warnings = list(page.warnings)
    if told and not dpi and abs(told / descriptor.DPI - 1) >= 0.05:
        warnings.append(f"its file says {told:.0f} dpi, so it was scaled to {descriptor.DPI} dpi")
    return DescribedPage(path, sha256, counts, len(page.lines), _look(page.gray), tuple(warnings), told)


def _told_dpi(path: str) -> float | None:
    """The resolution that a file tells, if that is plausible; else None."""
    with Image.open(path) as picture:
        said = float(picture.info.get("dpi", (0, 0))[0])
    return said if LOWEST_DPI <= said <= HIGHEST_DPI else None


def _of_lines(dpi: float | None, scale: float) -> float:
    """The resolution of a page's lines.

    Args:
      dpi: of the file; None if it is not known. Then it is taken that the lines have descriptor.DPI.
      scale: by which the page was enlarged when its lines were searched.
    """
    if dpi is None:
        return float(descriptor.DPI)
    # Scans of 299.9994 dpi are scans of 300 dpi.
    return float(descriptor.DPI) if abs(dpi * scale / descriptor.DPI - 1) < 0.05 else dpi * scale


def _look(gray: np.ndarray) -> np.ndarray:
    small = cv2.resize(gray, (LOOK, LOOK), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= small.mean()
    return small / max(float(np.linalg.norm(small)), 1e-6)


def _place(sha256: str, dpi: float | None) -> pathlib.Path:
    cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    version = f"{VERSION}.{pages.VERSION}.{descriptor.VERSION}"
    return (
        pathlib.Path(cache) / "iam_writer" / "pages" / version / f"{sha256}{f'-{dpi:.0f}' if dpi else ''}.npz"
    )


def _kept(place: pathlib.Path, path: str, sha256: str) -> DescribedPage | None:
    """What the cache holds for a file. None if there is nothing, or if it is damaged."""
    try:
        with np.load(place, allow_pickle=False) as arrays:
            counts, look = arrays["counts"], arrays["look"]
            about = json.loads(str(arrays["about"]))
            if counts.shape != (2, descriptor.SIZE) or look.shape != (LOOK, LOOK):
                return None
            return DescribedPage(
                path, sha256, counts, about["lines"], look, tuple(about["warnings"]), about["dpi"]
            )
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None


def _keep(place: pathlib.Path, page: DescribedPage) -> None:
    """Writes a page into the cache. An error is ignored, because an answer does not depend on the cache."""
    file = io.BytesIO()
    about = json.dumps({"lines": page.lines, "warnings": list(page.warnings), "dpi": page.dpi})
    np.savez_compressed(file, counts=page.counts, look=page.look, about=np.array(about))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_beside(place, file.getvalue())
    except OSError:
        return
