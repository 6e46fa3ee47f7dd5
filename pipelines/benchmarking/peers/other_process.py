"""Runs a peer in a process of its own, because its libraries crash in a process that has loaded TensorFlow."""

import contextlib
import dataclasses
import multiprocessing
from collections.abc import Callable, Generator, Iterator
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from pipelines.benchmarking.peers.peer import Corpus, Session, count

Batches = Callable[[Corpus, int, int], Generator[Any, None, None]]


class _Asked(Session):
    """A session in another process, which answers questions."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def _ask(self, question: float | None) -> Any:
        self._connection.send(question)
        try:
            answer = self._connection.recv()
        except EOFError:
            raise RuntimeError("The process of the peer has ended. Its messages are above.") from None
        return answer

    def batch(self) -> tuple[np.ndarray, np.ndarray]:
        patches, labels = self._ask(None)
        return patches, labels

    def __call__(self, seconds: float) -> tuple[int, float]:
        patches, elapsed = self._ask(seconds)
        return patches, elapsed


@contextlib.contextmanager
def in_other_process(generator: Batches, corpus: Corpus, batch_size: int, threads: int) -> Iterator[Session]:
    """A session of a peer that is a generator of batches in a new process. The generator gets no `corpus.strips`."""
    context = multiprocessing.get_context("spawn")
    own, others = context.Pipe()
    # To unpickle strips would load TensorFlow.
    without_strips: Any = dataclasses.replace(corpus, strips=None)  # type: ignore[arg-type]
    process = context.Process(
        target=_answer, args=(others, generator, without_strips, batch_size, threads), daemon=False
    )
    process.start()
    others.close()
    try:
        yield _Asked(own)
    finally:
        own.close()  # The process ends when nobody asks any more.
        process.join(20)
        if process.is_alive():
            process.kill()
            process.join()
        process.close()


def _answer(
    connection: Connection, generator: Batches, corpus: Corpus, batch_size: int, threads: int
) -> None:
    with contextlib.closing(generator(corpus, batch_size, threads)) as batches, contextlib.suppress(EOFError):
        session = Session(batches)
        while True:
            seconds = connection.recv()
            connection.send(session.batch() if seconds is None else count(batches, seconds))
