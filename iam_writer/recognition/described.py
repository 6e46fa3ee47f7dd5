"""The counts of the hand descriptor for pages. They are kept, so that a second question about a page takes no time.

They are kept in `~/.cache/iam_writer`, or below XDG_CACHE_HOME if that is set. The name of a file comes from the content of
the page. The files may be removed at any time. Does not import TensorFlow.
"""

import concurrent.futures
import dataclasses
import functools
import hashlib
import io
import json
import multiprocessing
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

import cv2
import numpy as np
from PIL import Image

from iam_writer.common import provenance
from iam_writer.common.errors import BadImageError
from iam_writer.common.files import write_beside
from iam_writer.handwriting import documents, layout_files, pages
from iam_writer.handwriting.layouts import GivenLine
from iam_writer.recognition import descriptor
from pipelines.system.arrays import load_arrays
from pipelines.system.cores import usable_cores
from pipelines.system.progress import progress_bar

_In = TypeVar("_In")
_Out = TypeVar("_Out")

VERSION: Final = 6
"""Of what is kept. Raise it when counts of the same file change for a reason that no other version tells."""

LOWEST_DPI, HIGHEST_DPI = 100.0, 1200.0
"""A file that says less or more than this does not know: 72 and 96 are what programs write that know no resolution."""

LOOK: Final = 32
"""Pixels of a side of the small picture by which a recompressed copy of a page is known."""

THUMBNAIL: Final = 160
"""Pixels of the longer side of a page's picture in reports."""

ALIKE: Final = 0.995
"""Correlation of two small pictures from which two files are said to show one page."""


@dataclasses.dataclass(frozen=True)
class DescribedPage:
    """A page and its counts.

    Attributes:
      path: the path as the user gave it.
      sha256: of the file's bytes, in hexadecimal; for a page of a file of several pages followed by # and its number.
      counts: int64 `[2, descriptor.SIZE]`, of its first, third, fifth … line, and of the others; of a single line, of its
        left half and its right half.
      lines: how many text lines were found.
      look: float32 `[LOOK, LOOK]`, a small picture of the page, with mean 0 and length 1.
      warnings: sentences on what is odd about the page.
      dpi: the resolution that the file tells; None if it tells none. Then `counts` are right for descriptor.DPI.
      size: width and height of the page in pixels, upright and evenly lit, see `pages.Page.gray`; 0 in galleries.
      of_lines: int32 `[lines, SIZE]`, counts of each line; none in galleries.
      boxes: int32 `[lines, 4]`, left, top, width and height of each line in pixels of the page; none in galleries.
      thumbnail: a JPEG file, at most THUMBNAIL pixels wide and high; empty in galleries.
      picture: width and height of the picture as it is stored; 0 in galleries.
      on_picture: each line's outline on the picture as it is stored; with its id and its text if a PAGE-XML or ALTO file gave the
        line; none in galleries.
      layout: the PAGE-XML or ALTO file that the lines are from; empty if the program has found them.
      layout_sha256: of that file's bytes; empty if there is none.
    """

    path: str
    sha256: str
    counts: np.ndarray
    lines: int
    look: np.ndarray
    warnings: tuple[str, ...]
    dpi: float | None = None
    size: tuple[int, int] = (0, 0)
    of_lines: np.ndarray = dataclasses.field(
        default_factory=lambda: np.zeros((0, descriptor.SIZE), np.int32), repr=False
    )
    boxes: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 4), np.int32), repr=False)
    thumbnail: bytes = dataclasses.field(default=b"", repr=False)
    picture: tuple[int, int] = (0, 0)
    on_picture: tuple[GivenLine, ...] = dataclasses.field(default=(), repr=False)
    layout: str = ""
    layout_sha256: str = ""

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
    sha256, layout = _sha256(name), layout_files.find(name)
    kept = _place(sha256, dpi, layout)
    found = _kept(kept, name, sha256, layout) if sha256 else None
    if found is None:
        found = _described(name, sha256, dpi, layout)
        _keep(kept, found)
    return found


