"""PyTorch's DataLoader."""

import random
from collections.abc import Iterator

from pipelines.benchmarking.peers.peer import Corpus


class _Crops:
    """A map-style dataset for PyTorch: an image's number → a random patch of it, and its label."""

    def __init__(self, images: list, labels: list[int], width: int):
        self.images, self.labels, self.width = images, labels, width

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple:
        image = self.images[index]
        start = random.randrange(image.shape[1] - self.width + 1)
        return image[:, start : start + self.width], self.labels[index]


def batches(corpus: Corpus, batch_size: int, threads: int) -> Iterator:
    """PyTorch's DataLoader over images in memory.

    On two cores the main process alone delivers more than two workers, whose batches must be handed over.
    """
    import torch
    from torch.utils.data import DataLoader, RandomSampler

    data = _Crops([torch.tensor(image) for image in corpus.images], corpus.labels.tolist(), corpus.width)
    # A pass over the images ends with a pause, and may be shorter than a batch; so many patches make one long pass.
    sampler = RandomSampler(data, replacement=True, num_samples=1 << 40)
    workers = 0 if threads <= 2 else threads
    loader = DataLoader(data, batch_size, sampler=sampler, num_workers=workers)
    batches = iter(loader)
    try:
        yield from batches
    finally:
        del batches  # Ends the workers.
