"""iam_writer/models/networks.py: parameters as published, bytes to ink, logits in float32."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from embeddings import embedding

from iam_writer import models
from iam_writer.common import names


def test_every_model_has_a_flag_and_every_flag_a_model():
    assert tuple(models.MODELS) == names.NETWORKS


def test_the_article_has_the_parameters_it_reports():
    assert models.article(classes=50, height=113, width=113).count_params() == 827_698


@pytest.mark.parametrize("classes", [50, 301])
def test_half_deepwriter_has_the_layers_of_the_paper(classes):
    convolutions = [1 * 25 * 96, 96 * 9 * 256, 256 * 9 * 384, 384 * 9 * 384, 384 * 9 * 256]
    dense = [6 * 6 * 256 * 1024, 1024 * 1024, 1024 * classes]
    biases = [96, 256, 384, 384, 256, 1024, 1024, classes]
    expected = sum(convolutions) + sum(dense) + sum(biases)
    model = models.half_deepwriter(classes, height=113, width=113)
    assert model.count_params() == expected
    assert round(expected / 1e6, 1) == {50: 13.9, 301: 14.1}[classes]


def test_deepwriter_sums_what_half_deepwriter_says_of_two_neighbouring_patches():
    half, whole = models.half_deepwriter(3, height=64, width=64), models.deepwriter(3, height=64, width=128)
    assert whole.count_params() == half.count_params()
    half.set_weights(whole.get_weights())
    windows = np.random.default_rng(0).integers(0, 256, (2, 128, 64), np.uint8)
    of_half, of_whole = embedding(half), embedding(whole)
    expected = of_half(windows[:, :64]) + of_half(windows[:, 64:])
    assert np.abs(expected).max() > 0
    assert np.allclose(of_whole(windows), expected, atol=1e-5)


def test_deepwriter_cannot_halve_an_odd_width():
    with pytest.raises(ValueError, match="width is 113"):
        models.deepwriter(3, height=113, width=113)


def test_compact_has_weights_for_any_patch():
    convolutions = [25 * 32, 32 * 9 * 64, 64 * 9 * 64, 64 * 9 * 128, 128 * 9 * 128]
    dense = [128 * 256, 256 * 50 + 50]
    normalized = 4 * (32 + 64 + 64 + 128 + 128 + 256)
    small, large = (models.compact(50, height, width) for height, width in ((113, 113), (64, 226)))
    assert small.count_params() == sum(convolutions) + sum(dense) + normalized
    assert [v.shape for v in large.weights] == [v.shape for v in small.weights]


@pytest.mark.parametrize("name", models.MODELS)
def test_augmentation_comes_right_after_ink_and_in_training_only(name):
    plain = models.MODELS[name](classes=3, height=64, width=64)
    augmented = models.MODELS[name](classes=3, height=64, width=64, augment=["erase"])
    assert [type(layer) for layer in augmented.layers[1:3]] == [models.Ink, models.Augment]
    assert augmented.layers[2].names == ("erase",)
    augmented.set_weights(plain.get_weights())
    patches = np.random.default_rng(0).integers(0, 256, (2, 64, 64), np.uint8)
    assert np.array_equal(augmented(patches), plain(patches))
    ink = keras.Model(augmented.input, augmented.layers[2].output)
    assert not np.array_equal(ink(patches, training=True), ink(patches))


@pytest.mark.parametrize("name", models.MODELS)
def test_the_embedding_is_what_the_logits_are_made_of(name):
    model = models.MODELS[name](classes=3, height=64, width=64)
    patches = np.random.default_rng(0).integers(0, 256, (2, 64, 64), np.uint8)
    kernel, bias = model.get_layer("logits").get_weights()
    assert np.allclose(embedding(model)(patches) @ kernel + bias, model(patches), atol=1e-4)


def test_ink():
    patches = np.array([[[255, 0], [51, 255], [255, 255]]], np.uint8)  # [batch 1, width 3, height 2]
    ink = models.Ink()(patches).numpy()
    assert np.allclose(ink[..., 0], [[[0, 1], [0.8, 0], [0, 0]]])


@pytest.mark.parametrize("name", models.MODELS)
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_logits_are_float32_whatever_the_precision_and_patch(name, precision):
    keras.config.set_dtype_policy(precision)
    try:
        model = models.MODELS[name](classes=3, height=64, width=80)
    finally:
        keras.config.set_dtype_policy("float32")
    logits = model(np.zeros((2, 80, 64), np.uint8))
    assert (logits.shape, logits.dtype) == ((2, 3), "float32")
    assert model.layers[2].compute_dtype == precision.removeprefix("mixed_")


@pytest.mark.slow
def test_networks_do_not_depend_on_the_users_keras_json(tmp_path):
    (tmp_path / "keras.json").write_text('{"image_data_format": "channels_first"}')
    code = (
        "import numpy as np, keras; from iam_writer import models\n"
        "assert keras.config.image_data_format() == 'channels_first'\n"
        "for name, make in models.MODELS.items():\n"
        "    logits = make(3, 64, 64, ['scale', 'blur'])(np.zeros([2, 64, 64], np.uint8), training=True)\n"
        "    assert logits.shape == (2, 3), name\n"
    )
    environment = os.environ | {"KERAS_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
