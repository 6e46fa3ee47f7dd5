"""--strategy=mirrored on JAX: four devices that divide every batch have the loss curve of one device."""

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from training_runs import SETTINGS

from iam_writer.recognition import checkpoints

CODE = """
import json, sys
import jax
from iam_writer.training import experiment, settings
assert len(jax.devices()) == 4
for values in json.loads(sys.argv[1]):
    experiment.run(settings.Settings(**values))
"""


@pytest.mark.slow
def test_four_devices_have_the_loss_curve_of_one(tmp_path):
    pytest.importorskip("jax", reason="JAX is not installed: pip install '.[jax]'")
    settings = dataclasses.replace(SETTINGS, data_dir=str(tmp_path / "tfds"), learning_rate=3e-4)
    runs = {
        "one": {"gather": "device"},
        "device": {"strategy": "mirrored", "gather": "device", "steps_per_call": "3"},
    }
    values = [
        dataclasses.asdict(dataclasses.replace(settings, workdir=str(tmp_path / name), **changes))
        for name, changes in runs.items()
    ]
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(values)],
        capture_output=True,
        text=True,
        timeout=900,
        env=os.environ | {"KERAS_BACKEND": "jax", "XLA_FLAGS": "--xla_force_host_platform_device_count=4"},
    )
    assert done.returncode == 0, done.stderr
    losses = {
        name: [
            entry["train.loss"]
            for entry in checkpoints.read_state(tmp_path / name / "last.keras")["progress"]["history"]
        ]
        for name in runs
    }
    assert len(losses["one"]) == 2 and losses["one"][0] > losses["one"][-1]
    assert np.allclose(losses["device"], losses["one"], rtol=1e-4), losses


def test_a_batch_must_be_a_multiple_of_the_devices():
    pytest.importorskip("jax", reason="JAX is not installed: pip install '.[jax]'")
    code = (
        "from iam_writer.common.errors import FlagError; from iam_writer.training import distribution, settings\n"
        "try:\n  distribution.set_up_device(settings.Settings(strategy='mirrored', batch_size=6))\n"
        "except FlagError as error:\n  print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"KERAS_BACKEND": "jax", "XLA_FLAGS": "--xla_force_host_platform_device_count=4"},
    )
    assert "--batch_size is 6. With --strategy=mirrored it must be a multiple" in done.stdout, done.stderr
