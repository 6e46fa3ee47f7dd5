"""report.py: the captions say what the figures show."""

import types

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from iam_writer.recognition import report


def evaluation(lines_of_form, right):
    """One form of writer 0. `right`: number of lines taken together → whether the answer is right."""

    def judged(pieces):
        said = np.array([0 if right(len(piece)) else 1 for piece in pieces])
        return np.eye(2)[said], np.zeros(len(pieces), int), np.ones(len(pieces), bool)

    strips = types.SimpleNamespace(groups=np.array(["a"] * lines_of_form))
    return types.SimpleNamespace(strips=strips, judged=judged)


@pytest.mark.parametrize(
    ("lines", "right", "shares"),
    [
        (4, lambda size: size == 1, ["Single lines: 100.0%", "4 lines of a form taken together: 0.0%"]),
        (5, lambda size: size > 1, ["Single lines: 0.0%", "4 lines of a form taken together: 100.0%"]),
        (1, lambda size: True, ["Single lines: 100.0%"]),
    ],
)
def test_the_caption_of_amounts_follows_the_data(lines, right, shares):
    caption = report._amount_caption(evaluation(lines, right))
    assert all(share in caption for share in shares)
    assert caption.count("%") == len(shares)
    assert "better" not in caption


@pytest.mark.parametrize(
    ("writers", "which"),
    [(5, "All writers are shown."), (61, "The 60 writers with the lowest accuracy are shown, of 61.")],
)
def test_the_caption_of_writers_says_which_are_shown(writers, which):
    strips = types.SimpleNamespace(labels=np.arange(writers))
    caption = report._bars_caption(types.SimpleNamespace(strips=strips))
    assert caption == f"Accuracy on the lines of each writer. {which}"
