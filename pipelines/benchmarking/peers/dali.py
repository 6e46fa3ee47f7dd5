"""NVIDIA's DALI, without a GPU."""

import os
from collections.abc import Generator
from typing import Any

from pipelines.benchmarking.peers.peer import Corpus


def batches(corpus: Corpus, batch_size: int, threads: int) -> Generator[Any, None, None]:
    """Batches of NVIDIA's DALI on the CPU. It reads files, decodes and crops them."""
    from nvidia.dali import fn, pipeline_def, types

    folder = corpus.folder / "png"
    paths = [folder / f"{i}.png" for i in range(len(corpus.files))]
    if not folder.exists():
        folder.mkdir(parents=True)
        for path, file in zip(paths, corpus.files, strict=True):
            path.write_bytes(file)

    @pipeline_def(batch_size=batch_size, num_threads=threads, device_id=None)
    def pipeline() -> tuple[Any, Any]:
        files, labels = fn.readers.file(
            files=[os.fspath(path) for path in paths], labels=corpus.labels.tolist(), random_shuffle=True
        )
        images = fn.decoders.image(files, device="cpu", output_type=types.GRAY)
        crops = fn.crop(
            images, crop=(corpus.height, corpus.width), crop_pos_x=fn.random.uniform(range=(0.0, 1.0))
        )
        return crops, labels

    pipe = pipeline()
    pipe.build()
    while True:
        patches, labels = pipe.run()
        yield patches.as_array(), labels.as_array()[:, 0]
