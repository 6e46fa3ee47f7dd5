"""Others who deliver random patches of the same images, each as its own documentation recommends, and the limit.

Every peer gets the same gray images and delivers uint8 patches of the same size with their labels, in its own memory
layout. Libraries are imported by the peer that needs them; one that is not installed says so. Where it
had a choice of threads or processes, what was fastest on two cores is noted beside it.
"""

import contextlib
import ctypes
import dataclasses
import functools
import importlib.util
import io
import json
import os
import pathlib
import queue
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:  # Processes that a peer spawns import this module, and need no TensorFlow.
    from pipelines.strips import Strips


@dataclasses.dataclass(frozen=True)
class Corpus:
    """What patches are cut from.

    Attributes:
      files: PNG files of gray images, all `height` high and at least `width` wide.
      labels: int32 `[images]`.
      strips: the same images, laid into strips.
      folder: for what a peer wants to write; whatever is there already is this corpus.
      height: of a patch.
      width: of a patch.
    """

    files: Sequence[bytes]
    labels: np.ndarray
    strips: "Strips"
    folder: pathlib.Path
    height: int
    width: int

    @functools.cached_property
    def images(self) -> list[np.ndarray]:
        """uint8 `[height, width of the image]`, decoded once."""
        return [_decode(file) for file in self.files]


class Session:
    """A peer at work."""

    def __init__(self, batches: Iterator):
        self._batches = batches

    def batch(self) -> tuple[np.ndarray, np.ndarray]:
        """uint8 patches, `[batch, …]` in the peer's own layout, and their labels `[batch]`; copies of them."""
        patches, labels = next(self._batches)
        return np.array(patches), np.array(labels)

    def __call__(self, seconds: float) -> tuple[int, float]:
        """Takes batches for that long: how many patches came, and how many seconds it was."""
        return count(self._batches, seconds)


def count(batches: Iterator, seconds: float) -> tuple[int, float]:
    """Takes batches for at least that long, and at least one: how many patches came, and how many seconds it was."""
    patches, elapsed, started = 0, 0.0, time.perf_counter()
    while elapsed < seconds or not patches:
        patches += len(next(batches)[1])
        elapsed = time.perf_counter() - started
    return patches, elapsed


@dataclasses.dataclass(frozen=True)
class Peer:
    """A way to make batches.

    Attributes:
      name: as in the table.
      key: the same, short.
      cannot: what it cannot do.
      missing: () → why it cannot run here, or None if it can.
      session: (corpus, batch size, threads) → context manager of a Session. Leaving it ends the threads and processes
        that the session has started; pools that a library keeps for the life of a process stay.
    """

    name: str
    key: str
    cannot: str
    missing: Callable[[], str | None]
    session: Callable[[Corpus, int, int], contextlib.AbstractContextManager[Session]]


@contextlib.contextmanager
def _session(generator: Callable, corpus: Corpus, batch_size: int, threads: int) -> Iterator[Session]:
    with contextlib.closing(generator(corpus, batch_size, threads)) as batches:
        yield Session(batches)


def _decode(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)))


# The limit ------------------------------------------------------------------------------------------------------------


@functools.cache
def _compiled_copy() -> Callable:
    import numba

    # Two to three times as fast as an assignment between slices, which Numba does byte by byte.
    memcpy = ctypes.CDLL(None).memcpy
    memcpy.argtypes, memcpy.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t], ctypes.c_void_p

    @numba.njit(nogil=True)
    def copy(columns, first_column, labels, patches, patch_labels):
        length, height = patches.shape[1], columns.shape[1]
        source, target = columns.ctypes.data, patches.ctypes.data
        for i in range(len(patches)):
            image = np.random.randint(len(labels))
            last = first_column[image + 1] - length // height
            start = np.random.randint(first_column[image], last + 1)
            memcpy(target + i * length, source + start * height, length)
            patch_labels[i] = labels[image]

    return copy


