"""What a peer is, and what it gets."""

import contextlib
import dataclasses
import functools
import io
import pathlib
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:  # The processes that a peer starts import this module. They need no TensorFlow.
    from pipelines.strips import Strips

Batches = Iterator[Any]
"""Endless pairs of patches and labels, as arrays or tensors of any library."""


@dataclasses.dataclass(frozen=True)
class Corpus:
    """The images that patches are cut from.

    Attributes:
      files: PNG files of gray images, in pixels: all are `height` high and at least `width` wide.
      labels: int32 `[images]`.
      strips: the same images, laid into strips.
      folder: where a peer may write its own files. Files that lie there already are of this corpus.
      height: of a patch, in pixels.
      width: of a patch, in pixels.
    """

    files: Sequence[bytes]
    labels: np.ndarray
    strips: "Strips"
    folder: pathlib.Path
    height: int
    width: int

    @functools.cached_property
    def images(self) -> list[np.ndarray]:
        """The images as uint8 `[height, width of the image]`. They are decoded once."""
        return [_decode(file) for file in self.files]


class Session:
    """A peer that is running."""

    def __init__(self, batches: Batches):
        self._batches = batches

    def batch(self) -> tuple[np.ndarray, np.ndarray]:
        """Copies of the next uint8 patches `[batch, …]`, in the peer's own layout, and of their labels `[batch]`."""
        patches, labels = next(self._batches)
        return np.array(patches), np.array(labels)

    def __call__(self, seconds: float) -> tuple[int, float]:
        """Takes batches as `count` does, and returns what it returns."""
        return count(self._batches, seconds)


def count(batches: Batches, seconds: float) -> tuple[int, float]:
    """Takes batches for at least `seconds`, and at least one batch.

    Returns:
      The number of patches that came, and the seconds that passed.
    """
    patches, elapsed, started = 0, 0.0, time.perf_counter()
    while elapsed < seconds or not patches:
        patches += len(next(batches)[1])
        elapsed = time.perf_counter() - started
    return patches, elapsed


@dataclasses.dataclass(frozen=True)
class Peer:
    """A way to make batches.

    Attributes:
      name: its name in the table.
      key: its short name, for flags and for JSON.
      cannot: what it cannot do.
      missing: a function that returns why the peer cannot run here, or None if it can.
      session: a function of a corpus, a batch size and a number of threads, which returns a context manager of a
        Session. At its end, the threads and processes that the session has started end too. Only the pools stay that a
        library keeps as long as the process lives.
    """

    name: str
    key: str
    cannot: str
    missing: Callable[[], str | None]
    session: Callable[[Corpus, int, int], contextlib.AbstractContextManager[Session]]


@contextlib.contextmanager
def in_process(
    generator: Callable[[Corpus, int, int], Generator[Any, None, None]],
    corpus: Corpus,
    batch_size: int,
    threads: int,
) -> Iterator[Session]:
    """A session of a peer that is a generator of batches in this process."""
    with contextlib.closing(generator(corpus, batch_size, threads)) as batches:
        yield Session(batches)


def _decode(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)))
