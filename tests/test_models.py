"""iam_writer/models.py: parameters as published, bytes to ink, logits in float32."""

import keras
import numpy as np
import pytest

from iam_writer import models, settings


def test_every_model_has_a_flag_and_every_flag_a_model():
    assert tuple(models.MODELS) == settings.MODELS


def test_the_article_has_the_parameters_it_reports():
    assert models.article(classes=50, height=113, width=113).count_params() == 827_698


def test_ink():
    patches = np.array([[[255, 0], [51, 255], [255, 255]]], np.uint8)  # [batch 1, width 3, height 2]
    ink = models.Ink()(patches).numpy()
    assert np.allclose(ink[..., 0], [[[0, 1], [0.8, 0], [0, 0]]])


@pytest.mark.parametrize("name", models.MODELS)
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_logits_are_float32_whatever_the_precision_and_patch(name, precision):
    keras.config.set_dtype_policy(precision)
    try:
        model = models.MODELS[name](classes=3, height=40, width=64)
    finally:
        keras.config.set_dtype_policy("float32")
    logits = model(np.zeros((2, 64, 40), np.uint8))
    assert (logits.shape, logits.dtype) == ((2, 3), "float32")
    assert model.layers[2].compute_dtype == precision.removeprefix("mixed_")
