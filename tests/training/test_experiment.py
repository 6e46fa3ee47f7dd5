"""iam_writer/training/experiment.py, part by part; whole runs are in test_train.py."""

import dataclasses
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from training_runs import SETTINGS

from iam_writer.training import compiling, distribution


def rates(steps, **changes):
    """The learning rate before each of `steps` steps."""
    optimizer = compiling._optimizer(dataclasses.replace(SETTINGS, learning_rate=0.5, **changes), steps)
    found = []
    variable = keras.Variable(1.0)
    optimizer.build([variable])
    for _ in range(steps):
        found.append(float(optimizer.learning_rate))
        optimizer.apply([keras.ops.zeros(())])
    return np.array(found)


def test_a_constant_rate_after_the_warm_up():
    assert np.allclose(rates(10), 0.5)
    assert np.allclose(rates(10, warmup_fraction=0.4), [0, 0.125, 0.25, 0.375, *[0.5] * 6])


def test_a_cosine_over_all_steps_or_over_those_after_the_warm_up():
    falling = 0.25 * (1 + np.cos(np.pi * np.arange(10) / 10))
    assert np.allclose(rates(10, learning_rate_schedule="cosine"), falling)
    rising = [0, 0.1, 0.2, 0.3, 0.4]
    assert np.allclose(
        rates(15, learning_rate_schedule="cosine", warmup_fraction=1 / 3), [*rising, *falling], atol=1e-6
    )


def bars(number, seed):
    """Patches of bars in noise, uint8 `[number, 40, 32]`, and labels `[number]`. The classes are lying, standing and slanted."""
    random = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(40), np.arange(32), indexing="ij")
    labels = random.integers(0, 3, number)
    phase = random.integers(0, 8, number)[:, None, None]
    stripes = np.choose(labels[:, None, None], [x + phase, y + phase, x + y + phase]) % 8 < 3
    return np.where(
        stripes, random.integers(0, 90, stripes.shape), random.integers(190, 256, stripes.shape)
    ).astype(np.uint8), labels


@pytest.mark.slow
@pytest.mark.parametrize(
    "precision",
    ["float32", "mixed_bfloat16", pytest.param("mixed_float16", marks=pytest.mark.slow)],  # Slow on a CPU.
)
def test_each_precision_learns(precision):
    """Loss and softmax are in float32, and float16 scales its loss. All precisions reach the same accuracy."""
    settings = dataclasses.replace(SETTINGS, precision=precision, learning_rate=3e-3)
    try:
        _, chosen = distribution.set_up_device(settings)
        model = compiling.compiled_model(settings, classes=3, steps=30)
    finally:
        keras.config.set_dtype_policy("float32")
    assert chosen == precision
    scales = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scales == (precision == "mixed_float16")
    assert all(v.dtype == "float32" for v in model.trainable_variables)
    model.fit(*bars(32 * 30, seed=0), batch_size=32, verbose=0)
    patches, labels = bars(300, seed=1)
    logits = model.predict_on_batch(patches)
    assert logits.dtype == np.float32
    assert (logits.argmax(axis=1) == labels).mean() > 0.97


@pytest.mark.parametrize(("chosen", "expected"), [({}, "1"), ({"TF_ENABLE_ONEDNN_OPTS": "0"}, "0")])
def test_the_package_chooses_onednn_before_tensorflow_is_loaded_unless_the_user_has_chosen(chosen, expected):
    """TensorFlow reads this variable when it is loaded. Without it, some processors do not use oneDNN."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    code = (
        "import os, sys, iam_writer; print('tensorflow' in sys.modules, os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment | chosen, capture_output=True, text=True
    ).stdout
    assert said.split() == ["False", expected]
