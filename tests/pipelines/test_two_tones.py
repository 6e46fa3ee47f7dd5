"""pipelines/two_tones.py: lines come out as they were before a scanner changed their tones."""

import numpy as np
import pytest
from stroke_lines import line

from iam_writer.studies.corruptions import CORRUPTIONS, corrupted
from pipelines.two_tones import two_tones


def test_two_tones_stay_as_they_are():
    assert np.array_equal(two_tones(line()), line())
    few = np.full((60, 300), 255, np.uint8)
    few[0, 0] = 0
    assert np.array_equal(two_tones(few), few)


@pytest.mark.parametrize(("ink", "paper"), [(0, 200), (50, 90), (120, 255), (60, 251)])
def test_whatever_the_two_tones_are(ink, paper):
    assert np.array_equal(two_tones(np.where(line() == 0, ink, paper).astype(np.uint8)), line())


@pytest.mark.parametrize(
    ("name", "share"),
    [("gray_paper", 0.01), ("noise", 0), ("word_boxes", 0.01), ("blur", 0.2), ("low_resolution", 0.1)],
)
def test_what_scanners_do_is_undone(name, share):
    """Up to a share of the ink, which blurring has rounded off at its corners."""
    assert name in CORRUPTIONS
    found = two_tones(corrupted(line(), name, "x"))
    assert set(np.unique(found)) == {0, 255}
    assert (found != line()).sum() <= share * (line() == 0).sum()
    assert (found == 0).sum() == pytest.approx((line() == 0).sum(), rel=0.15)


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (130, 255), (255, 255)])
def test_an_image_of_one_tone(value, expected):
    assert (two_tones(np.full((5, 7), value, np.uint8)) == expected).all()


def test_faint_dirt_on_blank_paper_is_not_blown_up_to_ink():
    paper = np.random.default_rng(0).integers(215, 230, (60, 300)).astype(np.uint8)
    assert (two_tones(paper) == 255).all()