def describe_all(
    paths: Iterable[str], progress: str | None = None
) -> Iterator[DescribedPage | BadImageError]:
    """`describe` of many files on all cores, in order. A file that cannot be read gives its error.

    Args:
      paths: of the files.
      progress: what to write before a progress bar, which also says the time left; None for no bar.
    """
    names = list(paths)
    kept = [_kept_of(name) for name in names]
    missing = [name for name, page in zip(names, kept, strict=True) if page is None]
    new = on_all_cores(_described_or_error, missing)
    if progress and missing:
        new = iter(progress_bar(new, total=len(missing), desc=progress, unit=" pages"))
    for page in kept:
        yield page or next(new)
    for _ in new:
        raise AssertionError("There are more answers than files.")


def on_all_cores(function: Callable[[_In], _Out], arguments: Sequence[_In]) -> Iterator[_Out]:
    """Calls a function with each argument, in processes of its own, and gives the results in order."""
    workers = min(usable_cores(), len(arguments))
    if workers < 2:
        yield from map(function, arguments)
        return
    # Spawned, not forked: the caller may run threads.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread) as pool:
        try:
            yield from pool.map(function, arguments, chunksize=1)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _kept_of(name: str) -> DescribedPage | None:
    sha256, layout = _sha256(name), layout_files.find(name)
    return _kept(_place(sha256, None, layout), name, sha256, layout) if sha256 else None


def _sha256(name: str) -> str:
    """Of the content; empty if the file cannot be read: whoever reads the image says what is wrong."""
    try:
        return provenance.sha256(name)
    except OSError:
        return ""


def describe_lines(
    forms: Mapping[str, Sequence[bytes]], progress: str | None = None
) -> dict[str, np.ndarray]:
    """Counts lines that are cut already, by the form that they belong to; or takes what was counted before.

    Args:
      forms: the image files of the lines of each form, at descriptor.DPI.
      progress: see `describe_all`.

    Returns:
      int32 `[lines, SIZE]` for each form with lines.
    """
    places = {
        form: _place(hashlib.sha256(b"".join(lines)).hexdigest(), None)
        for form, lines in forms.items()
        if lines
    }
    found = {form: _kept_lines(place) for form, place in places.items()}
    missing = [form for form, counts in found.items() if counts is None]
    done = on_all_cores(_counted, [list(forms[form]) for form in missing])
    if progress and missing:
        done = iter(progress_bar(done, total=len(missing), desc=progress, unit=" forms"))
    for form, counts in zip(missing, done, strict=True):
        found[form] = counts
        file = io.BytesIO()
        np.savez_compressed(file, of_lines=counts)
        _write(places[form], file.getvalue())
    return {form: counts for form, counts in found.items() if counts is not None}


def _counted(lines: list[bytes]) -> np.ndarray:
    counts = []
    for data in lines:
        with Image.open(io.BytesIO(data)) as picture:
            counts.append(descriptor.counts(np.asarray(picture.convert("L"))))
    return np.array(counts, np.int32)


def _kept_lines(place: pathlib.Path) -> np.ndarray | None:
    try:
        counts = load_arrays(place)["of_lines"]
        return counts if counts.ndim == 2 and counts.shape[1] == descriptor.SIZE else None
    except (OSError, KeyError, TypeError, ValueError):
        return None


def _one_thread() -> None:
    cv2.setNumThreads(1)  # There is a process for each core already.


def _described_or_error(path: str) -> DescribedPage | BadImageError:
    try:
        return describe(path)
    except BadImageError as error:
        return error


def _described(path: str, sha256: str, dpi: float | None, layout: layout_files.Found | None) -> DescribedPage:
    page = _read(path, sha256, layout.sha256 if layout else "")
    found = described(path, sha256, page, _told_dpi(path), dpi)
    return dataclasses.replace(found, layout_sha256=layout.sha256 if layout and page.layout else "")