def limit(corpus: Corpus, batch_size: int, threads: int) -> Iterator:
    """Random blocks, copied into batches that are there already: nothing that copies patches can be faster.

    Each thread fills whole batches, without Python's lock: at least as fast as sharing out the patches of each
    batch (numba's prange), and its threads end when it does.
    """
    copy, strips = _compiled_copy(), corpus.strips
    columns = np.memmap(strips.folder / "columns", np.uint8, "r").reshape(-1, strips.height)
    free, ready = queue.SimpleQueue(), queue.SimpleQueue()

    def work():
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


# The article ----------------------------------------------------------------------------------------------------------


def article(corpus: Corpus, batch_size: int, threads: int) -> Iterator:
    """The generator of the article "Handwriting recognition using Tensorflow and Keras", as its text describes it.

    It opens sixteen sentence images at a time, scales them to the height of a patch and crops a random 30 % of all
    start columns. It has one thread. Its conversion to float32 is left out, and its crops, which it delivers as one
    batch of thousands, are dealt out in batches of the size that everyone has.
    """
    sentences, share = 16, 0.3
    order, crops, labels = [], [], []
    while True:
        if len(order) < sentences:
            order.extend(random.sample(range(len(corpus.files)), len(corpus.files)))
        for index in order[:sentences]:
            image = Image.open(io.BytesIO(corpus.files[index]))
            width = round(image.width * corpus.height / image.height)
            image = image.resize((width, corpus.height), Image.Resampling.LANCZOS)
            starts = range(width - corpus.width + 1)
            for start in random.sample(starts, max(1, int(share * len(starts)))):
                crops.append(np.asarray(image.crop((start, 0, start + corpus.width, corpus.height))))
                labels.append(corpus.labels[index])
        del order[:sentences]
        shuffled = random.sample(range(len(crops)), len(crops))
        while len(shuffled) >= batch_size:
            batch, shuffled = shuffled[:batch_size], shuffled[batch_size:]
            yield np.array([crops[i] for i in batch]), np.array([labels[i] for i in batch])
        crops, labels = [crops[i] for i in shuffled], [labels[i] for i in shuffled]


# tf.data --------------------------------------------------------------------------------------------------------------


def _tfdata(corpus: Corpus, batch_size: int, cached: bool) -> Iterator:
    import tensorflow as tf

    def decode(file, label):
        return tf.io.decode_png(file, channels=1), label

    def crop(image, label):
        return tf.image.random_crop(image, (corpus.height, corpus.width, 1)), label

    dataset = tf.data.Dataset.from_tensor_slices((list(corpus.files), corpus.labels))
    if cached:
        dataset = dataset.map(decode, tf.data.AUTOTUNE).cache().repeat().shuffle(1000)
    else:
        dataset = dataset.repeat().shuffle(1000).map(decode, tf.data.AUTOTUNE)
    dataset = dataset.map(crop, tf.data.AUTOTUNE)
    yield from dataset.batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def tfdata_decode(corpus: Corpus, batch_size: int, threads: int) -> Iterator:
    """tf.data as tutorials write it: every patch decodes its image; the tuner chooses the threads."""
    yield from _tfdata(corpus, batch_size, cached=False)


def tfdata_cached(corpus: Corpus, batch_size: int, threads: int) -> Iterator:
    """tf.data as tutorials write it, keeping the decoded images; the tuner chooses the threads."""
    yield from _tfdata(corpus, batch_size, cached=True)


# PyTorch --------------------------------------------------------------------------------------------------------------


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


def torch_loader(corpus: Corpus, batch_size: int, threads: int) -> Iterator:
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


# Grain ----------------------------------------------------------------------------------------------------------------


def grain_loader(corpus: Corpus, batch_size: int, threads: int) -> Iterator:
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


# DALI -----------------------------------------------------------------------------------------------------------------


def dali(corpus: Corpus, batch_size: int, threads: int) -> Iterator:
    """NVIDIA's DALI on the CPU: its file reader, its decoder, its crop."""
    from nvidia.dali import fn, pipeline_def, types

    folder = corpus.folder / "png"
    paths = [folder / f"{i}.png" for i in range(len(corpus.files))]
    if not folder.exists():
        folder.mkdir(parents=True)
        for path, file in zip(paths, corpus.files, strict=True):
            path.write_bytes(file)

    @pipeline_def(batch_size=batch_size, num_threads=threads, device_id=None)
    def pipeline():
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


