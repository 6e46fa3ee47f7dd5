"""Grain."""

from collections.abc import Generator
from typing import Any

import numpy as np

from pipelines.benchmarking.peers.peer import Corpus


def batches(corpus: Corpus, batch_size: int, threads: int) -> Generator[Any, None, None]:
    """Batches of Grain, from images in memory, with a process for each of `threads`.

    On two cores, two processes were twice as fast as none.
    """
    import grain

    width = corpus.width

    def crop(
        example: tuple[np.ndarray, np.integer], generator: np.random.Generator
    ) -> tuple[np.ndarray, np.integer]:
        image, label = example
        start = generator.integers(image.shape[1] - width + 1)
        return image[:, start : start + width], label

    examples = list(zip(corpus.images, corpus.labels, strict=True))
    # It is repeated before it is shuffled: with only hundreds of examples, the block cipher of Grain's shuffle takes
    # 50 µs for each number.
    dataset = grain.MapDataset.source(examples).seed(0).repeat(1 << 12).shuffle().repeat().random_map(crop)
    dataset = dataset.batch(batch_size, drop_remainder=True)
    # Grain's documentation advises no threads for data in memory.
    dataset = dataset.to_iter_dataset(grain.ReadOptions(num_threads=0))
    batches = iter(dataset.mp_prefetch(grain.MultiprocessingOptions(num_workers=threads)))
    try:
        yield from batches
    finally:
        batches.close()