@functools.lru_cache(maxsize=1)
def _read(path: str, sha256: str, layout_sha256: str) -> pages.Page:
    """`pages.read` of a file with this content. `identify` asks for the counts of one page at several resolutions."""
    return pages.read(path)


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
    lines_dpi = _of_lines(dpi or told, page.scale)
    images = [descriptor.at_dpi(line.image, lines_dpi) for line in page.lines]
    of_lines = np.array([descriptor.counts(image) for image in images], np.int64)
    of_lines = of_lines.reshape(len(images), descriptor.SIZE)
    halves = of_lines
    if len(images) == 1:
        halves = np.stack([descriptor.counts(half) for half in np.array_split(images[0], 2, axis=1)])
    counts = np.stack([halves[0::2].sum(axis=0), halves[1::2].sum(axis=0)])
    warnings = list(page.warnings)
    if told and not dpi and abs(told / descriptor.DPI - 1) >= 0.05:
        warnings.append(f"its file says {told:.0f} dpi, so it was scaled to {descriptor.DPI} dpi")
    return DescribedPage(
        path,
        sha256,
        counts,
        len(page.lines),
        _look(page.gray),
        tuple(warnings),
        told,
        (page.gray.shape[1], page.gray.shape[0]),
        of_lines.astype(np.int32),
        np.array([line.box for line in page.lines], np.int32).reshape(-1, 4),
        _thumbnail(page.gray),
        page.picture,
        tuple(page.on_picture()),
        page.layout,
    )


def _told_dpi(path: str) -> float | None:
    """The resolution that a file tells, if that is plausible; else None."""
    with Image.open(io.BytesIO(documents.content(path))) as picture:
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


def _thumbnail(gray: np.ndarray) -> bytes:
    picture, file = Image.fromarray(gray), io.BytesIO()
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    picture.save(file, "JPEG", quality=60)
    return file.getvalue()


def _look(gray: np.ndarray) -> np.ndarray:
    small = cv2.resize(gray, (LOOK, LOOK), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= small.mean()
    return small / max(float(np.linalg.norm(small)), 1e-6)


def _place(sha256: str, dpi: float | None, layout: layout_files.Found | None = None) -> pathlib.Path:
    cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    version = f"{VERSION}.{pages.VERSION}.{descriptor.VERSION}"
    return (
        pathlib.Path(cache)
        / "iam_writer"
        / "pages"
        / version
        / f"{sha256}{f'-{layout.sha256[:32]}' if layout else ''}{f'-{dpi:.0f}' if dpi else ''}.npz"
    )


def _kept(
    place: pathlib.Path, path: str, sha256: str, layout: layout_files.Found | None
) -> DescribedPage | None:
    """What the cache holds for a file. None if there is nothing, or if it is damaged."""
    try:
        arrays = load_arrays(place)
        counts, look = arrays["counts"], arrays["look"]
        about = json.loads(str(arrays["about"]))
        if counts.shape != (2, descriptor.SIZE) or look.shape != (LOOK, LOOK):
            return None
        lines, (width, height), (columns, rows) = about["lines"], about["size"], about["picture"]
        given = layout if about["given"] else None
        of_lines, boxes = arrays["of_lines"], arrays["boxes"]
        if of_lines.shape != (lines, descriptor.SIZE) or boxes.shape != (lines, 4):
            return None
        return DescribedPage(
            path,
            sha256,
            counts,
            lines,
            look,
            tuple(about["warnings"]),
            about["dpi"],
            (width, height),
            of_lines,
            boxes,
            arrays["thumbnail"].tobytes(),
            (columns, rows),
            tuple(
                GivenLine(id, np.array(outline).reshape(-1, 2), np.array(base).reshape(-1, 2), text, hand)
                for id, outline, base, text, hand in about["on_picture"]
            ),
            given.path if given else "",
            given.sha256 if given else "",
        )
    except (OSError, KeyError, TypeError, ValueError):
        return None


def _keep(place: pathlib.Path, page: DescribedPage) -> None:
    """Writes a page into the cache. An error is ignored, because an answer does not depend on the cache."""
    file = io.BytesIO()
    about = {
        "lines": page.lines,
        "warnings": list(page.warnings),
        "size": page.size,
        "dpi": page.dpi,
        "picture": page.picture,
        "given": page.layout != "",
        "on_picture": [
            (line.id, line.outline.tolist(), line.baseline.tolist(), line.text, line.hand)
            for line in page.on_picture
        ],
    }
    np.savez_compressed(
        file,
        counts=page.counts,
        look=page.look,
        about=np.array(json.dumps(about)),
        of_lines=page.of_lines,
        boxes=page.boxes,
        thumbnail=np.frombuffer(page.thumbnail, np.uint8),
    )
    _write(place, file.getvalue())


def _write(place: pathlib.Path, data: bytes) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_beside(place, data)
    except OSError:
        return
