"""rule.py: the rule itself, and the answers of five programs and formats about one line."""

import importlib.util
import io
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from conftest import run_module
from PIL import Image

from iam_writer.common import datasets
from iam_writer.exporting import exporter as exporting
from iam_writer.exporting import formats
from iam_writer.handwriting.pages import Page, TextLine
from iam_writer.recognition import checkpoints, recognizer, scanning, scoring, seen
from iam_writer.recognition.checkpoints import Finish
from iam_writer.recognition.rule import LEGACY_STRIDE, Rule
from iam_writer.recognition.seen import Lines
from pipelines.strips import lay

INK, PAPER = np.zeros((1, 4, 5), np.uint8), np.full((1, 4, 5), 200, np.uint8)


def test_a_run_that_names_no_stride_looks_four_times_at_each_part():
    assert Rule.chosen(113, None, "probabilities") == Rule(28, "probabilities")
    assert Rule.chosen(113, 16, "log_probabilities") == Rule(16, "log_probabilities")
    assert Rule(28).changed(None, None) == Rule(28)
    assert Rule(28).changed(8, "log_probabilities") == Rule(8, "log_probabilities")


def test_a_window_votes_from_the_least_ink_on():
    one_dark_pixel = PAPER.copy()
    one_dark_pixel[0, 0, 0] = 99
    windows = np.concatenate([INK, PAPER, one_dark_pixel])
    assert Rule(1, dark=100, least_ink=0.05).has_ink(windows).tolist() == [True, False, True]
    assert Rule(1, dark=99, least_ink=0.05).has_ink(windows).tolist() == [True, False, False]
    assert Rule(1, dark=100, least_ink=0.06).has_ink(windows).tolist() == [True, False, False]


def test_a_rule_is_read_as_it_was_written():
    rule = Rule(16, "log_probabilities", 100, 0.02, (1, 0.88))
    assert Rule.from_json(rule.to_json()) == rule
    with pytest.raises(ValueError, match="nother version"):
        Rule.from_json(json.dumps({"stride": 8, "votes": "all"}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"stride": 0},
        {"stride": 8, "combine": "votes"},
        {"stride": 8, "sizes": ()},
        {"stride": 8, "sizes": (1, 3)},
    ],
)
def test_what_is_no_rule(wrong):
    with pytest.raises(ValueError, match="must be"):
        Rule(**wrong)


def test_a_checkpoint_without_a_rule_has_that_of_its_result_json(trained, tmp_path):
    """A checkpoint as version 0.1 wrote it. The last checkpoint of the trained network has no rule either."""
    path = tmp_path / "last.keras"
    shutil.copy(trained[0] / "last.keras", path)
    assert checkpoints.read_rule(path) == Rule(LEGACY_STRIDE, "probabilities")
    (tmp_path / "result.json").write_text(json.dumps({"config": {"window_stride": 16}}))
    assert checkpoints.read_rule(path) == Rule(16, "probabilities")


def test_a_rule_in_words():
    assert Rule(1).in_words() == "a window every column, probabilities averaged"
    rule = Rule(16, "log_probabilities", sizes=(1, 0.88))
    assert rule.in_words() == "a window every 16 columns at the sizes 1, 0.88, log probabilities averaged"


RULES = pytest.mark.parametrize(
    "rule", [Rule(7), Rule(7, "log_probabilities"), Rule(7, "log_probabilities", sizes=(1, 0.8, 1.25))]
)


@pytest.fixture
def checkpoint(trained, tmp_path, rule):
    """A copy of the trained network with another rule."""
    path = tmp_path / "best.keras"
    shutil.copy(trained[0] / "best.keras", path)
    checkpoints.add_finish(path, Finish(checkpoints.read_calibration(path), rule))
    return path


@RULES
def test_one_line_five_ways(trained, checkpoint, rule, tmp_path):
    """The scan of a run, evaluate, identify, the SavedModel and ONNX give one answer, before calibration."""
    network = recognizer.load(checkpoint, checkpoints.read_calibration(checkpoint))
    strips = datasets.strips(network.run, "test", trained[1])
    by_the_run = scanning.see(
        scanning.seeing(checkpoints.load(checkpoint), rule.sizes), strips, rule, "test"
    ).scan.probabilities[0]
    found = {"evaluate": network.see(Lines(strips, list), "test").pooled([np.array([0])])[0][0]}

    example = next(datasets.line_examples(datasets.builders(network.run, trained[1]), "test"))
    gray = np.asarray(Image.open(io.BytesIO(example.image)).convert("L"))
    page = Page(gray, 0.0, [TextLine(gray, (0, 0, *gray.shape[::-1]))], [])
    found["identify"] = network.pooled(network.scan(page))

    exporter = exporting.Exporter(checkpoint, str(trained[1]))
    exporter.write("saved_model", tmp_path / "out")
    loaded = tf.saved_model.load(str(tmp_path / "out/saved_model"))
    found["saved_model"] = loaded.signatures["line"](line=tf.constant(gray))["probabilities"].numpy()

    if all(map(importlib.util.find_spec, formats.PACKAGES["onnx"])):
        import onnxruntime

        exporter.write("onnx", tmp_path / "out")
        session = onnxruntime.InferenceSession(tmp_path / "out/onnx" / formats.FILES["onnx"])
        columns = lay(example.image, network.height, network.width, black_on_white=True)
        windows = np.ascontiguousarray(scanning.cut(columns, network.width, 7))
        windows = windows[rule.has_ink(windows)]
        says = session.run(["probabilities"], {"patches": windows})[0]
        found["onnx"] = rule.answers(rule.votes(says).mean(axis=0)[None])[0]

    for name, probabilities in found.items():
        np.testing.assert_allclose(probabilities, by_the_run, atol=1e-4, err_msg=name)
    other = scoring.Scan(
        **vars(network.see(Lines(strips, list), "test", Rule(7, "probabilities")).scan)
    ).probabilities[0]
    # The two ways to combine give different answers here.
    assert np.abs(other - by_the_run).max() > 1e-3 or rule.combine == "probabilities"


def test_evaluate_gives_the_figures_of_result_json(trained, evaluated):
    result = json.loads((trained[0] / "result.json").read_text())
    kept = checkpoints.read_rule(trained[0] / "best.keras")
    assert Rule(**result["rule"]) == kept == Rule(10, "probabilities")
    of_test = {
        name.removeprefix("test."): value for name, value in result.items() if name.startswith("test.")
    }
    assert scoring.table({"test": of_test}) in evaluated[0].stdout
    network = recognizer.load(
        trained[0] / "best.keras", checkpoints.read_calibration(trained[0] / "best.keras")
    )
    strips = datasets.strips(network.run, "test", trained[1])
    found = seen.accuracies(network.see(Lines(strips, list), "test"), "test", strips, {})["test"]
    for level in ("line_top1", "line_top5", "form_top1", "form_top5"):
        assert found[level] == of_test[level]


def test_evaluate_says_that_another_rule_was_asked_for(trained, tmp_path):
    done = run_module(
        "evaluate",
        f"--checkpoint={trained[0] / 'best.keras'}",
        f"--data_dir={trained[1]}",
        f"--output={tmp_path}",
        "--window_stride=1000",
        "--combine=log_probabilities",
    )
    assert done.returncode == 0, done.stderr
    for text in (done.stdout, (tmp_path / "report.html").read_text()):
        assert "Answer rule: a window every 1000 columns, log probabilities averaged." in text
        assert "not the rule that the checkpoint keeps, which is: a window every 10 columns" in text
