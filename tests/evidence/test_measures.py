"""iam_writer/evidence/measures.py: costs whose values are known, and scikit-learn's answers for the same data."""

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from iam_writer.evidence import measures


@pytest.fixture
def pairs():
    """Calibrated ratios: scores of pairs by one hand are spread around 2, those by two hands around -2."""
    random = np.random.default_rng(0)
    same = random.random(3000) < 0.2
    return random.normal(np.where(same, 2, -2), 2), same


def test_saying_nothing_costs_one_and_the_truth_costs_nothing():
    same = np.array([True, False, False])
    assert measures.cllr(np.zeros(3), same) == pytest.approx(1)
    assert measures.cllr(np.array([99.0, -99, -99]), same) == pytest.approx(0, abs=1e-9)


def test_calibrated_ratios_cost_little_more_than_their_order_allows(pairs):
    ratios, same = pairs
    least = measures.cllr_min(ratios, same)
    assert least < measures.cllr(ratios, same) < 1.05 * least
    assert measures.cllr_min(3 * ratios + 1, same) == pytest.approx(least)
    assert measures.cllr(3 * ratios + 1, same) > 1.3 * least


def test_pav_is_isotonic_regression(pairs):
    ratios, same = np.round(pairs[0], 1), pairs[1]  # Rounded, so that there are ties.
    weight = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum())
    expected = IsotonicRegression().fit(ratios, same.astype(float), sample_weight=weight).predict(ratios)
    np.testing.assert_allclose(1 / (1 + np.exp(-measures.pav(ratios, same))), expected, atol=1e-9)


def test_logistic_regression_is_that_of_scikit_learn(pairs):
    ratios, same = pairs
    inputs = np.stack([np.ones(len(ratios)), ratios], axis=1)
    found = measures.fit_logistic(inputs, same, ridge=1e-9)
    expected = LogisticRegression(C=1e9, class_weight="balanced").fit(ratios[:, None], same)
    np.testing.assert_allclose(found, [expected.intercept_[0], expected.coef_[0, 0]], atol=1e-3)


def test_logistic_regression_stays_finite_and_near_its_prior():
    inputs, same = np.stack([np.ones(4), [-2.0, -1, 1, 2]], axis=1), np.array([False, False, True, True])
    assert np.isfinite(measures.fit_logistic(inputs, same)).all()
    np.testing.assert_allclose(
        measures.fit_logistic(inputs, same, np.array([0.5, 1]), 1e3), [0.5, 1], atol=0.01
    )


def test_equal_error(pairs):
    ratios, same = pairs
    assert measures.equal_error(ratios, same) == pytest.approx(
        0.159, abs=0.02
    )  # A normal beyond one deviation.
    assert measures.equal_error(np.array([1.0, 2, -1]), np.array([True, True, False])) == 0


def test_quality_counts_what_misleads():
    unbounded = np.array([9.0, -9, 0.5, 9, -9, -0.5])
    found = measures.quality(unbounded, np.array([True] * 3 + [False] * 3), bound=np.log(200))
    assert (found.false_match.hits, found.false_non_match.hits) == (1, 1)
    assert (found.misleading_one.hits, found.misleading_two.hits) == (1, 1)
    assert (found.at_bound.hits, found.at_bound.number) == (4, 6)
    low, high = found.false_match.interval
    assert low < 1 / 3 < high
    assert found.as_json()["false_match"]["number"] == 3
