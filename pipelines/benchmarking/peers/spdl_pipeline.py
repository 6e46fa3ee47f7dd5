"""SPDL (Meta): a pipeline of threads."""

import random
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np

from pipelines.benchmarking.peers.peer import Corpus


def batches(corpus: Corpus, batch_size: int, threads: int) -> Generator[Any, None, None]:
    """Batches of SPDL, from images in memory. Each of `threads` threads crops whole batches, as its documentation advises."""
    import spdl.pipeline

    images, labels, width = corpus.images, corpus.labels, corpus.width

    def numbers() -> Iterator[list[int]]:
        while True:
            yield random.choices(range(len(images)), k=batch_size)

    def crop(chosen: list[int]) -> tuple[np.ndarray, np.ndarray]:
        starts = [random.randrange(images[number].shape[1] - width + 1) for number in chosen]
        crops = [
            images[number][:, start : start + width] for number, start in zip(chosen, starts, strict=True)
        ]
        return np.stack(crops), labels[chosen]

    builder: Any = spdl.pipeline.PipelineBuilder()
    pipeline = (
        builder.add_source(numbers()).pipe(crop, concurrency=threads).add_sink(2).build(num_threads=threads)
    )
    with pipeline.auto_stop():
        yield from pipeline
