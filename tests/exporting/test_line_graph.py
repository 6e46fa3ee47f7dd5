"""line_graph.py: the graph gives the same as numpy and Pillow."""

import numpy as np
import pytest
import tensorflow as tf
from conftest import png, scribble
from stroke_lines import line

from iam_writer.exporting import line_graph
from iam_writer.recognition import scanning, scoring
from iam_writer.recognition.rule import Rule
from iam_writer.studies.corruptions import CORRUPTIONS, corrupted
from pipelines import strips
from pipelines.two_tones import two_tones

HEIGHT, WIDTH, STRIDE = 32, 40, 10


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_two_tones_of_what_scanners_do(name):
    gray = corrupted(line(), name, "x")
    np.testing.assert_array_equal(line_graph.two_tones(tf.constant(gray)), two_tones(gray))


@pytest.mark.parametrize(
    "gray",
    [
        *(np.full((5, 7), value, np.uint8) for value in (0, 130, 254, 255)),
        np.random.default_rng(0).integers(215, 230, (60, 300)).astype(np.uint8),  # Paper, and dirt on it.
        np.random.default_rng(1).integers(0, 256, (60, 300)).astype(np.uint8),
        np.pad(np.full((5, 5), 90, np.uint8), 10, constant_values=200),
    ],
)
def test_two_tones_of_other_images(gray):
    np.testing.assert_array_equal(line_graph.two_tones(tf.constant(gray)), two_tones(gray))


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        (113, 901),  # Shrunk,
        (600, 1203),
        (20, 61),  # enlarged,
        (32, 100),  # or neither.
        (3, 50),  # Not enlarged to the full height, but padded,
        (2, 3),  # in both directions.
        (41, 12),  # Too narrow.
        (33, 1),
    ],
)
def test_a_line_is_laid_to_the_same_bytes(rows, columns):
    gray = scribble(f"{rows} {columns}", rows, columns)
    laid = line_graph.lay(tf.constant(gray), HEIGHT, WIDTH)
    np.testing.assert_array_equal(laid, strips.lay(png(gray), HEIGHT, WIDTH, black_on_white=True))


@pytest.mark.parametrize("combine", ["probabilities", "log_probabilities"])
@pytest.mark.parametrize("written", [slice(0, 100), slice(0, 0)], ids=["half_blank", "blank"])
def test_windows_that_have_ink_vote(combine, written):
    gray = np.full((HEIGHT, 300), 255, np.uint8)
    gray[:, written] = scribble("x", HEIGHT, 300)[:, written]

    def logits(windows):  # Of a network that looks at three pixels.
        return np.asarray(windows)[:, :3, 5].astype(np.float32) / 8

    windows = scanning.cut(strips.lay(png(gray), HEIGHT, WIDTH, black_on_white=True), WIDTH, STRIDE)
    rule = Rule(STRIDE, combine)
    scan = scoring.scan(logits, [windows], np.zeros(len(windows), int), np.zeros(1, int), 3, rule)
    assert scan.votes[0] == (len(windows) if written.stop == 0 else 10)
    found = line_graph.probabilities_of_line(
        lambda windows: tf.nn.softmax(tf.constant(logits(windows))),
        tf.constant(gray),
        height=HEIGHT,
        width=WIDTH,
        rule=rule,
    )
    np.testing.assert_allclose(found, scan.probabilities[0], atol=1e-6)
