"""variations.py: halves of a line, and a copy that keeps the hand and changes what differs from day to day."""

import numpy as np
import pytest
from conftest import png
from handwriting_pages import written_line

from iam_writer.recognition import descriptor, discriminants, variations

LINE = written_line()


class Chosen:
    """Random numbers that are all at one place of their range, from 0 to 1."""

    def __init__(self, place: float):
        self.place = place

    def uniform(self, low: float, high: float) -> float:
        return low + self.place * (high - low)


@pytest.mark.parametrize("place, larger", [(0.1, False), (0.9, True)])
def test_a_copy_is_larger_or_smaller_black_on_white_and_whole(place, larger):
    copy = variations.distorted(LINE, Chosen(place))
    assert copy.dtype == np.uint8 and set(np.unique(copy)) == {0, 255}
    assert (copy.shape[1] > LINE.shape[1] * 1.05) == larger
    assert (copy[[0, -1]] == 255).all() and (copy[:, [0, -1]] == 255).all()  # No ink is cut off.


def test_in_the_middle_of_all_ranges_a_copy_is_the_line_with_a_margin():
    copy, line = variations.distorted(LINE, Chosen(0.5)) == 0, LINE < 128
    assert copy.sum() == pytest.approx(line.sum(), rel=0.05)
    top, left = (np.array(copy.shape) - line.shape) // 2
    inside = copy[top : top + line.shape[0], left : left + line.shape[1]]
    assert (inside != line).mean() < 0.02


def test_variations_depend_on_the_image_only_and_differ():
    first, again = variations.counts_of_file(png(LINE)), variations.counts_of_file(png(LINE))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (len(variations.WEIGHTS), descriptor.SIZE)
    assert len(np.unique(first, axis=0)) == len(first)


def test_halves_of_a_line_have_its_writing():
    amounts = descriptor.lines_of_writing(variations.counts_of_file(png(LINE)))
    assert amounts[:2].sum() == pytest.approx(descriptor.lines_of_writing(descriptor.counts(LINE)), rel=0.05)
    assert min(amounts[:2]) > 0.25 * amounts[:2].sum()


@pytest.mark.parametrize("kind", range(len(variations.WEIGHTS)))
def test_discriminants_learn_from_variations(kind):
    """Two writers whose lines differ in nothing but one kind of variations: only this kind can tell them apart."""
    small, middle, large = (
        descriptor.counts(variations.distorted(LINE, Chosen(place))) for place in (0.1, 0.5, 0.9)
    )
    counts = np.stack([small, middle, large, middle] * 2)
    labels, ids = np.repeat([0, 1], 4), np.array([f"{i}" for i in range(8)])
    same = np.repeat(counts[:, None], 3, axis=1)
    none = discriminants.learn(counts, labels, labels, ids, same, 2).scores(discriminants.vectors(counts))
    np.testing.assert_allclose(none[:, 0], none[:, 1], atol=1e-3)
    varied = same.copy()
    varied[:, kind] = np.where(labels[:, None] == 0, small, large)
    found = discriminants.learn(counts, labels, labels, ids, varied, 2)
    scores = found.scores(discriminants.vectors(np.stack([small, large])))
    assert scores.argmax(axis=1).tolist() == [0, 1]
