"""iam_writer/recognition/descriptor.py: shapes in, counts out; counts add up; discriminants as scikit-learn's."""

import dataclasses

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


def test_edges_of_a_square_face_four_ways():
    ink = np.zeros((80, 80), bool)
    ink[20:60, 20:60] = True
    for counts, (_, apart) in zip(
        descriptor.edge_counts(ink, descriptor.Contours.of(ink)), descriptor.EDGES, strict=True
    ):
        pairs = counts.reshape(descriptor.DIRECTIONS, descriptor.DIRECTIONS)
        assert pairs.sum() == 4 * 39  # One for each pixel of the outline.
        # To the right, up, to the left, down; most pixels have both points on one side of the square.
        assert all(pairs[k, k] > 39 - 2 * apart - 8 for k in (0, 6, 12, 18))
        quarter = descriptor.DIRECTIONS // 4
        np.testing.assert_array_equal(pairs, np.roll(pairs, (quarter, quarter), axis=(0, 1)))


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


def of_four_hands():
    """240 lines of four hands in six dimensions, and whose they are."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 60)
    return random.normal(size=(4, 6))[labels] + random.normal(size=(240, 6)), labels


MANY = np.full(4, 10**9)
"""Forms of each writer. With so many, nobody is drawn to the middle distance."""


@pytest.mark.parametrize("shrinkage", [0.05, 0.5])
def test_with_many_forms_discriminants_are_those_of_scikit_learn(shrinkage):
    data, labels = of_four_hands()
    # In principal components, whose spread the shrinkage is towards.
    mean, directions, _ = descriptor.principal_components(data, 6)
    inside = (data - mean) @ directions
    found = discriminants.Discriminants.fit(inside, labels, MANY, shrinkage)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage, priors=np.ones(4) / 4)
    expected = theirs.fit(inside, labels).predict(inside)
    assert (found.scores(inside).argmax(axis=1) == expected).mean() > 0.98
    np.testing.assert_allclose(found.after(mean, directions).scores(data), found.scores(inside), atol=1e-5)


def test_writers_with_few_forms_are_drawn_to_the_same_distance():
    data, labels = of_four_hands()
    many = np.linalg.norm(discriminants.Discriminants.fit(data, labels, MANY, 0.1).means, axis=1)
    few, fewer = (
        np.linalg.norm(discriminants.Discriminants.fit(data, labels, np.full(4, forms), 0.1).means, axis=1)
        for forms in (discriminants.FORMS_TO_TRUST, 1)
    )
    assert np.ptp(many) > np.ptp(few) > np.ptp(fewer) > 0
    np.testing.assert_allclose(few, np.sqrt(many * many.mean()), rtol=1e-4)


def test_a_line_twice_as_far_away_is_not_surer():
    data, labels = of_four_hands()
    found = discriminants.Discriminants.fit(data, labels, MANY, 0.1)
    far = found.mean + 1000 * (data - found.mean)
    np.testing.assert_allclose(np.linalg.norm(found.project(far), axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(
        found.scores(found.mean + 2 * (far - found.mean)), found.scores(far), atol=0.01
    )


def test_the_fit_of_a_line_is_its_distance_from_the_nearest_writer():
    data, labels = of_four_hands()
    found = discriminants.Discriminants.fit(data, labels, MANY, 0.1)
    middles = np.stack([data[labels == writer].mean(axis=0) for writer in range(4)])
    np.testing.assert_allclose(found.fits(middles), 0, atol=1e-3)
    distances = np.linalg.norm((data[:, None] - middles) @ found.projection, axis=2)
    np.testing.assert_allclose(found.fits(data), -0.5 * distances.min(axis=1) ** 2, rtol=1e-3, atol=1e-3)


def test_a_line_of_weight_two_counts_as_two_lines():
    data, labels = of_four_hands()
    twice = np.arange(len(data)) % 3 == 0
    weighted = discriminants.Discriminants.fit(data, labels, MANY, 0.1, np.where(twice, 2, 1))
    repeated = discriminants.Discriminants.fit(
        np.concatenate([data, data[twice]]), np.concatenate([labels, labels[twice]]), MANY, 0.1
    )
    np.testing.assert_allclose(weighted.scores(data), repeated.scores(data), atol=1e-4)


def test_a_writer_without_lines_is_never_named():
    data, labels = of_four_hands()
    found = discriminants.Discriminants.fit(data, labels + (labels > 1), np.array([3, 3, 0, 3, 3]), 0.1)
    assert (
        np.isneginf(found.scores(data)[:, 2]).all() and np.isfinite(found.scores(data)[:, [0, 1, 3, 4]]).all()
    )


def test_a_calibrated_temperature_makes_the_true_writers_likely():
    data, labels = of_four_hands()
    found = discriminants.Discriminants.fit(data[::2], labels[::2], MANY, 0.1)
    calibrated = found.calibrated(data[1::2], labels[1::2])

    def loss(some):
        return -some.log_probabilities(data[1::2])[np.arange(120), labels[1::2]].mean()

    for other in (0.7, 1.4):
        changed = dataclasses.replace(calibrated, temperature=calibrated.temperature * other)
        assert loss(calibrated) < loss(changed)
    np.testing.assert_allclose(np.exp(calibrated.log_probabilities(data)).sum(axis=1), 1)


def test_resampling_to_300_dpi():
    gray = np.full((40, 60), 255, np.uint8)
    assert descriptor.at_dpi(gray, 150).shape == (80, 120)
    assert descriptor.at_dpi(gray, 300) is gray
