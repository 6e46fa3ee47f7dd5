"""iam_writer/studies/corruptions.py: each does what it says, to any image, the same for the same name."""

import numpy as np
import pytest

from iam_writer.studies.corruptions import CORRUPTIONS, corrupted


def line():
    """Two words of vertical strokes, black on white: uint8 [60, 300]."""
    gray = np.full((60, 300), 255, np.uint8)
    for left in (*range(20, 100, 12), *range(180, 260, 12)):
        gray[20:45, left : left + 4] = 0
    return gray


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_what_is_random_depends_on_the_names_only(name):
    gray = line()
    first = corrupted(gray, name, "a01-000u-s00-00")
    assert (first.shape, first.dtype) == (gray.shape, np.uint8)
    assert np.array_equal(first, corrupted(gray, name, "a01-000u-s00-00"))
    assert not np.array_equal(first, gray)
    assert np.array_equal(gray, line())  # The input is unchanged.
    if name != "low_resolution":
        assert not np.array_equal(first, corrupted(gray, name, "a01-000u-s00-01"))


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("shape", [(1, 1), (2, 700), (40, 3)])
@pytest.mark.parametrize("value", [0, 255])
def test_images_of_any_size_and_without_ink(name, shape, value):
    assert corrupted(np.full(shape, value, np.uint8), name, "x").shape == shape


def test_gray_paper_is_gray_and_ink_on_it_is_not_black():
    ink = line() == 0
    gray = corrupted(line(), "gray_paper", "x")
    assert 200 <= np.median(gray) <= 235
    assert gray[:15].std() > 1  # It has a texture.
    assert gray[ink].min() > 20 and np.median(gray[ink]) < 130


def test_noise_spares_neither_paper_nor_ink():
    gray = corrupted(line(), "noise", "x")
    assert gray[line() == 255].std() > 4 and gray[line() == 0].std() > 4


def test_word_boxes_are_gray_in_them_and_white_outside():
    gray = corrupted(line(), "word_boxes", "x")
    assert (gray[:, 110:170] == 255).all() and (gray[:10] == 255).all()  # Between the words, above them.
    assert 195 < np.median(gray[21:44, 25:30]) < 240  # Between two strokes of a word.
    assert gray[line() == 0].max() < 200


def test_blur_softens_edges_and_keeps_the_ink_s_mass():
    gray = corrupted(line(), "blur", "x").astype(float)
    assert np.abs(np.diff(gray, axis=1)).max() < 128
    assert (255 - gray).sum() == pytest.approx((255.0 - line()).sum(), rel=0.02)


def test_low_resolution_loses_single_pixels():
    stripes = np.tile(np.array([0, 255], np.uint8), (30, 60))
    gray = corrupted(stripes, "low_resolution", "x").astype(float)
    assert np.abs(np.diff(gray, axis=1)).mean() < 150  # Of 255.
