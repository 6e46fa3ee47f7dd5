"""iam_writer/models/augment.py: what each change does to tiny patches, on any backend."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from iam_writer.common.names import AUGMENTATIONS
from iam_writer.models import augment
from iam_writer.models.augment import Augment


def changed(ink, *names, seed=0):
    """Patches, float `[batch, width, height]` → patches of the same shape, changed as in training."""
    return np.asarray(Augment(names, seed=seed)(np.asarray(ink, np.float32)[..., None], training=True))[
        ..., 0
    ]


def a_stroke(batch=8, width=41, height=31, thickness=3):
    """The same slanted stroke in every patch. Its middle is the middle of the patch."""
    x, y = np.meshgrid(np.arange(width) - width // 2, np.arange(height) - height // 2, indexing="ij")
    stroke = (np.abs(x - y // 2) <= thickness // 2) & (np.abs(y) <= 10)
    return np.repeat(stroke[None].astype(np.float32), batch, axis=0)


@pytest.mark.parametrize("names", [*((name,) for name in AUGMENTATIONS), AUGMENTATIONS])
def test_each_patch_is_changed_by_its_own_amount_in_training_only(names):
    ink = 0.1 + a_stroke()  # Paper has some ink too, so that every erased pixel is visible.
    assert np.array_equal(Augment(names)(ink[..., None]), ink[..., None])
    now = changed(ink, *names)
    assert now.shape == ink.shape and now.dtype == np.float32
    assert len({patch.tobytes() for patch in (*now, ink[0])}) == len(ink) + 1
    assert np.array_equal(now, changed(ink, *names))
    assert not np.array_equal(now, changed(ink, *names, seed=1))


@pytest.mark.parametrize("names", [*((name,) for name in AUGMENTATIONS), AUGMENTATIONS])
def test_the_next_step_changes_patches_otherwise(names):
    layer, ink = Augment(names, seed=0), 0.1 + a_stroke()[..., None]
    assert not np.array_equal(layer(ink, training=True), layer(ink, training=True))


def moments(patch):
    """The amount of ink, the middle of the ink (x, y), and its covariance (xx, yy, xy)."""
    x, y = np.meshgrid(*(np.arange(size) for size in patch.shape), indexing="ij")
    amount = patch.sum()
    middle = (x * patch).sum() / amount, (y * patch).sum() / amount
    x, y = x - middle[0], y - middle[1]
    return amount, middle, [(a * b * patch).sum() / amount for a, b in ((x, x), (y, y), (x, y))]


def a_block():
    block = np.zeros((64, 41, 31), np.float32)
    block[:, 12:29, 9:22] = 1  # 17 wide, 13 high, in the middle.
    return block


def test_scale_makes_wider_and_higher_and_keeps_the_middle():
    before, _, (xx, yy, _) = moments(a_block()[0])
    found = [moments(patch) for patch in changed(a_block(), "scale")]
    assert all(np.allclose(middle, (20, 15), atol=0.1) for _, middle, _ in found)
    wider = np.array([np.sqrt(covariance[0] / xx) for _, _, covariance in found])
    higher = np.array([np.sqrt(covariance[1] / yy) for _, _, covariance in found])
    for factor in (wider, higher):
        assert 0.83 < factor.min() < 0.95 and 1.05 < factor.max() < 1.18
    assert abs(np.corrcoef(wider, higher)[0, 1]) < 0.5
    assert np.allclose([amount / before for amount, _, _ in found], wider * higher, rtol=0.05)


def test_shear_slants_and_moves_no_row_up_or_down():
    _, _, (_, yy, _) = moments(a_block()[0])
    found = [moments(patch) for patch in changed(a_block(), "shear")]
    assert all(np.allclose(middle, (20, 15), atol=0.1) for _, middle, _ in found)
    assert all(abs(covariance[1] / yy - 1) < 0.02 for _, _, covariance in found)
    slant = np.array([covariance[2] / covariance[1] for _, _, covariance in found])
    assert -0.21 < slant.min() < -0.1 and 0.1 < slant.max() < 0.21


def test_rotation_turns_by_a_few_degrees():
    bar = np.zeros((64, 41, 31), np.float32)
    bar[:, 6:35, 14:17] = 1
    found = [moments(patch) for patch in changed(bar, "rotation")]
    assert all(np.allclose(middle, (20, 15), atol=0.1) for _, middle, _ in found)
    degrees = np.array([np.degrees(np.arctan2(2 * xy, xx - yy) / 2) for _, _, (xx, yy, xy) in found])
    assert -3.2 < degrees.min() < -1.5 and 1.5 < degrees.max() < 3.2


def test_shift_moves_up_and_down_only():
    found = np.array([moments(patch)[1] for patch in changed(a_block(), "shift")])
    assert np.allclose(found[:, 0], 20, atol=0.01)
    assert 13 < found[:, 1].min() < 14.2 and 15.8 < found[:, 1].max() < 17


def test_paper_comes_in_from_beyond_the_patch():
    solid = np.ones((16, 41, 31), np.float32)
    now = changed(solid, "scale", "shift")
    assert now.min() == 0
    assert now[:, 20, 15].min() == 1


def test_thickness_is_a_blend_with_the_dilation_or_the_erosion():
    ink = np.zeros((64, 9, 8), np.float32)
    ink[:, 3:6, 2:5] = 1
    ink[:, 0, 7] = 0.5  # At the edge, pixels beyond the patch must not count.
    now = changed(ink, "thickness")
    dilated = np.zeros((9, 8))
    dilated[2:7, 1:6] = 1
    dilated[:2, 6:] = 0.5
    eroded = np.zeros((9, 8))
    eroded[4, 3] = 1
    thicker = now.sum(axis=(1, 2)) > ink[0].sum()
    assert 16 < thicker.sum() < 48
    for patch, is_thicker in zip(now, thicker, strict=True):
        amount = patch[2, 1] if is_thicker else 1 - patch[3, 2]
        assert 0 <= amount <= 0.7
        assert np.allclose(patch, ink[0] + amount * ((dilated if is_thicker else eroded) - ink[0]), atol=1e-6)


def test_blur_rounds_edges_and_loses_hairlines_but_keeps_black_black():
    ink = np.zeros((64, 60, 50), np.float32)
    ink[:, 10:30, 10:40] = 1  # A block,
    ink[:, 40, 10:40] = 1  # a hairline,
    ink[:, 5, 45] = 1  # a dot.
    now = changed(ink, "blur")
    assert now.min() == 0 and np.allclose(now.max(axis=(1, 2)), 1)
    assert (now[:, 15:25, 15:35] > 0.99).all()
    # The middle of an edge stays where it is: between columns 9 and 10.
    assert np.allclose(now[:, 9, 25] + now[:, 10, 25], 1, atol=0.02)
    corner, edge, hairline, dot = now[:, 10, 10], now[:, 10, 25], now[:, 40, 25], now[:, 5, 45]
    assert edge.min() > 0.85
    # Each patch has its own amount: some stay as sharp as before, others lose corners and thin parts.
    for fine in (corner, hairline, dot):
        assert fine.min() < 0.1 and fine.max() > 0.9


def test_contrast_keeps_the_order_of_grays():
    grays = np.repeat(np.linspace(0, 1, 12).reshape(1, 4, 3), 64, axis=0)
    now = changed(grays, "contrast").reshape(64, 12)
    assert (np.diff(now, axis=1) > 0).all()
    paper, middle, black = now[:, 0], now[:, 5], now[:, 11]
    assert 0 <= paper.min() < 0.02 and 0.08 < paper.max() <= 0.1
    assert 0.6 <= black.min() < 0.65 and 1.05 < black.max() <= 1.1
    bent = (middle - paper) / (black - paper) - 5 / 11
    assert bent.min() < -0.05 and bent.max() > 0.05


def test_erase_makes_one_rectangle_paper():
    now = changed(np.ones((64, 40, 30)), "erase")
    assert set(np.unique(now)) == {0, 1}
    sizes = []
    for patch in now:
        columns, rows = (patch == 0).any(axis=1), (patch == 0).any(axis=0)
        assert np.array_equal(patch == 0, columns[:, None] & rows[None, :])
        for erased in (columns, rows):
            first, last = np.flatnonzero(erased)[[0, -1]]
            assert erased[first : last + 1].all()
        sizes.append((columns.sum(), rows.sum()))
    assert np.min(sizes, axis=0).tolist() >= [4, 3] and np.max(sizes, axis=0).tolist() <= [17, 13]
    assert len(set(sizes)) > 10


def test_noise_is_small_and_of_no_bias():
    now = changed(np.zeros((64, 40, 30)), "noise")
    assert np.abs(now).max() <= 0.1
    assert abs(now.mean()) < 1e-3
    deviations = now.std(axis=(1, 2))
    assert deviations.min() < 0.01 and deviations.max() > 0.05


def test_an_unknown_name_is_told():
    with pytest.raises(
        ValueError, match=r"The augmentations \['mirror'\] do not exist. Choose from thickness"
    ):
        Augment(["mirror"])


def test_a_saved_model_has_its_augmentation(tmp_path):
    patches = keras.Input((20, 20, 1))
    keras.Model(patches, Augment(["scale", "erase"], seed=3)(patches)).save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras").layers[-1]
    assert (loaded.names, loaded.seed) == (("scale", "erase"), 3)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_pixels_have_the_compute_dtype_and_positions_have_float32(precision):
    names = [name for name in AUGMENTATIONS if name != "erase"]  # One pixel more or less is erased whole.
    keras.config.set_dtype_policy(precision)
    try:
        most, erase = Augment(names, seed=0), Augment(["erase"], seed=0)
    finally:
        keras.config.set_dtype_policy("float32")
    half = keras.ops.cast(a_stroke()[..., None], precision.removeprefix("mixed_"))
    now = most(half, training=True)
    assert now.dtype == half.dtype == erase(half, training=True).dtype
    # Positions in bfloat16 would be wrong by up to an eighth of a pixel.
    now = np.asarray(keras.ops.cast(now, "float32"))[..., 0]
    assert np.allclose(now, changed(a_stroke(), *names), atol=0.03)


def test_gathers_move_pixels_as_the_operation_of_tensorflow_does():
    rng = np.random.default_rng(0)
    ink = rng.random((64, 41, 31, 1), np.float32)
    angle, shear = rng.uniform(-0.5, 0.5, (2, 64))  # More than in training, so that much paper comes in.
    x0, y0 = rng.uniform(-9, 9, (2, 64))
    moved = [
        np.cos(angle) + shear * np.sin(angle),
        shear * np.cos(angle) - np.sin(angle),
        x0,
        1.1 * np.sin(angle),
        1.1 * np.cos(angle),
        y0,
    ]
    coefficients = [np.float32(values) for values in moved]
    expected = np.asarray(augment.affine(ink, *coefficients))
    found = np.asarray(augment._gathered(ink, *(values[:, None, None] for values in coefficients)))
    assert found.shape == ink.shape and (expected == 0).mean() > 0.1
    assert np.abs(found - expected).max() < 1e-4


CODE = """
import keras, numpy as np
from iam_writer.models.augment import Augment, affine
from iam_writer.common.names import AUGMENTATIONS
assert keras.backend.backend() == "jax"
patches = keras.Input((20, 24, 1))
x = Augment(AUGMENTATIONS, seed=0)(patches)
model = keras.Model(patches, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=True)
ink = np.random.default_rng(0).random((8, 20, 24, 1), np.float32)
before = np.array(model.layers[1].seed_generator.state.value)
losses = [model.train_on_batch(ink, np.arange(8) % 2) for _ in range(3)]
assert np.isfinite(losses).all(), losses
assert not np.array_equal(before, model.layers[1].seed_generator.state.value)
one = np.ones(8, np.float32)
moved = np.asarray(affine(ink, one, 0 * one, 1.5 * one, 0 * one, one, -2 * one))
expected = np.zeros_like(ink)
expected[:, :-1, 2:] += ink[:, 1:, :-2] / 2
expected[:, :-2, 2:] += ink[:, 2:, :-2] / 2
assert np.allclose(moved, expected, atol=1e-6)
"""


@pytest.mark.slow
def test_in_jax_compiled():
    pytest.importorskip("jax", reason="JAX is not installed")
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env=os.environ | {"KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
