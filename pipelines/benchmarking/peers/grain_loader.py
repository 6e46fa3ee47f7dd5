"""Grain."""

from collections.abc import Iterator

from pipelines.benchmarking.peers.peer import Corpus


def batches(corpus: Corpus, batch_size: int, threads: int) -> Iterator:
    """Grain over images in memory, with as many processes as there are threads (on two cores twice as fast as none)."""
    import grain

    width = corpus.width

    def crop(example, generator):
        image, label = example
        start = generator.integers(image.shape[1] - width + 1)
        return image[:, start : start + width], label

    examples = list(zip(corpus.images, corpus.labels, strict=True))
    # Repeated before it is shuffled: the block cipher of its shuffle takes 50 µs a number where there are only hundreds.
    dataset = grain.MapDataset.source(examples).seed(0).repeat(1 << 12).shuffle().repeat().random_map(crop)
    dataset = dataset.batch(batch_size, drop_remainder=True)
    # No threads for what is in memory, as its documentation advises.
    dataset = dataset.to_iter_dataset(grain.ReadOptions(num_threads=0))
    batches = iter(dataset.mp_prefetch(grain.MultiprocessingOptions(num_workers=threads)))
    try:
        yield from batches
    finally:
        batches.close()
