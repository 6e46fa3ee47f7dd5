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

VERSION: Final = 2
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
    """

    path: str
    sha256: str
    counts: np.ndarray
    lines: int
    look: np.ndarray
    warnings: tuple[str, ...]

    def shows_the_same_as(self, other: "DescribedPage") -> bool:
        """Whether both files show one page: the same bytes, or the same picture saved in another way."""
        return self.sha256 == other.sha256 or float((self.look * other.look).sum()) > ALIKE


def describe(path: str | os.PathLike[str]) -> DescribedPage:
    """Finds the lines of a page and counts their shapes. Reads the counts from the cache if this file was seen before.

    Args:
      path: an image file of a page, or of a single line.

    Raises:
      BadImageError: the image cannot be read. The message names the file and the reason.
    """
    name = os.fspath(path)
    try:
        sha256 = hashlib.sha256(pathlib.Path(name).read_bytes()).hexdigest()
    except OSError:
        sha256 = ""  # Whoever reads the image says what is wrong.
    kept = _place(sha256)
    found = _kept(kept, name, sha256) if sha256 else None
    if found is None:
        found = _described(name, sha256)
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


def _described(path: str, sha256: str) -> DescribedPage:
    page = pages.read(path)
    dpi = _dpi(path, page.gray)
    images = [descriptor.at_dpi(line.image, dpi) for line in page.lines]
    if len(images) == 1:
        images = np.array_split(images[0], 2, axis=1)
    counts = np.zeros((2, descriptor.SIZE), np.int64)
    for number, image in enumerate(images):
        counts[number % 2] += descriptor.counts(image)
    warnings = list(page.warnings)
    if dpi != descriptor.DPI:
        warnings.append(f"its file says {dpi:.0f} dpi, so it was scaled to {descriptor.DPI} dpi")
    return DescribedPage(path, sha256, counts, len(page.lines), _look(page.gray), tuple(warnings))


def _dpi(path: str, gray: np.ndarray) -> float:
    """The resolution of a page: what its file says, if that is plausible; else descriptor.DPI.

    Args:
      path: of the file.
      gray: uint8 `[height, width]`, the page, which may have been scaled down.
    """
    with Image.open(path) as picture:
        said, side = float(picture.info.get("dpi", (0, 0))[0]), max(picture.size)
    if not LOWEST_DPI <= said <= HIGHEST_DPI:
        return float(descriptor.DPI)
    dpi = said * max(gray.shape) / side
    # Scans of 299.9994 dpi are scans of 300 dpi.
    return float(descriptor.DPI) if abs(dpi / descriptor.DPI - 1) < 0.05 else dpi


def _look(gray: np.ndarray) -> np.ndarray:
    small = cv2.resize(gray, (LOOK, LOOK), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= small.mean()
    return small / max(float(np.linalg.norm(small)), 1e-6)


def _place(sha256: str) -> pathlib.Path:
    cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    version = f"{VERSION}.{pages.VERSION}.{descriptor.VERSION}"
    return pathlib.Path(cache) / "iam_writer" / "pages" / version / f"{sha256}.npz"


def _kept(place: pathlib.Path, path: str, sha256: str) -> DescribedPage | None:
    """What the cache holds for a file. None if there is nothing, or if it is damaged."""
    try:
        with np.load(place, allow_pickle=False) as arrays:
            counts, look = arrays["counts"], arrays["look"]
            about = json.loads(str(arrays["about"]))
            if counts.shape != (2, descriptor.SIZE) or look.shape != (LOOK, LOOK):
                return None
            return DescribedPage(path, sha256, counts, about["lines"], look, tuple(about["warnings"]))
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None


def _keep(place: pathlib.Path, page: DescribedPage) -> None:
    """Writes a page into the cache. An error is ignored, because an answer does not depend on the cache."""
    file = io.BytesIO()
    about = json.dumps({"lines": page.lines, "warnings": list(page.warnings)})
    np.savez_compressed(file, counts=page.counts, look=page.look, about=np.array(about))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_beside(place, file.getvalue())
    except OSError:
        return
