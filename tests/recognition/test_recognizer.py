"""recognizer.py: the answers of a small trained network."""

import dataclasses
import io

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from iam_writer.common import datasets
from iam_writer.common.errors import MissingDataError
from iam_writer.handwriting import pages
from iam_writer.handwriting.pages import Page, TextLine
from iam_writer.recognition import calibrate, recognizer, scanning
from iam_writer.recognition.seen import Lines, accuracies
from pipelines.strips import examples_of_split


@pytest.fixture(scope="module")
def test_strips(network, trained):
    return datasets.strips(network.run, "test", trained[1])


@pytest.fixture(scope="module")
def page(trained):
    """The test lines before they were made into strips, as if they had been found on a page."""
    builder = tfds.builder_from_directory(datasets.prepared("iam_writer/synthetic", trained[1])[0])
    images = [
        np.asarray(Image.open(io.BytesIO(example.image)))
        for example in examples_of_split(builder, "test", label="writer", group="form")
    ]
    return Page(np.zeros((9, 9), np.uint8), 0.0, [TextLine(image, (0, 0, 9, 9)) for image in images], [])


def some(page, lines):
    return dataclasses.replace(page, lines=[page.lines[i] for i in lines])


def test_a_page_of_lines_is_seen_as_the_same_lines_in_the_dataset(network, test_strips, page):
    lines = np.array([0, 1, 2])
    scan = network.scan(some(page, lines))
    seen = network.see(Lines(test_strips, list), "test")
    pooled, amounts = seen.pooled([lines])
    np.testing.assert_allclose(network.pooled(scan), pooled[0], atol=1e-4)
    np.testing.assert_allclose(network.embedding(scan), seen.embedded([lines])[0], rtol=1e-3, atol=1e-4)
    assert scan.amount == pytest.approx(amounts[0])
    answer = network.answer(scan)
    likeness = network.calibration.likeness(seen.embedded([lines]), pooled.argmax(axis=1))
    assert answer.likeness == pytest.approx(likeness[0], abs=1e-3)
    assert answer.probabilities.sum() == pytest.approx(1)


def test_gray_lines_are_laid_black_on_white(network):
    gray = np.repeat(np.array([230, 100, 230, 230], np.uint8), 30)[None].repeat(network.height, axis=0)
    page = Page(gray, 0.0, [TextLine(gray, (0, 0, 120, network.height))], [])
    assert set(network.lay(page)[0].ravel().tolist()) == {0, 255}


def test_windows_without_ink_do_not_vote(network, page):
    page = some(page, [0])
    image = page.lines[0].image
    wide = np.pad(image, ((0, 0), (0, 500)), constant_values=255)
    page.lines[0] = TextLine(wide, (0, 0, 9, 9))
    scan = network.scan(page)
    assert not scan.votes[scan.column >= image.shape[1]].any()
    assert scan.votes.any()
    white = network.scan_laid([np.full((100, network.height), 255, np.uint8)])
    assert white.votes.all()  # A page without ink must get an answer too.


@pytest.mark.parametrize(
    ("as_it_is", "turned", "lines_say", "found"),
    [
        (0.6, 0.8, False, False),  # A known hand on upright lines: it does not look again.
        (0.8, 0.6, True, False),  # The network knows better than the shape of lines,
        (0.6, 0.8, True, True),
        (0.2, 0.8, False, True),
        (0.2, 0.4, False, None),  # but not of a hand that it does not know.
        (0.4, 0.2, True, None),
    ],
)
def test_a_page_more_like_a_known_hand_when_turned_is_upside_down(
    network, page, monkeypatch, as_it_is, turned, lines_say, found
):
    page = dataclasses.replace(some(page, [0, 1]), warnings=["odd", *[pages.UPSIDE_DOWN] * lines_say])
    laid = network.lay(page)
    looked_at = []
    monkeypatch.setattr(network, "scan_laid", lambda lines: looked_at.append(lines) or "turned")
    likeness = {"as it is": as_it_is, "turned": turned}
    monkeypatch.setattr(
        network, "answer", lambda scan: recognizer.Answer(np.ones(5) / 5, likeness[scan], threshold=0.5)
    )
    assert network.is_upside_down(page, "as it is") is found
    assert len(looked_at) == (as_it_is < 0.5 or lines_say)
    for lines in looked_at:
        for before, after in zip(laid, lines, strict=True):
            np.testing.assert_array_equal(after, np.rot90(before, 2))
    warned = lines_say if found is None else found
    assert network.warnings(page, "as it is") == ["odd", *[pages.UPSIDE_DOWN] * warned]


def test_accuracies_are_shares_of_what_the_network_says_of_each_window(network, test_strips):
    seen = network.see(Lines(test_strips, list), "test")
    (result,) = accuracies(seen, "test", test_strips, {}).values()
    columns, right = test_strips.columns().numpy(), []
    for line, label in enumerate(test_strips.labels):
        first, end = test_strips.first_column[[line, line + 1]]
        logits, _ = network.look(scanning.cut(columns[first:end], network.width, network.rule.stride))
        right.append(logits.argmax(axis=1) == label)
    every = np.concatenate(right)
    assert (result["lines"], result["patches"]) == (len(right), len(every))
    assert result["patch_top1"] == pytest.approx(every.mean(), abs=1e-2)
    assert result["patch_top1"] < result["patch_top5"]


def test_pairs_are_of_one_fold_and_each_comes_once():
    # Writers 0 and 2 make one fold, 1 and 3 the other. Lines differ by writer in one direction each.
    random = np.random.default_rng(0)

    def of(labels):
        labels = np.array(labels)
        return np.eye(4)[labels] + random.normal(0, 0.01, (len(labels), 4)), labels

    found = calibrate.fit_pairs(of([0, 1, 2, 3] * 5), of([0, 0, 1, 2, 3]), of([0, 1]))
    # Fold 0: validation 0, 0, 2 and training 0: 0-0, 0-t, 0-t are of one hand; 0-2, 0-2, 2-t of two.
    # Fold 1: validation 1, 3 and training 1: 1-t; and 1-3, 3-t.
    assert found["pairs"].tolist() == [4, 5]
    assert found["pair"][0] > 0


def test_pairs_need_both_kinds():
    lines = np.eye(4).repeat(3, axis=0), np.arange(4).repeat(3)
    nothing = np.zeros([0, 4]), np.zeros(0, int)
    assert calibrate.fit_pairs(lines, (np.eye(4), np.arange(4)), nothing) == {}
    assert calibrate.fit_pairs(lines, nothing, nothing) == {}


def test_a_dataset_that_is_not_there(network, tmp_path):
    with pytest.raises(MissingDataError, match="--data_dir"):
        datasets.strips(network.run, "train", tmp_path)
    with pytest.raises(MissingDataError, match="not in"):
        datasets.strips(network.run | {"fingerprint": ["another"]}, "train", tmp_path)
