"""iam_writer/scoring.py: logits of windows in, accuracies of patches, lines and forms out."""

import numpy as np
import pytest

from iam_writer import scoring


def test_softmax_of_huge_logits():
    assert scoring.softmax(np.array([[1e4, 1e4], [0.0, np.log(3)]])).round(6).tolist() == [
        [0.5, 0.5],
        [0.25, 0.75],
    ]


@pytest.mark.parametrize(
    ("scores", "label", "rank"),
    [([3, 2, 1], 0, 0), ([3, 2, 1], 2, 2), ([2, 2, 1], 0, 1), ([1, 1, 1], 1, 2), ([np.nan] * 3, 0, 2)],
)
def test_rank_of_truth(scores, label, rank):
    assert scoring.rank_of_truth(np.array([scores], float), np.array([label])).tolist() == [rank]


def test_accuracies():
    # Three lines on two forms; writer 0 wrote form a (two lines), writer 1 form b. Windows say 0, 1 or 2 with logit 4.
    says = [[0, 0, 1], [1], [1, 2, 2, 2]]
    images = np.repeat([0, 1, 2], [3, 1, 4])
    logits = 4.0 * np.eye(3)[np.concatenate(says)]
    labels, forms = np.array([0, 0, 1]), np.array(["a", "a", "b"])
    batches = [np.arange(0, 5), np.arange(5, 10).clip(max=7)]  # The last one is filled up with window 7.
    scanned = scoring.scan(lambda batch: logits[batch], batches, images, labels, classes=3)

    assert scanned.windows.tolist() == [3, 1, 4]
    assert np.allclose(scanned.probabilities.sum(axis=1), [3, 1, 4])
    result = scoring.accuracies(scanned, labels, forms)
    assert (result["patches"], result["lines"]) == (8, 3)
    assert (result["forms"], result["writers"]) == (2, 2)
    assert result["patch_top1"] == 3 / 8  # 2 of 3, 0 of 1, 1 of 4
    assert result["patch_macro_top1"] == (2 / 4 + 1 / 4) / 2
    assert result["line_top1"] == 1 / 3
    assert result["line_macro_top1"] == (1 / 2 + 0) / 2
    assert result["form_top1"] == 0  # Form a: two windows for 0, two for 1, a tie, which counts as wrong.
    assert result["form_top5"] == 1

    table = scoring.table({"test": result})
    assert "test lines                    3    33.3%   100.0%        25.0%       100.0%" in table
