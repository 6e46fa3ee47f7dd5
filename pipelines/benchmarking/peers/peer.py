"""What a peer is, and what it is given."""

import contextlib
import dataclasses
import functools
import io
import pathlib
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
def in_process(generator: Callable, corpus: Corpus, batch_size: int, threads: int) -> Iterator[Session]:
    with contextlib.closing(generator(corpus, batch_size, threads)) as batches:
        yield Session(batches)


def _decode(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)))
