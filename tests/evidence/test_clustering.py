"""iam_writer/evidence/clustering.py: SciPy's answers for the same data, and the border."""

import math

import numpy as np
import pytest
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from iam_writer.evidence import clustering


@pytest.fixture
def log_odds():
    """Log odds of 24 samples by 6 hands: 8 or so for one hand, -8 or so for two."""
    random = np.random.default_rng(0)
    hands = np.arange(24) % 6
    odds = np.where(hands[:, None] == hands, 8, -8) + random.normal(0, 3, (24, 24))
    return (odds + odds.T) / 2


def test_the_tree_is_that_of_scipy(log_odds):
    steps = clustering.tree(log_odds)
    expected = hierarchy.linkage(squareform(30 - log_odds, checks=False), "average")
    np.testing.assert_array_equal(steps[:, :2], expected[:, :2])
    np.testing.assert_allclose(30 - steps[:, 2], expected[:, 2])
    np.testing.assert_array_equal(steps[:, 3], expected[:, 3])
    for border in (-5.0, 0.0, 7.0, 20.0):
        groups = hierarchy.fcluster(expected, 30 - border, "distance")
        assert clustering.agreement(clustering.cut(steps, border), groups) == 1


def test_groups_are_numbered_as_they_come(log_odds):
    groups = clustering.cut(clustering.tree(log_odds), 0)
    np.testing.assert_array_equal(groups, np.arange(24) % 6)


def test_the_border_rises_with_the_number_of_hands_and_with_caution(log_odds):
    steps = clustering.tree(log_odds)
    assert clustering.border(steps, 0.5) == pytest.approx(math.log(5 / 0.5))
    cautious = clustering.border(steps, 0.01)
    hands = clustering.cut(steps, cautious).max() + 1
    assert hands > 6 and cautious >= math.log((hands - 1) / 0.01)
    strangers = clustering.tree(np.full((24, 24), -8.0))
    assert clustering.cut(strangers, clustering.border(strangers, 0.5)).max() == 23
    one_hand = clustering.tree(np.full((24, 24), 5.0))
    assert clustering.cut(one_hand, clustering.border(one_hand, 0.5)).max() == 0


def test_one_sample():
    steps = clustering.tree(np.zeros((1, 1)))
    assert clustering.cut(steps, clustering.border(steps, 0.5)).tolist() == [0]
    assert clustering.leaves(steps) == [0]


def test_branches_do_not_cross(log_odds):
    order = clustering.leaves(clustering.tree(log_odds))
    assert sorted(order) == list(range(24)) and order[0] == 0
    assert [sample % 6 for sample in order[:4]] == [0] * 4


def test_agreement():
    assert clustering.agreement(np.array([0, 0, 1]), np.array([0, 0, 1])) == 1
    assert clustering.agreement(np.array([0, 0, 0]), np.array([0, 0, 1])) == pytest.approx(0.5)
    assert clustering.agreement(np.array([0, 1]), np.array([0, 1])) == 1
