"""The work of the host beside the work of the device: batches are copied in advance, and the device's idle time is measured."""

import collections
import concurrent.futures
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

AHEAD = 2
"""Batches that lie on the device before they are needed, while one is being trained on."""

COPIERS = 2
"""Threads that copy batches to the device. Memory that the system may move is first copied to memory that it may not, by one
thread a batch; one thread alone cannot keep a fast bus busy."""

CALLS_AHEAD = 4
"""Calls that the host may make before the device has finished the first of them."""

_END = object()


def copied_ahead(batches: Iterator[Any], put: Callable[[Any], Any]) -> Generator[Any, None, None]:
    """The batches, each after `put`, in their order. Threads ask for batches and put them while the caller is busy.

    Args:
      batches: asked for in one thread of its own.
      put: copies a batch to the device, and returns when it is there; called in several threads at once.
    """
    ready: queue.Queue[Any] = queue.Queue(AHEAD)
    closed = threading.Event()
    pool = concurrent.futures.ThreadPoolExecutor(COPIERS)

    def hand_over(future: Any) -> bool:
        while not closed.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(future, timeout=0.1)
                return True
        return False

    def fetch() -> None:
        try:
            for batch in batches:
                if not hand_over(pool.submit(put, batch)):
                    return
            hand_over(_END)
        except Exception as error:  # It is raised in the caller's thread, where it would have been raised.
            failed: concurrent.futures.Future[Any] = concurrent.futures.Future()
            failed.set_exception(error)
            hand_over(failed)

    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    try:
        while (future := ready.get()) is not _END:
            yield future.result()
    finally:
        closed.set()
        thread.join()
        pool.shutdown()


class DeviceClock:
    """Measures how long a device has nothing to do between calls, whatever the reason: no batch, a copy, or a slow host.

    A device works on calls one after the other, and each call needs the result of the one before. So it is idle from the end
    of a call until the next has both its batch and its order to start. The end is seen by a thread that waits for a result.

    Attributes:
      idle: seconds, of all calls that have ended.
      latest: what the last call that has ended has returned, with the number that `call` was given; None if there is none.
    """

    def __init__(self, wait: Callable[[Any], object] | None, starts_at_return: bool):
        """Makes a clock that does not run yet.

        Args:
          wait: returns when the device has computed a result. None: a call returns when the device has finished.
          starts_at_return: whether the device begins a call when the host's function returns, as a GPU does. On a CPU it
            begins when the function is called.
        """
        self._wait, self._starts_at_return = wait, starts_at_return
        self._calls: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._ahead = threading.Semaphore(CALLS_AHEAD)
        self._pending: collections.deque[concurrent.futures.Future[None]] = collections.deque()
        self._thread: threading.Thread | None = None
        self._last_end: float | None = None
        self.idle, self.latest = 0.0, None

    def call(self, function: Callable[[], Any], number: int) -> Any:
        """Calls a function that starts work on the device, and returns its result, which need not be computed yet.

        It waits first if the device is CALLS_AHEAD calls behind.
        """
        if self._wait is None:
            began = time.perf_counter()
            result = function()
            self._ended(began, result, number)
            return result
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        self._ahead.acquire()
        while self._pending and self._pending[0].done():
            self._pending.popleft().result()
        began = time.perf_counter()
        result = function()
        done: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._pending.append(done)
        self._calls.put((time.perf_counter() if self._starts_at_return else began, result, number, done))
        return result

    def finish(self) -> None:
        """Waits until the device has finished all calls. Raises what the device raised."""
        while self._pending:
            self._pending.popleft().result()

    def restart(self) -> None:
        """Counts from now on: what lies between `finish` and `restart` is not counted as idle."""
        self.finish()
        self._last_end = time.perf_counter()

    def close(self) -> None:
        """Ends the thread."""
        if self._thread is not None:
            self._calls.put(None)
            self._thread.join()
            self._thread = None

    def _watch(self) -> None:
        assert self._wait is not None
        while (call := self._calls.get()) is not None:
            started, result, number, done = call
            try:
                self._wait(result)
            except Exception as error:
                done.set_exception(error)
            else:
                self._ended(started, result, number)
                done.set_result(None)
            self._ahead.release()

    def _ended(self, started: float, result: Any, number: int) -> None:
        if self._last_end is not None:
            self.idle += max(0.0, started - self._last_end)
        self._last_end = time.perf_counter()
        self.latest = result, number
