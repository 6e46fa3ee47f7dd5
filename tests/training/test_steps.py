"""iam_writer/training/steps.py: many steps in a call end with the weights of as many single steps."""

import dataclasses
import itertools
import json
import os
import subprocess
import sys

import pytest
from training_runs import SETTINGS

from iam_writer.common.errors import FlagError
from iam_writer.training import steps
from iam_writer.training.steps import planned, steps_in_call


def first_calls(number, *arguments):
    return list(itertools.islice(planned(*arguments), number))


def test_calls_of_an_epoch_and_single_steps_for_the_rest():
    epoch = [(0, 4), (4, 4), (8, 1), (9, 1)]
    assert first_calls(6, 0, 10, 4) == [*epoch, (10, 4), (14, 4)]
    assert first_calls(3, 0, 3, 4) == [(0, 1), (1, 1), (2, 1)]
    assert first_calls(3, 7, 100, 1) == [(7, 1), (8, 1), (9, 1)]


def test_a_run_that_goes_on_makes_the_calls_of_one_that_was_not_stopped():
    whole = first_calls(30, 0, 10, 4)
    for position, (step, _) in enumerate(whole[:20]):
        assert first_calls(8, step, 10, 4) == whole[position : position + 8]
    # A checkpoint of another --steps_per_call: single steps up to the next multiple.
    assert first_calls(4, 2, 10, 4) == [(2, 1), (3, 1), (4, 4), (8, 1)]


def settings(**changes):
    return dataclasses.replace(SETTINGS, **changes)


def test_how_many_steps_a_call_makes(monkeypatch):
    monkeypatch.setattr(steps, "gpus", lambda: [])
    assert steps_in_call(settings(gather="device"), 1000) == 1
    assert steps_in_call(settings(gather="device", steps_per_call="7"), 1000) == 7
    monkeypatch.setattr(steps, "gpus", lambda: ["a GPU"])
    assert steps_in_call(settings(gather="host"), 1000) == 1
    assert steps_in_call(settings(gather="device"), 1000) == 50  # It leaves no step over.
    assert steps_in_call(settings(gather="device"), 6400) == 64
    assert steps_in_call(settings(gather="device"), 5) == 5
    for impossible in ({"gather": "host"}, {"gather": "device", "strategy": "mirrored"}):
        with pytest.raises(FlagError, match="--steps_per_call=7 needs --gather=device"):
            steps_in_call(settings(steps_per_call="7", **impossible), 1000)


# Trains `number` steps in calls of each size and prints the largest difference of any weight, and the losses.
CODE = """
import dataclasses, json, sys, time
import numpy as np
from iam_writer.training import compiling, distribution, trainer
from iam_writer.training.data import load
from iam_writer.training.settings import Settings
values, each, number = json.loads(sys.argv[1])
found, losses = [], []
for steps_per_call in each:
    settings = Settings(**values | {"steps_per_call": str(steps_per_call)})
    strategy, _ = distribution.set_up_device(settings)
    data = load(settings)
    model = compiling.compiled_model(settings, len(data.writers), steps=number)
    one = trainer.Trainer(settings, data, model, strategy, trainer.Progress(), number, {}, time.monotonic())
    done = 0
    for count, call in one.calls():
        logs, done = call(), done + count
        if done == number:
            break
    one.steps.sync()
    losses.append({name: float(value) for name, value in logs.items()})
    variables = [*model.variables, *model.optimizer.variables]
    found.append([np.asarray(v.value, np.float64) for v in variables if "seed" not in v.path])
first, *others = found
largest = max(np.abs(a - b).max() for other in others for a, b in zip(first, other))
print(json.dumps([largest, losses]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_the_weights_are_those_of_single_steps(tmp_path, backend):
    """Augmentation, dropout, a schedule, batch norm: everything that has a state."""
    pytest.importorskip(backend, reason=f"{backend} is not installed: pip install '.[{backend}]'")
    run = settings(
        data_dir=str(tmp_path),
        model="compact",
        augment=["thickness", "scale", "blur"],
        learning_rate_schedule="cosine",
        balance="writers",
        gather="device",
    )
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps([dataclasses.asdict(run), [1, 4], 10])],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"KERAS_BACKEND": backend},
    )
    assert done.returncode == 0, done.stderr
    largest, (single, many) = json.loads(done.stdout.splitlines()[-1])
    assert largest < 1e-5
    assert single["loss"] == pytest.approx(many["loss"], abs=1e-5)
    assert single["accuracy"] == many["accuracy"]
