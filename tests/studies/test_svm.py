"""iam_writer/studies/svm.py and baseline.py: from a dataset to result.json, with C chosen by validation only."""

import json

import numpy as np
import pytest
from conftest import run_module

pytest.importorskip("sklearn", reason="the extra 'baseline' is not installed")
pytest.importorskip("cv2", reason="the extra 'baseline' is not installed")

from iam_writer.studies import hand_made_features, svm


def split_of(hands, lines_per_form, forms_per_writer, seed):
    """Lines whose histograms are drawn at random, from another distribution for each writer."""
    random = np.random.default_rng(seed)
    counts, labels, forms = [], [], []
    for label, hand in enumerate(hands):
        for form in range(forms_per_writer):
            for _ in range(lines_per_form):
                counts.append(random.multinomial(400, hand))
                labels.append(label)
                forms.append(f"{label}-{form}")
    return svm.Split(np.array(counts), np.array(labels), np.array(forms), np.ones(len(labels)))


@pytest.fixture(scope="module")
def hands():
    return np.random.default_rng(0).dirichlet(np.full(hand_made_features.SIZE, 0.5), size=3)


@pytest.mark.parametrize("writers", [2, 3])
def test_hands_are_told_apart(hands, writers):
    hands = hands[:writers]
    scores = svm.svm_scores(split_of(hands, 5, 2, seed=1), 0.01, classes=4)
    test = split_of(hands, 3, 2, seed=2)
    result = svm.evaluate(scores, test, classes=4)  # The fourth writer has no line.
    assert result["line_top1"] == result["form_top1"] == result["form_macro_top1"] == 1
    assert (result["lines"], result["forms"], result["writers"]) == (6 * writers, 2 * writers, writers)
    assert not any(name.startswith("patch") for name in result)
    # A writer that it has not seen is never named.
    strange = svm.Split(test.counts, np.full_like(test.labels, 3), test.forms, test.widths)
    assert svm.evaluate(scores, strange, classes=4)["line_top1"] == 0


@pytest.mark.parametrize("recipe", ["svm_top50", "svm_writers301"])
def test_recipes(recipe):
    """The program accepts the recipe's flags, and reports what is missing."""
    done = run_module(
        "studies.baseline", f"--recipe={recipe}", "--manual_dir=/nowhere", "--data_dir=/nowhere"
    )
    assert (
        done.returncode == 1 and "/nowhere" in done.stderr and "Unknown command line flag" not in done.stderr
    )


def test_a_form_is_its_lines_counts_added_up(hands):
    split = split_of(hands, lines_per_form=2, forms_per_writer=1, seed=1)
    forms = split.pooled()
    assert forms.forms.tolist() == ["0-0", "1-0", "2-0"]
    assert forms.labels.tolist() == [0, 1, 2]
    assert np.array_equal(forms.counts, split.counts[0::2] + split.counts[1::2])


@pytest.mark.slow
def test_the_program_leaves_its_result(tmp_path):
    from iam_writer.iam_writer_dataset_builder import prepare, synthetic_config

    scans = tmp_path / "scans"
    lines = prepare(synthetic_config(num_writers=3, forms_per_writer=4, lines_per_form=2), data_dir=tmp_path)
    for split in ("train", "validation", "test"):
        for example in svm.examples_of_split(lines, split, label="writer", group="form"):
            file = (
                scans
                / str(example.label)
                / f"{example.group.replace('/', '_')}-{len(list(scans.rglob('*')))}.png"
            )
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(example.image)
    flags = [
        f"--manual_dir={scans}",
        f"--data_dir={tmp_path}",
        f"--workdir={tmp_path}/run",
        "--processes=1",
    ]
    done = run_module("studies.baseline", "--dataset=iam_writer/folder", *flags)
    assert done.returncode == 0, done.stderr
    assert "test lines" in done.stdout and "patches" not in done.stdout
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert result["test.line_top1"] > 0.5
    assert result["config"]["model"] == "svm" and result["config"]["dataset"] == "iam_writer/folder"
    by_penalty = result["train.validation_line_top1_by_C"]
    assert by_penalty[f"{result['train.C']:g}"] == max(by_penalty.values()) == result["validation.line_top1"]
    assert result["minutes"] >= result["train.minutes"] > 0
    assert result["machine.cores"] >= 1 and result["versions.scikit-learn"]
