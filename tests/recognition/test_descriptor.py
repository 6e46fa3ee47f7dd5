"""iam_writer/recognition/descriptor.py: shapes in, counts out; counts add up; discriminants as scikit-learn's."""

import numpy as np
import pytest
from handwriting_pages import written_line
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from iam_writer.recognition import descriptor, discriminants


def test_a_square_has_hinges_of_right_angles_and_none_of_its_runs():
    gray = np.full((60, 60), 255, np.uint8)
    gray[20:40, 20:40] = 0
    counts = descriptor.counts(gray)
    assert counts.shape == (descriptor.SIZE,)
    hinges = descriptor.histogram(counts, "contour hinge, legs of 3")
    assert hinges.sum() == 4 * 19  # One on each pixel of the outline.
    straight = (20 - 2 * 3) * 2  # Pixels whose two legs lie on one side of the square, of two opposite sides.
    assert sorted(hinges[hinges >= straight]) == [straight, straight]
    assert descriptor.histogram(counts, "runs of paper in rows").sum() == 0


def test_runs_of_paper_between_two_strokes():
    gray = np.full((40, 60), 255, np.uint8)
    gray[10:30, 20:24] = gray[10:30, 31:35] = 0
    runs = descriptor.histogram(descriptor.counts(gray), "runs of paper in rows")
    assert runs[7 - 1] == 20 and runs.sum() == 20


def test_a_dot_is_seen_from_each_of_eight_places():
    ink = np.zeros((41, 41), bool)
    ink[20, 20] = True
    around_ink, around_paper = descriptor.pattern_counts(ink)
    for patterns in around_ink:
        assert patterns[0] == patterns.sum() == 1  # The dot itself sees only paper.
    for patterns in around_paper:
        assert patterns[1:].sum() == 8 and all(patterns[1 << bit] == 1 for bit in range(8))


def test_nothing_is_counted_on_paper():
    assert not descriptor.counts(np.full((50, 90), 255, np.uint8)).any()


def test_counts_of_a_page_are_those_of_its_lines():
    lines = [written_line(seed=seed) for seed in (0, 1)]
    page = np.concatenate([lines[0], np.full((80, lines[0].shape[1]), 255, np.uint8), lines[1]])
    page = np.where(page < 128, 0, 255).astype(np.uint8)
    lines = [np.where(line < 128, 0, 255).astype(np.uint8) for line in lines]
    apart, together = sum(descriptor.counts(line) for line in lines), descriptor.counts(page)
    # Circles stand on the pixels of an image only, so patterns of a line that is cut to its ink lack a margin.
    for name in ("contour hinge, legs of 5", "runs of paper in rows"):
        np.testing.assert_array_equal(*(descriptor.histogram(counts, name) for counts in (apart, together)))


def test_features_have_unit_length():
    counts = np.stack([descriptor.counts(written_line(seed=seed)) for seed in (0, 1)])
    np.testing.assert_allclose(np.linalg.norm(descriptor.features(counts), axis=1), 1, rtol=1e-5)
    assert not descriptor.features(np.zeros((1, descriptor.SIZE), np.int64)).any()


def test_whitened_data_have_a_spread_of_one():
    random = np.random.default_rng(0)
    data = random.normal(size=(500, 8)) * np.arange(1, 9) + 3
    whitening = descriptor.Whitening.fit(data, 5)
    np.testing.assert_allclose(np.cov(whitening.project(data).T), np.eye(5), atol=1e-3)
    within = descriptor.Whitening.fit_within(data, np.arange(500) // 5, 5)
    inside = within.project(data).reshape(100, 5, 5)
    inside = (inside - inside.mean(axis=1, keepdims=True)).reshape(500, 5)
    np.testing.assert_allclose(inside.T @ inside / 400, np.eye(5), atol=1e-3)


def test_a_whitening_learns_how_pages_of_one_writer_differ_in_another_collection():
    random = np.random.default_rng(0)
    writers = np.arange(200) // 2
    hands, pages = random.normal(size=(100, 4))[writers], random.normal(size=(200, 4)) * [3, 0.1, 0.1, 0.1]
    plain = descriptor.Whitening(np.zeros(4, np.float32), np.eye(4, dtype=np.float32))
    adapted = plain.adapted(hands + pages, writers, 0.0)
    # What differs most between pages of one writer counts least.
    assert np.linalg.norm(adapted.projection[0]) < 0.5 * np.linalg.norm(adapted.projection, axis=1)[1:].min()
    same = plain.adapted(hands + pages, writers, 1.0)
    np.testing.assert_allclose(same.apply(hands), plain.apply(hands), atol=1e-5)


@pytest.mark.parametrize("shrinkage", [0.05, 0.5])
def test_discriminants_are_those_of_scikit_learn(shrinkage):
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 60)
    data = random.normal(size=(4, 6))[labels] + random.normal(size=(240, 6))
    found = discriminants.Discriminants.fit(data, labels, 4, 6, shrinkage)
    # In principal components, whose spread the shrinkage is towards.
    mean, directions, _ = descriptor.principal_components(data, 6)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage, priors=np.ones(4) / 4)
    theirs.fit((data - mean) @ directions, labels)
    expected = theirs.predict((data - mean) @ directions)
    assert (found.scores(data).argmax(axis=1) == expected).mean() > 0.98


def test_a_calibrated_temperature_is_of_the_data():
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 400)
    data = random.normal(size=(3, 5))[labels] + random.normal(size=(1200, 5))
    found = discriminants.Discriminants.fit(data[::2], labels[::2], 3, 5, 0.0).calibrated(
        data[1::2], labels[1::2]
    )
    assert 0.7 < found.temperature < 1.5  # The model is that of the data, so its odds need no correction.
    np.testing.assert_allclose(np.exp(found.log_probabilities(data)).sum(axis=1), 1)


def test_resampling_to_300_dpi():
    gray = np.full((40, 60), 255, np.uint8)
    assert descriptor.at_dpi(gray, 150).shape == (80, 120)
    assert descriptor.at_dpi(gray, 300) is gray
