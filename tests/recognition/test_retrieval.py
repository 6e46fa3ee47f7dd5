"""retrieval.py: likenesses made by hand give the measures that one counts by hand."""

import numpy as np
import pytest

from iam_writer.recognition import retrieval


def test_measures_by_hand():
    """Five forms: three by writer 0, two by writer 1; one of each is asked about, and a form by writer 2."""
    known = np.array([0, 0, 0, 1, 1])
    likeness = np.array([[1.0, 0.9, 0.7, 0.8, 0.1], [0.9, 0.8, 0.2, 1.0, 0.5], [0.1, 0.2, 0.3, 0.4, 0.5]])
    barred = np.zeros((3, 5), bool)
    barred[0, 0] = barred[1, 3] = True  # Themselves.
    found = retrieval.measures(likeness, np.array([0, 1, 2]), known, barred)
    # The first finds 0, 1, 0 (ranks 1 and 3 of its two); the second finds 0, 0, 1 (rank 3). The third has nobody.
    assert found["queries"] == 2
    assert found["top1"] == 1 / 2 and found["soft5"] == 1
    assert found["map"] == pytest.approx(((1 / 1 + 2 / 3) / 2 + 1 / 3) / 2)
    assert found["hard2"] == 0 and "hard3" not in found
    assert 0 < found["equal_error"] < 1


def test_forms_are_asked_about_among_the_others():
    vectors = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    found = retrieval.of_forms(vectors, np.array([0, 0, 1, 1]))
    assert (found["queries"], found["top1"], found["map"], found["equal_error"]) == (4, 1, 1, 0)
    assert retrieval.in_words(found).startswith("retrieval of 4 forms: mAP 1.000, top-1 100.0%")
    assert "no writer" in retrieval.in_words({"queries": 0})
    nobody_twice = retrieval.of_forms(vectors, np.arange(4))
    assert nobody_twice == {"queries": 0}


def test_a_line_is_not_asked_about_its_own_form():
    forms = np.array([[1.0, 0], [0.6, 0.8], [0, 1]])
    lines = np.array([[1.0, 0], [0, 1]])
    found = retrieval.of_lines(lines, forms, np.array([0, 2]), np.array([0, 0, 1]))
    # The line of form 0 finds form 1, by its writer. Nobody else wrote like the other line's writer.
    assert (found["queries"], found["top1"]) == (1, 1)
