"""iam_writer/recognition/device_scan.py: windows that the device gathers are scanned as those that the host gathers."""

import os
import pickle
import subprocess
import sys

import pytest

CODE = """
import pathlib, pickle, sys
import keras, numpy as np
from iam_writer.recognition import device_scan, scanning
from iam_writer.recognition.rule import Rule
strips = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())
keras.utils.set_random_seed(0)
patches = keras.Input((6, 4), dtype="uint8")
x = keras.layers.Dense(5, name="embedding")(keras.layers.Flatten()(keras.ops.cast(patches, "float32") / 255))
model = scanning.seeing(keras.Model(patches, keras.layers.Dense(3)(x)))
rule = Rule(2, dark=60, least_ink=0.25)
host = scanning.see(model, strips, rule, "test")
scanning.gpus, device_scan.WINDOWS, scanning.WINDOWS = lambda: ["a GPU"], 16, 16
device = scanning.see(model, strips, rule, "test")
assert 0 < host.scan.votes.sum() < host.scan.windows.sum()  # Some windows have ink, others do not.
for name in ("scores", "votes", "blank", "windows", "top1", "top5"):
    assert np.allclose(getattr(host.scan, name), getattr(device.scan, name), atol=1e-6), name
assert np.allclose(host.embeddings, device.embeddings, atol=1e-5)
print("the same")
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_a_scan_is_the_same_wherever_windows_are_gathered(make_strips, tmp_path, backend):
    pytest.importorskip(backend, reason=f"{backend} is not installed: pip install '.[{backend}]'")
    (tmp_path / "strips.pickle").write_bytes(
        pickle.dumps(make_strips([9, 30, 70, 120], [0, 1, 2, 1], min_width=6))
    )
    done = subprocess.run(
        [sys.executable, "-c", CODE, tmp_path / "strips.pickle"],
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"KERAS_BACKEND": backend},
    )
    assert done.stdout.endswith("the same\n"), done.stderr
