"""Batches from other processes are the same as the batches of a single process."""

import contextlib
import dataclasses
import itertools
import time

import numpy as np
import pytest
import tensorflow as tf
from forks import PROGRAM, Fork
from training_runs import SETTINGS, same_weights

from iam_writer.training import experiment
from pipelines.data_service import numbered_patches, put_in_order, service_patches
from pipelines.patch_order import Sampling, number_of_positions
from pipelines.patches import patches, start_columns


@pytest.mark.parametrize(
    ("come", "out"),
    [
        ("345", "345"),
        ("354", "345"),
        ("3345345", "345"),  # A worker has restarted.
        ("2345", "345"),
        ("4567", "34567"),  # Up to two batches may be ahead. The third one shows that 3 is missing.
        ("35678", "345678"),
        ("45637", "34567"),  # 3 came after it had been made here.
        ("45638", "3456"),  # 7 may still come, so 8 waits for it.
    ],
)
def test_put_in_order(come, out):
    numbered = ((int(step), step) for step in come)
    assert "".join(put_in_order(numbered, first_step=3, make=str, later=2)) == out


def start(role, *arguments):
    """A process of the service, and the address that it prints."""
    process = Fork(PROGRAM, "pipelines.serve", f"--role={role}", *arguments)
    while not process.said().endswith("\n"):
        assert process.is_alive()
        time.sleep(0.02)
    return process, process.said().split()[-1]


@pytest.fixture
def service():
    """The address of a dispatcher, its two workers, and a function that starts another worker."""
    with contextlib.ExitStack() as stack:

        def started(*arguments):
            process, address = start(*arguments)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process, address

        _, address = started("dispatcher")

        def worker():
            return started("worker", f"--dispatcher={address.partition('://')[2]}", "--host=localhost")[0]

        yield address, [worker(), worker()], worker


def same(left, right):
    return all(np.array_equal(a, b) for a, b in itertools.zip_longest(left, right))


@pytest.mark.slow
def test_exactly_once_over_a_cycle_also_when_workers_are_killed_and_started_anew(make_strips, service):
    address, workers, another_worker = service
    strips = make_strips([40, 90, 200], [0, 1, 1], min_width=9)
    which = {"patch_width": 3, "batch_size": 8, "seed": 5}
    batches = 60 * number_of_positions(strips, 3) // 8  # Of sixty cycles.
    events = {
        batches // 4: workers[0].kill,
        batches // 2: another_worker,
    }
    come = []
    for step, batch in enumerate(service_patches(strips, Sampling(**which), address).take(batches)):
        events.get(step, lambda: None)()
        come.append(batch)
    assert len(come) == batches
    alone = patches(strips, **which).take(batches)
    assert same(itertools.chain(*come), itertools.chain(*alone))
    # As `patches` is: what came is each position as often as there were cycles.
    starts = start_columns(strips, Sampling(**which)).take(batches).as_numpy_iterator()
    positions, counts = np.unique(list(itertools.chain(*(start for start, _ in starts))), return_counts=True)
    assert len(positions) == number_of_positions(strips, 3)
    assert counts.max() - counts.min() <= 1


@pytest.mark.slow
def test_a_stream_from_the_service_resumes_at_any_step(make_strips, service):
    strips = make_strips([40, 90, 200], [0, 1, 1], min_width=9)
    which = {"patch_width": 3, "batch_size": 8, "seed": 5, "balance": "writers"}
    come = service_patches(strips, Sampling(first_step=37, **which), service[0]).take(20)
    assert same(itertools.chain(*come), itertools.chain(*patches(strips, **which).skip(37).take(20)))


@pytest.mark.slow
def test_training_from_the_service_gives_the_same_weights(tmp_path, service):
    alone = dataclasses.replace(SETTINGS, workdir=str(tmp_path / "alone"), data_dir=str(tmp_path), epochs=1)
    experiment.run(alone)
    experiment.run(dataclasses.replace(alone, workdir=str(tmp_path / "served"), data_service=service[0]))
    assert same_weights(tmp_path / "alone/last.keras", tmp_path / "served/last.keras")


@pytest.mark.parametrize("address", ["grpc://localhost:1", "localhost", "grpc://localhost:port"])
def test_nobody_there(make_strips, address):
    strips = make_strips([40], [0], min_width=9)
    with pytest.raises(ConnectionError, match=r"No tf.data service answers at .*python -m pipelines.serve"):
        service_patches(strips, Sampling(patch_width=3, batch_size=8, seed=0), address)


@pytest.mark.slow
def test_what_is_sent_to_workers_holds_no_corpus(make_strips):
    sizes = []
    for widths in ([100] * 3, [10_000] * 3):
        strips = make_strips(widths, [0, 1, 2], min_width=9)
        sampling = Sampling(patch_width=3, batch_size=8, seed=0)
        dataset = numbered_patches(strips, sampling, num_parallel_calls=1)
        sizes.append(len(tf.raw_ops.DatasetToGraphV2(input_dataset=dataset._variant_tensor).numpy()))
    assert abs(sizes[1] - sizes[0]) < 100
