"""iam_writer/studies/hand_made_features.py: how edges run and how far apart they are, of shapes with known answers."""

import numpy as np
import pytest
from conftest import png

from iam_writer.studies import hand_made_features as features


def drawn(rows):
    """An image, bool `[height, width]`, with ink where the text has an X."""
    return np.array([[letter == "X" for letter in row] for row in rows])


def bar(dx, dy, length=60):
    """A thick line in the direction (dx, dy), y up as on paper."""
    ink = np.zeros((140, 140), bool)
    for step in range(length):
        x, y = 70 + (step - length // 2) * dx, 70 - (step - length // 2) * dy
        ink[y - 2 : y + 3, x - 2 : x + 3] = True
    return ink


@pytest.mark.parametrize(
    ("dx", "dy", "sector"), [(1, 0, 0), (0, 1, 6), (1, 1, 3), (1, -1, 9)], ids=["→", "↑", "↗", "↘"]
)
def test_edges_of_a_bar_run_in_its_direction(dx, dy, sector):
    directions, hinges = features.contour_counts(bar(dx, dy))
    assert directions.argmax() == sector
    assert directions[sector] > 0.8 * directions.sum()
    # On a straight edge, the two legs of most hinges point in opposite directions.
    low, high = divmod(
        int(np.flatnonzero(features._PAIR.ravel() == hinges.argmax())[-1]), features.DIRECTIONS
    )
    assert (low, high) == (sector, sector + 12)


def test_holes_have_contours_too():
    ink = np.ones((40, 40), bool)
    outer = features.contour_counts(ink)[0].sum()
    ink[10:30, 10:30] = False
    assert features.contour_counts(ink)[0].sum() > 1.4 * outer


def test_specks_and_blank_paper_count_nothing():
    speck = np.zeros((20, 20), bool)
    speck[5:7, 5:7] = True
    for ink in (speck, np.zeros((20, 20), bool)):
        directions, hinges = features.contour_counts(ink)
        assert (directions.sum(), hinges.sum()) == (0, 0)
    assert features.counts(png(np.full((20, 20), 255, np.uint8))).sum() == 0


def test_a_stroke_one_pixel_thin_has_no_direction_where_its_contour_turns_back():
    ink = np.zeros((5, 40), bool)
    ink[2] = True
    directions, _ = features.contour_counts(ink)
    assert directions.tolist()[1:] == [0] * 11


def test_runs_lie_between_ink():
    ink = drawn(["X..X.X", "...X..", "XX...X"])
    assert np.flatnonzero(features.run_counts(ink)).tolist() == [0, 1, 2]  # Lengths 1, 2 and 3, once each.
    assert features.run_counts(ink).sum() == 3
    assert features.run_counts(ink.T)[:2].tolist() == [2, 0]
    wide = drawn(["X" + 60 * "." + "X" + 61 * "." + "X"])
    assert np.flatnonzero(features.run_counts(wide)).tolist() == [59]


def test_gray_and_binary_images_give_the_same():
    ink = bar(1, 1)
    gray = np.where(ink, 40, 230).astype(np.uint8)
    binary = np.where(ink, 0, 255).astype(np.uint8)
    assert np.array_equal(features.counts(png(gray)), features.counts(png(binary)))
    assert features.counts(png(gray)).sum() > 0


def test_features_are_roots_of_probabilities_histogram_by_histogram():
    counts = np.stack(
        [features.counts(png(np.where(bar(1, 1), 0, 255).astype(np.uint8))), np.zeros(features.SIZE, int)]
    )
    vectors = features.features(counts)
    sums = [
        part.sum() for part in np.split(vectors[0] ** 2, np.cumsum(list(features.HISTOGRAMS.values()))[:-1])
    ]
    assert np.allclose(sums[:2], 1)
    assert (vectors[1] == 0).all()
    assert np.allclose(features.features(7 * counts), vectors)  # A longer line of the same hand.
