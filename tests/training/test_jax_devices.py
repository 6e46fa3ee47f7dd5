"""--strategy=mirrored on JAX: four devices that divide every batch have the loss curve of one device."""

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from training_runs import SETTINGS

CODE = """
import dataclasses, json, sys, time
import jax
from iam_writer.recognition import scanning
from iam_writer.recognition.rule import Rule
from iam_writer.training import compiling, distribution, trainer
from iam_writer.training.data import load
from iam_writer.training.settings import Settings
assert len(jax.devices()) == 4
runs = []
for values in json.loads(sys.argv[1]):
    settings = Settings(**values)
    strategy, _ = distribution.set_up_device(settings)
    data = load(settings)
    model = compiling.compiled_model(settings, len(data.writers), steps=12)
    one = trainer.Trainer(settings, data, model, strategy, trainer.Progress(), 12, {}, time.monotonic())
    losses, done = {}, 0
    for count, call in one.calls():
        done += count
        losses[done] = float(call()["loss"])
        if done == 12:
            break
    one.steps.sync()
    split = data.strips["validation"]
    seen = scanning.evaluate(scanning.seeing(model), split, Rule(settings.validation_stride), "validation")
    runs.append([losses, seen["line_cross_entropy"]])
print(json.dumps(runs))
"""


def on_four_devices(code, *arguments):
    pytest.importorskip("jax", reason="JAX is not installed: pip install '.[jax]'")
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=900,
        env=os.environ | {"KERAS_BACKEND": "jax", "XLA_FLAGS": "--xla_force_host_platform_device_count=4"},
    )


@pytest.mark.slow
def test_four_devices_have_the_loss_curve_of_one(tmp_path):
    """Batch norm and dropout are of the whole batch, on however many devices it lies."""
    settings = dataclasses.replace(SETTINGS, data_dir=str(tmp_path), model="compact")
    runs = (
        {"gather": "device"},
        {"strategy": "mirrored"},
        {"strategy": "mirrored", "gather": "device", "steps_per_call": "3"},
    )
    values = [dataclasses.asdict(dataclasses.replace(settings, **changes)) for changes in runs]
    done = on_four_devices(CODE, json.dumps(values))
    assert done.returncode == 0, done.stderr
    (one, entropy), *others = json.loads(done.stdout.splitlines()[-1])
    assert len(one) == 12 and one["12"] < one["1"]
    for (losses, its_entropy), calls in zip(others, (12, 4), strict=True):
        assert len(losses) == calls
        assert np.allclose([losses[step] for step in losses], [one[step] for step in losses], rtol=1e-4)
        assert np.isclose(its_entropy, entropy, rtol=1e-2)


@pytest.mark.slow
def test_a_batch_must_be_a_multiple_of_the_devices():
    done = on_four_devices(
        "from iam_writer.common.errors import FlagError; from iam_writer.training import distribution, settings\n"
        "try:\n  distribution.set_up_device(settings.Settings(strategy='mirrored', batch_size=6))\n"
        "except FlagError as error:\n  print(error)"
    )
    assert "--batch_size is 6. With --strategy=mirrored it must be a multiple" in done.stdout, done.stderr
