"""The lines of a dataset as the hand descriptor counts them: counted once, and kept beside the dataset. No TensorFlow."""

import concurrent.futures
import io
import multiprocessing
import pathlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import filelock
import numpy as np

from iam_writer.common.files import write_beside
from iam_writer.recognition import descriptor
from pipelines.system.arrays import load_array
from pipelines.system.cores import usable_cores
from pipelines.system.progress import progress_bar

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

    from iam_writer.common.datasets import Builders

FEW = 200
"""So few images are counted in this process, because it takes seconds to start others."""


def of_images(images: Sequence[bytes], description: str) -> np.ndarray:
    """Counts line images on all cores.

    Args:
      images: image files that Pillow can read, at descriptor.DPI.
      description: for the progress bar.

    Returns:
      int32 `[images, descriptor.SIZE]`.
    """
    found = np.zeros((len(images), descriptor.SIZE), np.int32)
    counted = _counted(images)
    progress = progress_bar(
        counted, total=len(images), desc=f"counting {description}", unit=" lines", leave=False
    )
    for row, counts in zip(found, progress, strict=True):
        row[:] = counts
    return found


def _counted(images: Sequence[bytes]) -> Iterator[np.ndarray]:
    workers = min(usable_cores(), len(images))
    if workers < 2 or len(images) < FEW:
        yield from map(descriptor.counts_of_file, images)
        return
    # Processes are spawned and not forked, because a fork of a process with TensorFlow's threads may hang.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(descriptor.counts_of_file, images, chunksize=16)


def of_split(builders: "Builders", split: str) -> np.ndarray:
    """The counts of a split of one dataset or several, in the order of `datasets.joint_strips`.

    Returns:
      int32 `[lines, descriptor.SIZE]`.

    Raises:
      MissingDataError: the dataset's files are damaged.
      OSError: the counts cannot be written beside the dataset.
    """
    return np.concatenate([_of_one(builder, split) for builder in builders.values()])


def _of_one(builder: "tfds.core.DatasetBuilder", split: str) -> np.ndarray:
    from iam_writer.common import datasets  # Loads TensorFlow.

    info = builder.info
    folder = pathlib.Path(builder.data_path) / "counts"
    folder.mkdir(exist_ok=True)
    path = folder / f"{split}-{info.metadata['fingerprint']}-{descriptor.VERSION}.npy"
    # Two programs that count the same lines wait for each other, and the second one uses what the first has counted.
    with filelock.FileLock(folder / f".{split}.lock"):
        found = _kept(path, info.splits[split].num_examples)
        if found is None:
            images = [example.image for example in datasets.line_examples({info.config_name: builder}, split)]
            found = of_images(images, f"{info.full_name} {split}")
            file = io.BytesIO()
            np.save(file, found, allow_pickle=False)
            write_beside(path, file.getvalue())
    return found


def _kept(path: pathlib.Path, lines: int) -> np.ndarray | None:
    """What was counted before, None if it is not there or damaged."""
    try:
        found = load_array(path)
    except (OSError, ValueError):
        return None
    return found if found.shape == (lines, descriptor.SIZE) and found.dtype == np.int32 else None