# FFCV -----------------------------------------------------------------------------------------------------------------


class _OtherProcess(Session):
    """A session of `ffcv_peer.py`, which needs older libraries than TensorFlow and so has a Python of its own."""

    def __init__(self, process: subprocess.Popen, log: pathlib.Path):
        self._process, self._log = process, log

    def _ask(self, question: list):
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"FFCV's process has ended; its last words are in {self._log}.")
        return json.loads(answer)

    def batch(self) -> tuple[np.ndarray, np.ndarray]:
        path = self._ask(["batch"])
        with np.load(path) as arrays:
            return arrays["patches"], arrays["labels"]

    def __call__(self, seconds: float) -> tuple[int, float]:
        patches, elapsed = self._ask(["measure", seconds])
        return patches, elapsed


@contextlib.contextmanager
def _ffcv(kind: str, corpus: Corpus, batch_size: int, threads: int) -> Iterator[Session]:
    script = pathlib.Path(__file__).with_name("ffcv_peer.py")
    corpus.folder.mkdir(parents=True, exist_ok=True)
    log_path = corpus.folder / f"{kind}.log"
    arguments = [kind, corpus.strips.folder, corpus.folder, corpus.height, corpus.width, batch_size, threads]
    with open(log_path, "w") as log:
        process = subprocess.Popen(
            [os.environ["FFCV_PYTHON"], script, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    with process:  # Leaving it closes the pipes and waits; the process ends when its input does.
        yield _OtherProcess(process, log_path)


# All of them ----------------------------------------------------------------------------------------------------------


def _missing(module: str) -> str | None:
    parent, _, child = module.rpartition(".")
    if (parent and not importlib.util.find_spec(parent)) or not importlib.util.find_spec(module):
        return f"{child or module} is not installed: pip install '.[peers]'"
    return None


@functools.cache
def _ffcv_missing() -> str | None:
    python = os.environ.get("FFCV_PYTHON")
    if not python:
        return "FFCV_PYTHON does not name a Python that has FFCV: see BUILD.md"
    try:
        found = subprocess.run([python, "-c", "import ffcv"], capture_output=True, text=True)
    except OSError as error:
        return f"FFCV_PYTHON does not name a Python ({error})"
    return (
        f"{python} cannot import ffcv: {found.stderr.strip().splitlines()[-1]}" if found.returncode else None
    )


def _peer(name: str, key: str, cannot: str, module: str, generator: Callable) -> Peer:
    return Peer(
        name, key, cannot, functools.partial(_missing, module), functools.partial(_session, generator)
    )


PEERS: tuple[Peer, ...] = (
    _peer("the limit: a compiled copy", "limit", "exactly once; resume", "numba", limit),
    Peer(
        "FFCV, bent by an expert",
        "ffcv_expert",
        "exactly once; resume; TensorFlow",
        _ffcv_missing,
        functools.partial(_ffcv, "expert"),
    ),
    Peer(
        "FFCV, as documented",
        "ffcv",
        "gray; exactly once; resume; TensorFlow",
        _ffcv_missing,
        functools.partial(_ffcv, "documented"),
    ),
    _peer("PyTorch DataLoader", "torch", "exactly once; resume", "torch", torch_loader),
    _peer("Grain", "grain", "exactly once", "grain", grain_loader),
    _peer(
        "tf.data, cached decode + random_crop",
        "tfdata_cached",
        "exactly once; resume",
        "tensorflow",
        tfdata_cached,
    ),
    _peer("the article's generator", "article", "global shuffle; resume", "PIL", article),
    _peer("tf.data, decode every time", "tfdata_decode", "exactly once; resume", "tensorflow", tfdata_decode),
    _peer("DALI on the CPU", "dali", "exactly once; keep decoded images", "nvidia.dali", dali),
)
"""All peers, the fastest first."""
