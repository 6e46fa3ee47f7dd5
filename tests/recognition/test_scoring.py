"""iam_writer/recognition/scoring.py: logits of windows in, accuracies of patches, lines and forms out."""

import types

import numpy as np
import pytest

from iam_writer.recognition import scanning, scoring, seen
from iam_writer.recognition.rule import Rule, softmax


def test_softmax_of_huge_logits():
    assert softmax(np.array([[1e4, 1e4], [0.0, np.log(3)]])).round(6).tolist() == [
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
    inked = [np.zeros((1, 2, 2), np.uint8)] * len(logits)
    # The last batch is filled up with window 7.
    scanned = scan_all(logits, inked, images, labels, in_batches=[slice(0, 5), [5, 6, 7, 7, 7]])

    assert scanned.windows.tolist() == scanned.votes.tolist() == [3, 1, 4]
    assert np.allclose(scanned.scores.sum(axis=1), [3, 1, 4])
    assert np.allclose(scanned.probabilities.sum(axis=1), 1)
    result = scoring.accuracies(answers(scanned, forms), labels, forms, widths=np.array([1, 2, 7.0]))
    assert (result["patches"], result["lines"]) == (8, 3)
    assert (result["forms"], result["writers"]) == (2, 2)
    assert result["patch_top1"] == 3 / 8  # 2 of 3, 0 of 1, 1 of 4
    assert result["patch_macro_top1"] == (2 / 4 + 1 / 4) / 2
    assert result["line_top1"] == 1 / 3
    assert result["line_macro_top1"] == (1 / 2 + 0) / 2
    assert result["form_top1"] == 0  # Form a: two windows for 0, two for 1, a tie, which counts as wrong.
    assert result["form_top5"] == 1
    assert [result[f"lines_{name}"] for name in ("below_1.5", "1.5_to_3", "3_to_6", "from_6")] == [1, 1, 0, 1]
    by_width = [result[f"line_top1_{name}"] for name in ("below_1.5", "1.5_to_3", "3_to_6", "from_6")]
    assert by_width == [1, 0, None, 0]

    table = scoring.table({"test": result})
    assert (
        "test lines                        3    33.3%   100.0%        25.0%       100.0%     0.0% - 50.0%"
        in table
    )
    assert "lines below 1.5 heights         1   100.0%" in table
    assert "3 to 6" not in table


def answers(scanned, forms):
    return scanned.answers(np.ones(len(forms), bool), forms)


def test_accuracies_of_parts():
    """Two of three lines are of one part and get the right answer.

    The third line is of the other part, and is taken for a line by a writer of the first part.
    """
    ink, logits = [np.zeros((1, 2, 2), np.uint8)] * 3, np.array([[3.0, 0], [1, 0], [1, 0]])
    strips = types.SimpleNamespace(
        labels=np.array([0, 0, 1]), groups=np.array(["a", "a", "b"]), widths=np.ones(3)
    )
    scanned = scan_all(logits, ink, np.arange(3), strips.labels)
    network = scanning.SeenByNetwork(scanned, np.zeros((3, 2)), np.ones(3))
    first = np.array([True, True, False])
    results = seen.accuracies(network, "test", strips, {"first": first, "second": ~first})
    shares = {name: (result["lines"], result["line_top1"]) for name, result in results.items()}
    assert shares == {"test": (3, 2 / 3), "test.first": (2, 1), "test.second": (1, 0)}
    assert results["test"] == scoring.accuracies(
        answers(scanned, strips.groups), strips.labels, strips.groups, strips.widths
    )
    assert "test.second forms                 1     0.0%" in scoring.table(results)
    long = scoring.table({"validation.top50_by_image_lines": results["test"]}).splitlines()
    assert long[0].index("number") + len("number") == long[1].index(" 3 ") + 2

    seeds = {f"{name}.{level}_top1": 0.5 for name in results for level in ("patch", "line", "form")}
    seeds |= {f"{name}.std": 0.0 for name in seeds} | {f"{name}.seeds": [0.5] for name in seeds}
    assert "test.second lines       50.0%" in scoring.table_of_seeds(seeds)


def scan_all(logits, windows, images, labels, combine="probabilities", in_batches=(slice(None),)):
    """Scans windows `[1, width, height]` of which a model says what `logits` says."""
    windows, numbers = np.concatenate(windows), np.arange(len(logits))
    numbered = iter([numbers[batch] for batch in in_batches])
    batches = [windows[batch] for batch in in_batches]
    return scoring.scan(
        lambda batch: logits[next(numbered)], batches, images, labels, logits.shape[1], Rule(1, combine)
    )


def test_log_probabilities_let_a_window_that_is_sure_decide():
    logits = np.log([[0.6, 0.399, 0.001], [0.6, 0.399, 0.001], [0.01, 0.98, 0.01]])
    labels, images, ink = np.array([1]), np.array([0, 0, 0]), [np.zeros((1, 2, 2), np.uint8)] * 3
    mean = scan_all(logits, ink, images, labels).probabilities
    assert np.allclose(mean, [[1.21 / 3, 1.778 / 3, 0.012 / 3]])
    geometric = scan_all(logits, ink, images, labels, "log_probabilities").probabilities
    expected = np.prod(np.exp(logits), axis=0) ** (1 / 3)
    assert np.allclose(geometric, [expected / expected.sum()])


def test_blank_windows_do_not_vote():
    """Three lines of one form: two windows of ink and one of paper; two of ink; two of paper, the last on a form of its
    own."""
    ink, paper = np.zeros((1, 2, 2), np.uint8), np.full((1, 2, 2), 200, np.uint8)
    logits = np.array([[1, 0], [1, 0], [0, 9], [1, 0], [1, 0], [0, 9], [0, 9], [0, 9.0]])
    windows = [ink, ink, paper, ink, ink, paper, paper, paper]
    images, labels = np.array([0, 0, 0, 1, 1, 2, 2, 3]), np.array([0, 0, 0, 1])
    scanned = scan_all(logits, windows, images, labels)
    assert scanned.votes.tolist() == [2, 2, 2, 1]
    assert scanned.windows.tolist() == [3, 2, 2, 1]
    assert scanned.blank.tolist() == [False, False, True, True]
    says_0 = softmax(np.array([[1.0, 0]]))
    assert np.allclose(scanned.probabilities[:2], says_0)
    assert np.allclose(scanned.probabilities[2], softmax(np.array([[0.0, 9]])))

    forms = np.array(["a", "a", "a", "b"])
    result = scoring.accuracies(answers(scanned, forms), labels, forms, np.ones(4))
    assert result["line_top1"] == 3 / 4  # The blank line of form a is taken for another's.
    assert (
        result["form_top1"] == 1
    )  # But it has no say in form a; and the blank form b is all there is of it.


def test_wilson():
    # 10 of 10: 1 / (1 + z² / 10). 5 of 10: 1/2 ± z / (2 √(10 + z²)).
    assert np.allclose(scoring.wilson(10, 10), (0.7225, 1), atol=1e-4)
    assert np.allclose(scoring.wilson(0, 10), (0, 0.2775), atol=1e-4)
    assert np.allclose(scoring.wilson(5, 10), (0.2366, 0.7634), atol=1e-4)


def test_lines_of_one_form_stand_and_fall_together():
    right = np.repeat([True, False] * 10, 20)
    of_forms = scoring.bootstrap(right, np.repeat(np.arange(20), 20))
    of_lines = scoring.bootstrap(right, np.arange(400))
    assert np.allclose(of_forms, (0.5 - 1.96 * 0.5 / 20**0.5, 0.5 + 1.96 * 0.5 / 20**0.5), atol=0.05)
    assert np.allclose(of_lines, (0.5 - 1.96 * 0.5 / 400**0.5, 0.5 + 1.96 * 0.5 / 400**0.5), atol=0.02)
    assert scoring.bootstrap(right, np.repeat(np.arange(20), 20)) == of_forms
