"""iam_writer/models/losses.py"""

import keras
import numpy as np
import pytest

from iam_writer.models.losses import SmoothedCrossEntropy

LOGITS = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
LABELS = np.array([0, 3, 1, 1, 2], np.int32)


@pytest.mark.parametrize("smoothing", [0, 0.1, 0.5])
@pytest.mark.parametrize("labels", [LABELS, LABELS[:, None]])
def test_it_is_the_cross_entropy_of_a_smoothed_truth(smoothing, labels):
    truth = (1 - smoothing) * np.eye(4)[LABELS] + smoothing / 4
    probabilities = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    expected = -(truth * np.log(probabilities)).sum(axis=1).mean()
    assert np.isclose(SmoothedCrossEntropy(smoothing)(labels, LOGITS), expected, rtol=1e-6)


def test_huge_logits():
    assert float(SmoothedCrossEntropy(0.1)(LABELS, 1e6 * LOGITS)) < 1e8


def test_it_is_saved():
    loss = SmoothedCrossEntropy(0.1)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert again.smoothing == 0.1
