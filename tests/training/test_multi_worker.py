"""Two processes that divide every batch learn the same weights as a single process."""

import dataclasses
import json
import socket

import numpy as np
import pytest
from forks import PROGRAM, Fork
from training_runs import SETTINGS, flagfile, weights

from iam_writer.recognition import checkpoints
from pipelines.patches import patches

# A network without dropout, because each process would draw another dropout.
LINEAR = """
import keras
from iam_writer import models
def linear(classes, height, width, augment):
    patches = keras.Input((width, height), dtype="uint8")
    x = keras.layers.Flatten()(models.Ink()(patches))
    x = keras.layers.Dense(16, name="embedding")(x)
    return keras.Model(patches, keras.layers.Dense(classes, dtype="float32")(x))
models.MODELS["article"] = linear
"""


def start(settings, **environment):
    return Fork(LINEAR + PROGRAM, "iam_writer.train", flagfile(settings), **environment)


def free_ports(count):
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("localhost", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.mark.slow
def test_the_shares_of_all_workers_make_up_the_batch_of_one(make_strips):
    strips = make_strips([40, 90, 200], [0, 1, 1], min_width=9)
    which = {"patch_width": 3, "batch_size": 8, "seed": 5}
    shares = zip(*(patches(strips, share=(k, 2), **which).take(50) for k in range(2)), strict=True)
    for whole, parts in zip(patches(strips, **which).take(50), shares, strict=True):
        for array, *halves in zip(whole, *parts, strict=True):
            assert np.array_equal(array, np.concatenate(halves))


@pytest.mark.slow
def test_two_workers_have_the_loss_curve_of_one(tmp_path):
    settings = dataclasses.replace(SETTINGS, data_dir=str(tmp_path / "tfds"), epochs=4, checkpoint_minutes=0)
    alone = dataclasses.replace(settings, workdir=str(tmp_path / "alone"))
    together = dataclasses.replace(settings, workdir=str(tmp_path / "together"), strategy="multi_worker")
    done = start(alone).wait()
    assert done.returncode == 0, done.stderr
    cluster = {"worker": [f"localhost:{port}" for port in free_ports(2)]}
    processes = [
        start(
            together, TF_CONFIG=json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        )
        for index in range(2)
    ]
    for process in processes:
        done = process.wait()
        assert done.returncode == 0, done.stderr
        assert "test lines" in done.stdout
    states = [
        checkpoints.read_state(tmp_path / name / "last.keras")["progress"] for name in ("alone", "together")
    ]
    losses = [[entry["train.loss"] for entry in state["history"]] for state in states]
    assert len(losses[0]) == 4 and losses[0][0] > losses[0][-1]
    assert np.allclose(*losses, rtol=1e-4)
    one, both = (weights(tmp_path / name / "last.keras") for name in ("alone", "together"))
    assert all(np.allclose(one[name], both[name], rtol=1e-3, atol=1e-5) for name in one)
