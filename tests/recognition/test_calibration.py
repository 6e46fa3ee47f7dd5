"""calibration.py: numbers made by hand give known answers."""

import dataclasses

import numpy as np
import pytest
from calibrations import made

from iam_writer.recognition import calibration
from iam_writer.recognition.calibration import Calibration


def test_a_temperature_of_one_changes_nothing_and_a_lower_one_sharpens():
    pooled = np.array([[0.5, 0.3, 0.2]])
    np.testing.assert_allclose(calibration.sharpened(pooled, np.ones(1)), pooled)
    np.testing.assert_allclose(calibration.sharpened(pooled, np.array([0.5])), [[25 / 38, 9 / 38, 4 / 38]])


def test_more_writing_makes_surer():
    sure = made().probabilities(np.array([[0.6, 0.4]] * 3), np.array([1.0, 4.0, 16.0]))[:, 0]
    np.testing.assert_allclose(sure[:2], [0.6, 0.36 / 0.52])
    assert sure[2] > sure[1]


def test_the_temperature_that_made_the_numbers_is_found():
    random = np.random.default_rng(0)
    pooled = random.dirichlet(np.full(4, 2.0), 20_000)
    amounts = random.choice([1.0, 8.0, 64.0], 20_000)
    truth = np.array([0.3, -0.2])
    honest = calibration.sharpened(pooled, np.exp(truth[0] + truth[1] * np.log(amounts)))
    labels = (honest.cumsum(axis=1) < random.random((20_000, 1))).sum(axis=1).clip(max=3)
    np.testing.assert_allclose(calibration.fit_temperature(pooled, amounts, labels, 20_000), truth, atol=0.06)
    first = honest.argmax(axis=1)
    assert calibration.calibration_error(honest.max(axis=1), first == labels) < 0.01


@pytest.mark.parametrize(("forms", "surest"), [(6, 7 / 8), (60, 61 / 62), (598, 599 / 600)])
def test_no_answer_is_surer_than_its_validation_forms_support(forms, surest):
    """Validation was perfect: the right writer always had nearly all of the probability."""
    pooled = np.tile([0.97, 0.01, 0.01, 0.01], (forms, 1))
    labels, amounts = np.zeros(forms, int), np.full(forms, 5.0)
    temperature = calibration.fit_temperature(pooled, amounts, labels, forms)
    assert np.all(np.abs(temperature - calibration.PRIOR_MEAN) < 4 * calibration.PRIOR_SPREAD)
    found = made(temperature=temperature, forms=np.array(forms)).probabilities(pooled, amounts)
    assert found[0, 0] <= surest
    certain = made(forms=np.array(forms)).probabilities(np.eye(4), np.ones(4))
    np.testing.assert_allclose(certain.max(axis=1), surest)
    np.testing.assert_allclose(certain.sum(axis=1), 1)


def test_few_forms_move_the_temperature_less_than_many():
    pooled, labels = np.tile([0.6, 0.4], (100, 1)), np.zeros(100, int)
    few, many = (calibration.fit_temperature(pooled, np.ones(100), labels, forms)[0] for forms in (3, 300))
    assert many < few < 0


def test_calibration_error_by_hand():
    # Two bins: probability 0.9 and half of the answers right, probability 0.3 and all answers right.
    probability = np.array([0.9, 0.9, 0.3, 0.3])
    right = np.array([True, False, True, True])
    assert calibration.calibration_error(probability, right) == pytest.approx(0.5 * 0.4 + 0.5 * 0.7)
    assert len(calibration.reliability(probability, right)) == 2
    assert calibration.calibration_error(np.array([1.0]), np.array([True])) == 0


def test_pieces_of_forms():
    forms = np.array(["a", "b", "a", "a", "b"])
    pieces = calibration.pieces_of_forms(forms, (1, 2))
    assert [[p.tolist() for p in size] for size in pieces] == [
        [[0], [2], [3], [1], [4]],
        [[0, 2], [1, 4]],
        [[0, 2, 3], [1, 4]],
    ]


def test_likeness_is_with_the_writer_that_is_named():
    known = made(hands=np.array([[1.0, 0.0], [0.6, 0.8]]))
    found = known.likeness(np.array([[0.0, 3.0], [0.0, 3.0], [2.0, 0.0]]), np.array([0, 1, 0]))
    np.testing.assert_allclose(found, [0, 0.8, 1])


def test_thresholds_reject_the_share_that_is_asked_for():
    agreement = np.linspace(0, 1, 101)
    amounts, thresholds = calibration.fit_thresholds(
        [agreement, agreement / 2, np.array([])], [np.full(101, 9.0), np.full(101, 2.0), np.array([])], 0.05
    )
    assert amounts.tolist() == [2, 9]
    np.testing.assert_allclose(thresholds, [0.025, 0.05])


def test_the_threshold_between_two_amounts_is_between_theirs():
    found = [made().threshold(amount) for amount in (0.1, 1, 10, 100, 1000)]
    np.testing.assert_allclose(found, [0.1, 0.1, 0.3, 0.5, 0.5])


def test_the_projection_shows_where_writers_differ_and_not_where_lines_do():
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 100)
    lines = random.normal(0, [5.0, 0.1, 0.1], (300, 3))
    lines[:, 1] += labels
    _, projection = calibration.fit_projection(lines, labels, shrinkage=0.001)
    assert projection.shape == (3, 2)
    strongest = np.abs(projection[:, 0])
    assert strongest[1] > 20 * strongest[0]


def test_logistic_is_calibrated_and_finite():
    random = np.random.default_rng(0)
    scores = np.concatenate([random.normal(1, 1, 5000), random.normal(-1, 1, 20_000)])
    same = np.arange(25_000) < 5000
    # For two normal distributions with means 1 and -1, the log-odds are 2 × score.
    np.testing.assert_allclose(calibration.fit_logistic(scores, same), [2, 0], atol=0.1)
    apart = calibration.fit_logistic(np.array([1.0, 0.9, -1.0]), np.array([True, True, False]))
    assert np.isfinite(apart).all() and apart[0] > 0


def test_equal_error_by_hand():
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    same = np.array([False, False, True, False, True, True])
    threshold, false_match, false_non_match = calibration.equal_error(scores, same)
    assert (false_match, false_non_match) == pytest.approx((1 / 3, 1 / 3))
    assert 0.3 < threshold < 0.4
    assert calibration.equal_error(np.array([0.0, 1.0]), np.array([False, True])) == (0.5, 0, 0)


def test_it_is_read_as_it_was_written():
    before = made()
    after = Calibration.from_bytes(before.to_bytes())
    for field in dataclasses.fields(Calibration):
        np.testing.assert_array_equal(getattr(before, field.name), getattr(after, field.name))
    with pytest.raises(ValueError, match="nother version"):
        Calibration.from_bytes(b"PK")
