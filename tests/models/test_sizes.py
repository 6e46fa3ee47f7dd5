"""iam_writer/models/sizes.py: a patch at another size, and networks that look at several sizes."""

import keras
import numpy as np
import pytest

from iam_writer.models.sizes import Resized, at_sizes

SQUARE = np.full((1, 16, 12), 255, np.uint8)
SQUARE[0, 4:12, 3:9] = 0


@pytest.mark.parametrize("size, ink", [(0.5, (slice(6, 10), slice(4, 8))), (2, (slice(0, 16), slice(0, 12)))])
def test_writing_grows_and_shrinks_about_the_middle(size, ink):
    """A black rectangle of half the patch: at half its size of a quarter; at twice its size it fills the patch."""
    seen = keras.ops.convert_to_numpy(Resized(size)(SQUARE))
    assert seen.shape == SQUARE.shape and seen.dtype == np.uint8
    black = np.zeros(SQUARE.shape[1:], bool)
    black[ink] = True
    inside, outside = seen[0][black], seen[0][~black]
    assert inside.mean() < 64 and (outside.mean() > 220 if outside.size else True)


def test_the_answers_of_all_sizes_are_averaged():
    patches = keras.Input((16, 12), dtype="uint8")
    ink = keras.ops.cast(patches, "float32") / 255
    model = keras.Model(patches, [keras.ops.mean(ink, axis=(1, 2)), ink[:, 0]])
    given = np.random.default_rng(0).integers(0, 256, (3, 16, 12), np.uint8)
    one, larger = model(given), model(Resized(1.25)(given))
    for mean, *parts in zip(at_sizes(model, (1, 1.25))(given), one, larger, strict=True):
        expected = (keras.ops.convert_to_numpy(parts[0]) + keras.ops.convert_to_numpy(parts[1])) / 2
        np.testing.assert_allclose(keras.ops.convert_to_numpy(mean), expected, rtol=1e-5)
    assert at_sizes(model, (1.0,)) is model
