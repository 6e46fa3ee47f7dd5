"""iam_writer/training/overlap.py: copies in advance, in order; the idle time of a device that is made of Python."""

import itertools
import threading
import time

import pytest

from iam_writer.training import overlap
from iam_writer.training.overlap import DeviceClock, copied_ahead


def test_copies_come_in_order_whichever_is_ready_first():
    random = itertools.cycle([0.01, 0.0, 0.004])

    def put(batch):
        time.sleep(next(random))
        return batch * 10

    assert list(copied_ahead(iter(range(60)), put)) == list(range(0, 600, 10))


def test_batches_are_copied_while_the_caller_is_busy_but_not_without_bound():
    asked = []

    def batches():
        for number in itertools.count():
            asked.append(number)
            yield number

    copies = copied_ahead(batches(), lambda batch: batch)
    assert next(copies) == 0
    deadline = time.monotonic() + 10
    while len(asked) < overlap.AHEAD + 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    assert overlap.AHEAD < len(asked) <= overlap.AHEAD + 3
    before = threading.active_count()
    copies.close()
    assert threading.active_count() < before


@pytest.mark.parametrize("where", ["batches", "put"])
def test_an_error_is_raised_in_its_turn(where):
    def batches():
        yield from (1, 2)
        if where == "batches":
            raise ConnectionError("the service has gone")
        yield 3

    def put(batch):
        if batch == 3:
            raise ConnectionError("the device has gone")
        return batch

    copies = copied_ahead(batches(), put)
    assert [next(copies), next(copies)] == [1, 2]
    with pytest.raises(ConnectionError, match="has gone"):
        next(copies)


class Time:
    """A clock that only moves when it is told to."""

    now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock_time(monkeypatch):
    own = Time()
    monkeypatch.setattr(overlap, "time", own)
    return own


def working(own, seconds):
    def work():
        own.now += seconds
        return seconds

    return work


def test_time_between_calls_is_idle_and_time_in_them_is_not(clock_time):
    clock = DeviceClock(None, starts_at_return=False)
    clock.restart()
    for number in range(1, 4):
        clock_time.now += 0.5
        assert clock.call(working(clock_time, 2.0), number) == 2.0
    assert clock.idle == 1.5 and clock.latest == (2.0, 3)
    clock_time.now += 100  # Validation.
    clock.restart()
    clock.call(working(clock_time, 2.0), 4)
    assert clock.idle == 1.5


class Device:
    """Works on calls one after the other, in time that passes only here. The host's function returns at once."""

    def __init__(self, own):
        self.own, self.ends, self.free = own, {}, 0.0

    def start(self, name, seconds):
        self.free = max(self.free, self.own.now) + seconds
        self.ends[name] = self.free
        return name

    def wait(self, name):
        self.own.now = max(self.own.now, self.ends[name])


def test_a_device_that_has_its_next_call_before_the_end_of_the_last_is_not_idle(clock_time):
    device = Device(clock_time)
    clock = DeviceClock(device.wait, starts_at_return=True)
    clock.restart()
    clock.call(lambda: device.start("a", 5.0), 1)
    clock.finish()
    assert clock.idle == 0 and clock.latest == ("a", 1)
    clock_time.now += 0.25  # The host is late.
    clock.call(lambda: device.start("b", 5.0), 2)
    clock.finish()
    assert clock.idle == 0.25 and clock.latest == ("b", 2)
    clock.close()


def test_the_host_is_not_many_calls_ahead():
    gate = threading.Event()
    clock = DeviceClock(lambda result: gate.wait(10), starts_at_return=True)
    made = []

    def make():
        for number in range(overlap.CALLS_AHEAD + 3):
            clock.call(lambda: None, number)
            made.append(number)

    host = threading.Thread(target=make)
    host.start()
    deadline = time.monotonic() + 10
    while len(made) < overlap.CALLS_AHEAD and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    assert len(made) == overlap.CALLS_AHEAD
    gate.set()
    host.join()
    clock.finish()
    assert len(made) == overlap.CALLS_AHEAD + 3
    clock.close()


def test_what_the_device_raises_is_raised():
    def wait(result):
        raise MemoryError("the device has no memory")

    clock = DeviceClock(wait, starts_at_return=True)
    clock.call(lambda: 1, 1)
    with pytest.raises(MemoryError, match="no memory"):
        clock.finish()
    clock.close()
