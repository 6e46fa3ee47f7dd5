"""iam_writer/recognition/reference.py and studies/reference_learning.py: the reference in the wheel, and how it is learnt."""

import dataclasses

import numpy as np
import pytest

from iam_writer.common import errors
from iam_writer.recognition import descriptor, reference
from iam_writer.recognition.descriptor import Whitening
from iam_writer.studies import reference_learning as study


@pytest.fixture(scope="module")
def samples():
    """Two samples by each of thirty invented writers, and the writer of each sample. The reference was learnt without them."""
    counts, writers = study.of_lines(study.Invented(30, 2, 77, 1.0))
    return reference.halves(counts), writers


@pytest.mark.slow  # Draws 360 lines.
@pytest.mark.parametrize("way", ["alone", "among"])
def test_hands_that_nobody_has_seen(samples, way):
    counts, writers = samples
    found = reference.read()
    comparer = found.alone() if way == "alone" else found.among(counts)
    odds = comparer.log_odds(counts, counts)
    first, second = np.triu_indices(len(counts), 1)
    same = writers[first] == writers[second]
    said = odds[first, second] > 0
    assert said[same].mean() > 0.75 and said[~same].mean() < 0.1
    cosines = comparer.cosines(counts, counts)
    np.fill_diagonal(cosines, -1)
    assert (writers[cosines.argmax(axis=1)] == writers).mean() > 0.9


def test_odds_are_bounded_and_the_same_from_either_side():
    found = reference.read()
    counts = np.random.default_rng(0).integers(0, 9, (3, 2, descriptor.SIZE))
    odds = found.alone().log_odds(counts, counts)
    np.testing.assert_allclose(odds, odds.T)
    assert np.abs(odds).max() <= np.log(found.writers)


def test_less_writing_more_errors():
    comparer = reference.read().alone()
    assert comparer.errors_at(1) > comparer.errors_at(5) > comparer.errors_at(50)


def test_a_file_gives_back_what_was_written(tmp_path):
    random = np.random.default_rng(0)
    projection = random.normal(size=(reference.FEATURES, 5)).astype(np.float32)
    whitening = reference.rounded(Whitening(random.random(reference.FEATURES).astype(np.float32), projection))
    made = reference.Reference(
        whitening,
        odds=random.random(reference.INPUTS),
        odds_among=random.random(reference.INPUTS_AMONG),
        odds_within=random.random(reference.INPUTS),
        amounts=np.array([1.0, 2]),
        errors=random.random((2, 2, 2)),
        spread=random.random((2, 2, 2, 101)).astype(np.float32).astype(np.float64),
        beyond=random.random(2),
        writers=20,
        fingerprint="",
    )
    path = tmp_path / "r.npz"
    path.write_bytes(made.to_bytes())
    assert made.to_bytes() == path.read_bytes()
    found = reference.read(path)
    np.testing.assert_array_equal(found.whitening.projection, whitening.projection)
    for name in ("odds", "odds_among", "odds_within", "amounts", "errors", "spread", "beyond"):
        np.testing.assert_array_equal(getattr(found, name), getattr(made, name))
    path.write_bytes(dataclasses.replace(made, odds=made.odds[:3]).to_bytes())
    with pytest.raises(errors.MissingDataError, match="another version"):
        reference.read(path)
    path.write_bytes(b"")
    with pytest.raises(errors.MissingDataError, match=r"r\.npz cannot be read"):
        reference.read(path)
    with pytest.raises(errors.MissingDataError, match="cannot be read"):
        reference.read(tmp_path / "nix.npz")
