"""PyTorch's DataLoader."""

import random
from collections.abc import Generator, Sequence
from typing import Any

from pipelines.benchmarking.peers.peer import Corpus


class _Crops:
    """A map-style dataset for PyTorch: it maps the number of an image to a random patch of it, and its label."""

    def __init__(self, images: Sequence[Any], labels: Sequence[int], width: int):
        self.images, self.labels, self.width = images, labels, width

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image = self.images[index]
        start = random.randrange(image.shape[1] - self.width + 1)
        return image[:, start : start + self.width], self.labels[index]


def batches(corpus: Corpus, batch_size: int, threads: int) -> Generator[Any, None, None]:
    """Batches of PyTorch's DataLoader, from images in memory.

    On two cores the main process alone delivers more patches than two workers do, because workers must send their
    batches to the main process.
    """
    import torch
    from torch.utils.data import DataLoader, RandomSampler

    data = _Crops([torch.tensor(image) for image in corpus.images], corpus.labels.tolist(), corpus.width)
    # A pass over the images ends with a pause, and its last batch may be smaller. So the pass has very many patches.
    sampler = RandomSampler(data, replacement=True, num_samples=1 << 40)
    workers = 0 if threads <= 2 else threads
    loader = DataLoader(data, batch_size, sampler=sampler, num_workers=workers)
    batches = iter(loader)
    try:
        yield from batches
    finally:
        del batches  # This ends the workers.
