"""iam_writer/studies/gpu_ways.py: each way computes the same network and the same training step."""

import dataclasses
import os
import pickle
import subprocess
import sys

import pytest
from training_runs import SETTINGS

CODE = """
import pathlib, pickle, sys
import keras, numpy as np
from keras import layers
from iam_writer.models.networks import Ink
from iam_writer.studies import gpu_ways
from iam_writer.training.compiling import ready
from iam_writer.training.steps import JaxSteps

strips, settings = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())

def network():
    keras.utils.set_random_seed(0)
    patches = x = keras.Input((16, 4), dtype="uint8")
    for layer in (Ink(), layers.Conv2D(6, 3, data_format="channels_last"), layers.Flatten(), layers.Dense(3)):
        x = layer(x)
    model = keras.Model(patches, x)
    ready(model, settings, keras.optimizers.Adam(0.01))
    return model

given = np.random.default_rng(0).integers(0, 256, (5, 16, 4), np.uint8)
kernel, bias, dense, last = network().get_weights()
expected = keras.ops.convert_to_numpy(network()(given))
# Kernels have one shape in both layouts, and Keras flattens both in one order.
padded = np.pad(kernel, ((0, 0), (0, 0), (0, gpu_ways.CHANNELS - 1), (0, 0)))
weights = {
    "channels first": [kernel, bias, dense, last],
    "eight channels of ink": [padded, bias, dense, last],
}
for way, values in weights.items():
    model = gpu_ways.changed(network(), settings, way)
    assert [w.shape for w in model.get_weights()] == [v.shape for v in values], way
    model.set_weights(values)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(given)), expected, atol=1e-5, err_msg=way)

def trained(way):
    model = gpu_ways.changed(network(), settings, way)
    steps = JaxSteps(model, strips, 16, gathers=True, donates=way != gpu_ways.NOT_DONATED)
    before = [v.value for v in model.trainable_variables]
    starts = np.arange(40).reshape(5, 8)
    losses = [float(steps(steps.put((starts + n, starts % 3)))["loss"]) for n in range(3)]
    kept = not any(value.is_deleted() for value in before)
    steps.sync()
    return losses, model.get_weights(), kept

losses, weights, kept = trained(None)
assert losses[0] > losses[-1] and not kept
for way in (gpu_ways.NOT_DONATED, "one array for Adam"):
    other, others, kept = trained(way)
    np.testing.assert_allclose(other, losses, rtol=1e-5, err_msg=way)
    for one, same in zip(others, weights):
        np.testing.assert_allclose(one, same, atol=1e-5, err_msg=way)
    assert kept == (way == gpu_ways.NOT_DONATED), way
print("the same")
"""


@pytest.mark.slow
def test_each_way_trains_the_same_network(make_strips, tmp_path):
    pytest.importorskip("jax", reason="JAX is not installed: pip install '.[jax]'")
    settings = dataclasses.replace(SETTINGS, jit_compile="auto")
    (tmp_path / "given.pickle").write_bytes(pickle.dumps((make_strips([70], [0], min_width=16), settings)))
    done = subprocess.run(
        [sys.executable, "-c", CODE, tmp_path / "given.pickle"],
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"KERAS_BACKEND": "jax"},
    )
    assert done.stdout.endswith("the same\n"), done.stderr
