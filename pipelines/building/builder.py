"""Writes a strips folder. What a killed program has written is kept, and a later program goes on from there."""

import concurrent.futures
import itertools
import logging
import os
import pathlib
import shutil
import time
import zlib
from collections.abc import Callable, Iterable, Iterator

import filelock
import numpy as np
from numpy.typing import NDArray

from pipelines.building.examples import Example
from pipelines.building.journal import INDEX, JOURNAL, Layout, Written, fault
from pipelines.building.laying import lay
from pipelines.system.cores import usable_cores
from pipelines.system.progress import progress_bar

log = logging.getLogger(__name__)

JOURNAL_SECONDS = 10
"""A program that is killed while it builds loses at most the work of so many seconds."""

PAPER = 255
"""Gray of the columns before the first image and after the last."""


def ensure(
    folder: pathlib.Path, examples: Callable[[], Iterable[Example]], layout: Layout, total: int | None
) -> None:
    """Builds the strips folder unless a sound one of this layout is there.

    Two programs that do this at the same time wait for each other, and the second uses what the first has built.

    Args:
      folder: of the strips.
      examples: called without arguments if they are to be built.
      layout: of the strips.
      total: how many examples there are, for the progress bar.

    Raises:
      OSError: the strips cannot be written. Nothing is left then.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder.with_name(folder.name + ".lock")):
        why = fault(folder, layout)
        if why:
            if folder.exists():
                log.warning("The strips are built again, because %s.", why)
            _build(folder, examples(), layout, total)


def _build(folder: pathlib.Path, examples: Iterable[Example], layout: Layout, total: int | None) -> None:
    # This process holds the lock, so a program that has been killed left what is here.
    incomplete = folder.with_name(folder.name + ".incomplete")
    written = Written.left_in(incomplete, layout)
    if written is None:
        shutil.rmtree(incomplete, ignore_errors=True)
        incomplete.mkdir()
        written = Written()
    try:
        stat = _write_columns(incomplete, examples, layout, total, written)
        written.save(incomplete / INDEX, layout, bytes=stat.st_size, mtime_ns=stat.st_mtime_ns)
        (incomplete / JOURNAL).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        incomplete.rename(folder)
    except (
        Exception
    ):  # Such as a full disk. Ctrl-C is not an Exception: then the next program uses what is written.
        shutil.rmtree(incomplete, ignore_errors=True)
        raise


def _write_columns(
    folder: pathlib.Path, examples: Iterable[Example], layout: Layout, total: int | None, written: Written
) -> os.stat_result:
    """Writes the matrix, from where `written` ends, and adds to `written`."""
    path = folder / "columns"
    path.touch()
    with open(path, "r+b") as file:

        def write(pixels: NDArray[np.uint8]) -> None:
            file.write(pixels.data)
            written.checksum = zlib.crc32(pixels.data, written.checksum)

        def paper(columns: int) -> NDArray[np.uint8]:
            return np.full((columns, layout.height), PAPER, np.uint8)

        if written.widths:
            file.truncate((layout.columns_before + sum(written.widths)) * layout.height)
            file.seek(0, os.SEEK_END)
            log.info("A killed program has left %d images, which are kept.", len(written.widths))
        else:
            file.truncate(0)
            written.checksum = 0
            write(paper(layout.columns_before))
        progress = progress_bar(
            _lay_in_parallel(itertools.islice(examples, len(written.widths), None), layout),
            total=total,
            initial=len(written.widths),
            desc=folder.stem,
            unit=" images",
        )
        saved = time.monotonic()
        for example, pixels in progress:
            write(pixels)
            written.widths.append(len(pixels))
            written.labels.append(example.label)
            written.ids.append(example.id)
            written.groups.append(example.group)
            if time.monotonic() - saved > JOURNAL_SECONDS:
                file.flush()
                os.fsync(file.fileno())
                written.save(folder / JOURNAL, layout)
                saved = time.monotonic()
        write(paper(layout.columns_after))
        file.flush()
        os.fsync(file.fileno())
    return path.stat()


def _lay_in_parallel(
    examples: Iterable[Example], layout: Layout
) -> Iterator[tuple[Example, NDArray[np.uint8]]]:
    """Lays images in order, on all cores: Pillow releases Python's lock. At most eight images a core wait."""
    examples = iter(examples)
    cores = usable_cores()
    with concurrent.futures.ThreadPoolExecutor(cores) as pool:

        def submit(example: Example) -> tuple[Example, "concurrent.futures.Future[NDArray[np.uint8]]"]:
            return example, pool.submit(
                lay, example.image, layout.height, layout.min_width, layout.black_on_white
            )

        under_way = [submit(example) for example in itertools.islice(examples, 8 * cores)]
        while under_way:
            example, pixels = under_way.pop(0)
            under_way.extend(submit(following) for following in itertools.islice(examples, 1))
            yield example, pixels.result()
