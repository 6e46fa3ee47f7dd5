"""Loaders that read files of their own format: LitData, MosaicML Streaming, WebDataset.

Their formats are made for training from an object store. Here the files lie on the local disk, in the system's cache. They
hold decoded images, so that no loader decodes. A sample is an image, of which a loader cuts one patch.
"""

import os
import pathlib
import random
from collections.abc import Generator, Iterator, Mapping
from typing import Any

import numpy as np

from pipelines.benchmarking.peers.peer import Corpus

SAMPLES = 1 << 16
"""Samples in a pass. A pass over the images alone would be shorter than a batch."""


def _workers(threads: int) -> int:
    """Processes of a loader of PyTorch. On two cores the main process alone is faster, see `torch_loader`."""
    return 0 if threads <= 2 else threads


def _cropped(image: np.ndarray, width: int) -> np.ndarray:
    start = random.randrange(image.shape[1] - width + 1)
    return np.ascontiguousarray(image[:, start : start + width])


def _examples(corpus: Corpus) -> Iterator[dict[str, Any]]:
    for image, label in zip(corpus.images, corpus.labels.tolist(), strict=True):
        yield {"image": image, "label": label}


def _folder(corpus: Corpus, name: str) -> tuple[pathlib.Path, bool]:
    """A folder for a loader's files, and whether they still have to be written."""
    folder = corpus.folder / name
    missing = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    return folder, missing


def litdata_batches(corpus: Corpus, batch_size: int, threads: int) -> Generator[Any, None, None]:
    """Batches of LitData: `StreamingDataset` on chunks of 64 MB, in `ParallelStreamingDataset`, which goes round again."""
    import litdata
    from litdata.streaming import Cache

    folder, missing = _folder(corpus, "litdata")
    if missing:
        cache = Cache(str(folder), chunk_bytes="64MB")
        for number, example in enumerate(_examples(corpus)):
            cache[number] = example
        cache.done()
        cache.merge()
    width = corpus.width

    def crop(samples: tuple[Mapping[str, Any]]) -> tuple[np.ndarray, int]:
        return _cropped(samples[0]["image"], width), samples[0]["label"]

    images = litdata.StreamingDataset(str(folder), shuffle=True)
    # With drop_last=True, a data set that is smaller than a batch would be empty.
    length = max(1, SAMPLES // batch_size) * batch_size
    endless = litdata.ParallelStreamingDataset([images], length=length, transform=crop)
    loader = litdata.StreamingDataLoader(
        endless, batch_size=batch_size, num_workers=_workers(threads), drop_last=False
    )
    while True:
        yield from loader


def streaming_batches(corpus: Corpus, batch_size: int, threads: int) -> Generator[Any, None, None]:
    """Batches of MosaicML Streaming: a `StreamingDataset` on MDS shards, and PyTorch's DataLoader."""
    import streaming
    from torch.utils.data import DataLoader

    folder, missing = _folder(corpus, "mds")
    if missing:
        columns = {"image": "ndarray:uint8", "label": "int"}
        with streaming.MDSWriter(out=str(folder), columns=columns) as writer:
            for example in _examples(corpus):
                writer.write(example)
    width = corpus.width

    class Crops(streaming.StreamingDataset):
        def __getitem__(self, index: Any) -> Any:
            example = super().__getitem__(index)
            return _cropped(example["image"], width), example["label"]

    streaming.base.util.clean_stale_shared_memory()
    images = Crops(local=str(folder), shuffle=True, batch_size=batch_size, epoch_size=SAMPLES)
    loader: Any = DataLoader(images, batch_size=batch_size, num_workers=_workers(threads), drop_last=True)
    while True:
        yield from loader


def webdataset_batches(corpus: Corpus, batch_size: int, threads: int) -> Generator[Any, None, None]:
    """Batches of WebDataset, from tar files. Shards are drawn without end, and samples are shuffled in a buffer of a
    thousand."""
    import webdataset

    folder, missing = _folder(corpus, "tar")
    if missing:
        with webdataset.ShardWriter(os.fspath(folder / "%04d.tar"), maxcount=100, verbose=0) as writer:
            for number, example in enumerate(_examples(corpus)):
                writer.write(
                    {"__key__": f"{number:06}", "image.npy": example["image"], "label.cls": example["label"]}
                )
    shards, width = sorted(map(os.fspath, folder.glob("*.tar"))), corpus.width

    def crop(sample: tuple[np.ndarray, int]) -> tuple[np.ndarray, int]:
        image, label = sample
        return _cropped(image, width), label

    dataset = webdataset.WebDataset(shards, resampled=True, shardshuffle=False)
    dataset = dataset.shuffle(1000).decode().to_tuple("image.npy", "label.cls").map(crop)
    dataset = dataset.batched(batch_size, partial=False)
    loader = webdataset.WebLoader(dataset, batch_size=None, num_workers=_workers(threads))
    yield from loader
