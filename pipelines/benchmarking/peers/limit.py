"""The limit: a compiled loop that only copies."""

import ctypes
import functools
import queue
import threading
from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from pipelines.benchmarking.peers.peer import Corpus


@functools.cache
def _compiled_copy() -> Callable[..., None]:
    import numba

    # memcpy is two to three times as fast as Numba's assignment between slices.
    memcpy = ctypes.CDLL(None).memcpy
    memcpy.argtypes, memcpy.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t], ctypes.c_void_p

    @numba.njit(nogil=True)
    def copy(
        columns: np.ndarray,
        first_column: np.ndarray,
        labels: np.ndarray,
        patches: np.ndarray,
        patch_labels: np.ndarray,
    ) -> None:
        length, height = patches.shape[1], columns.shape[1]
        source, target = columns.ctypes.data, patches.ctypes.data
        for i in range(len(patches)):
            image = np.random.randint(len(labels))
            last = first_column[image + 1] - length // height
            start = np.random.randint(first_column[image], last + 1)
            memcpy(target + i * length, source + start * height, length)
            patch_labels[i] = labels[image]

    compiled: Callable[..., None] = copy
    return compiled


def batches(corpus: Corpus, batch_size: int, threads: int) -> Generator[Any, None, None]:
    """Random blocks of columns, copied into batches that are allocated once. No loader that copies patches is faster.

    Each thread fills whole batches, and does not hold Python's lock. This is at least as fast as dividing the patches of
    a batch among threads (numba's prange), and the threads end with this generator.
    """
    copy, strips = _compiled_copy(), corpus.strips
    columns = np.memmap(strips.folder / "columns", np.uint8, "r").reshape(-1, strips.height)
    free: queue.SimpleQueue[tuple[np.ndarray, np.ndarray] | None] = queue.SimpleQueue()
    ready: queue.SimpleQueue[tuple[np.ndarray, np.ndarray]] = queue.SimpleQueue()

    def work() -> None:
        while (batch := free.get()) is not None:
            copy(columns, strips.first_column, strips.labels, *batch)
            ready.put(batch)

    shape = (batch_size, corpus.width * strips.height)
    for _ in range(2 * threads):
        free.put((np.empty(shape, np.uint8), np.empty(batch_size, np.int32)))
    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        while True:
            patches, labels = batch = ready.get()
            yield patches.reshape(batch_size, corpus.width, strips.height), labels
            free.put(batch)
    finally:
        for _ in workers:
            free.put(None)
        for worker in workers:
            worker.join()
