"""FFCV as a peer of the benchmark. It runs in a process and a Python of its own, which needs only ffcv.

  FFCV_PYTHON pipelines/benchmarking/ffcv_peer.py documented|expert STRIPS FOLDER HEIGHT WIDTH BATCH_SIZE THREADS

Each line of the input is a question in JSON. Each line of the output is its answer. The answer to `["measure", seconds]`
is `[patches, seconds]`. The answer to `["batch"]` is the path of an .npz file with `patches` and `labels`. The process
ends when its input ends.
"""

import dataclasses
import json
import os
import pathlib
import sys
import time

import numpy as np
from ffcv.fields import BytesField, IntField, RGBImageField
from ffcv.fields.bytes import BytesDecoder
from ffcv.fields.decoders import IntDecoder
from ffcv.fields.rgb_image import ResizedCropRGBImageDecoder
from ffcv.libffcv import memcpy
from ffcv.loader import Loader, OrderOption
from ffcv.pipeline.allocation_query import AllocationQuery
from ffcv.pipeline.compiler import Compiler
from ffcv.transforms import Squeeze, ToTensor
from ffcv.writer import DatasetWriter


class Images:
    """The images of a strips folder, as RGB or as the bytes of their columns. FFCV's writer reads them from here."""

    def __init__(self, folder, height, rgb):
        with np.load(folder / "index.npz") as index:
            self.first_column, self.labels = index["first_column"], index["labels"]
        self.columns = np.memmap(folder / "columns", np.uint8, "r").reshape(-1, height)
        self.rgb = rgb

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        strip = self.columns[self.first_column[index] : self.first_column[index + 1]]
        pixels = np.repeat(strip.T[:, :, None], 3, axis=2) if self.rgb else strip.reshape(-1)
        return pixels, int(self.labels[index])


class Window(ResizedCropRGBImageDecoder):
    """A random window of the size of a patch, so that FFCV's crop and resize only crops."""

    scale, ratio = 1.0, 1.0

    @property
    def get_crop_generator(self):
        rows, columns = self.output_size

        def window(height, width, scale, ratio):
            return (
                np.random.randint(0, height - rows + 1),
                np.random.randint(0, width - columns + 1),
                rows,
                columns,
            )

        return window


class Block(BytesDecoder):
    """Decodes neighbouring columns of a strip. They are one block of bytes."""

    def __init__(self, width, height):
        super().__init__()
        self.width, self.height = width, height

    def declare_state_and_memory(self, previous_state):
        shape, dtype = (self.width, self.height), np.dtype("u1")
        state = dataclasses.replace(previous_state, jit_mode=True, shape=shape, dtype=dtype)
        return state, AllocationQuery(shape, dtype)

    def generate_code(self):
        read, copy, indices = self.memory_read, Compiler.compile(memcpy), Compiler.get_iterator()
        height, length = self.height, self.height * self.width

        def decode(batch_indices, destination, metadata, storage_state):
            for i in indices(len(batch_indices)):
                strip = read(metadata[batch_indices[i]]["ptr"], storage_state)
                start = np.random.randint(0, (strip.size - length) // height + 1) * height
                copy(strip[start : start + length], destination[i])
            return destination[: len(batch_indices)]

        decode.is_parallel = True
        return decode


def open_batches(kind, strips, folder, height, width, batch_size, threads):
    """Endless pairs of patches and labels, as PyTorch tensors.

    The kind 'documented' gives RGB patches. The kind 'expert' gives gray
    patches `[batch, width, height]`.
    """
    images, path = Images(strips, height, rgb=kind == "documented"), folder / f"{kind}.beton"
    if not path.exists():
        field = RGBImageField(write_mode="raw") if images.rgb else BytesField()
        incomplete = path.with_suffix(".incomplete")
        DatasetWriter(str(incomplete), {"image": field, "label": IntField()}).from_indexed_dataset(images)
        incomplete.rename(path)
    decoder = Window((height, width)) if images.rgb else Block(width, height)
    loader = Loader(
        str(path),
        batch_size=batch_size,
        num_workers=threads,
        os_cache=True,
        order=OrderOption.RANDOM,
        # A pass of FFCV takes one patch of each image and ends with a pause. A long list of images makes a long pass.
        indices=np.tile(np.arange(len(images)), 1000 * batch_size // len(images) + 1),
        pipelines={"image": [decoder, ToTensor()], "label": [IntDecoder(), ToTensor(), Squeeze()]},
    )
    while True:
        yield from loader


def main():
    # FFCV prints to the standard output, but only answers may come there.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    kind, strips, folder, *numbers = sys.argv[1:]
    folder = pathlib.Path(folder)
    batches = open_batches(kind, pathlib.Path(strips), folder, *map(int, numbers))
    for line in sys.stdin:
        question, *arguments = json.loads(line)
        if question == "measure":
            patches, elapsed, started = 0, 0.0, time.perf_counter()
            while elapsed < arguments[0] or not patches:
                patches += len(next(batches)[1])
                elapsed = time.perf_counter() - started
            answer = patches, elapsed
        else:
            images, labels = next(batches)
            answer = str(folder / f"{kind}.npz")
            np.savez(answer, patches=images.numpy(), labels=labels.numpy())
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
