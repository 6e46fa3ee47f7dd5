"""The lines of a dataset as the hand descriptor counts them: counted once, and kept beside the dataset. No TensorFlow."""

import concurrent.futures
import io
import multiprocessing
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import filelock
import numpy as np

from iam_writer.common.files import write_beside
from iam_writer.recognition import descriptor, variations
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
    return _counted(descriptor.counts_of_file, images, (descriptor.SIZE,), description)


def _counted(
    count: Callable[[bytes], np.ndarray], images: Sequence[bytes], shape: tuple[int, ...], description: str
) -> np.ndarray:
    """What `count` returns for each image, int32 `[images, *shape]`."""
    found = np.zeros((len(images), *shape), np.int32)
    counted = _on_all_cores(count, images)
    progress = progress_bar(
        counted, total=len(images), desc=f"counting {description}", unit=" lines", leave=False
    )
    for row, counts in zip(found, progress, strict=True):
        row[:] = counts
    return found


def _on_all_cores(count: Callable[[bytes], np.ndarray], images: Sequence[bytes]) -> Iterator[np.ndarray]:
    workers = min(usable_cores(), len(images))
    if workers < 2 or len(images) < FEW:
        yield from map(count, images)
        return
    # Processes are spawned and not forked, because a fork of a process with TensorFlow's threads may hang.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(count, images, chunksize=16)


def of_split(builders: "Builders", split: str) -> np.ndarray:
    """The counts of a split of one dataset or several, in the order of `datasets.joint_strips`.

    Returns:
      int32 `[lines, descriptor.SIZE]`.

    Raises:
      MissingDataError: the dataset's files are damaged.
      OSError: the counts cannot be written beside the dataset.
    """
    version = f"{descriptor.VERSION}"
    return np.concatenate(
        [
            _kept(builder, split, split, version, descriptor.counts_of_file, (descriptor.SIZE,))
            for builder in builders.values()
        ]
    )


def of_variations(builders: "Builders", split: str) -> np.ndarray:
    """The counts of the variations of the same lines, see `variations`.

    Returns:
      int32 `[lines, 3, descriptor.SIZE]`.

    Raises:
      MissingDataError, OSError: as `of_split`.
    """
    version = f"{descriptor.VERSION}.{variations.VERSION}"
    shape = len(variations.WEIGHTS), descriptor.SIZE
    return np.concatenate(
        [
            _kept(builder, split, f"variations_{split}", version, variations.counts_of_file, shape)
            for builder in builders.values()
        ]
    )


def _kept(
    builder: "tfds.core.DatasetBuilder",
    split: str,
    name: str,
    version: str,
    count: Callable[[bytes], np.ndarray],
    shape: tuple[int, ...],
) -> np.ndarray:
    """What `count` gives for each line of a dataset's split; counted once, and kept under a name beside the dataset."""
    from iam_writer.common import datasets  # Loads TensorFlow.

    info = builder.info
    folder = pathlib.Path(builder.data_path) / "counts"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{info.metadata['fingerprint']}-{version}.npy"
    # Two programs that count the same lines wait for each other, and the second one uses what the first has counted.
    with filelock.FileLock(folder / f".{name}.lock"):
        found = _read(path, (info.splits[split].num_examples, *shape))
        if found is None:
            images = [example.image for example in datasets.line_examples({info.config_name: builder}, split)]
            found = _counted(count, images, shape, f"{info.full_name} {name.replace('_', ' ')}")
            file = io.BytesIO()
            np.save(file, found, allow_pickle=False)
            write_beside(path, file.getvalue())
    return found


def _read(path: pathlib.Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """What was counted before, None if it is not there or damaged."""
    try:
        found = load_array(path)
    except (OSError, ValueError):
        return None
    return found if found.shape == shape and found.dtype == np.int32 else None
