"""checkpoints.py: what else is in the file besides weights."""

import zipfile

import numpy as np
import pytest

from iam_writer import checkpoints


def test_the_calibration_is_replaced_and_all_else_stays(trained, tmp_path):
    source = trained[0] / "best.keras"
    path = tmp_path / "copy.keras"
    path.write_bytes(source.read_bytes())
    changed = checkpoints.read_calibration(path)
    changed.temperature[:] = 7
    checkpoints.add_calibration(path, changed)
    assert checkpoints.read_calibration(path).temperature.tolist() == [7, 7]
    assert checkpoints.fingerprint(path) == checkpoints.fingerprint(source)
    with zipfile.ZipFile(path) as after, zipfile.ZipFile(source) as before:
        assert sorted(after.namelist()) == sorted(before.namelist())
        for name in set(before.namelist()) - {checkpoints.CALIBRATION_MEMBER}:
            assert after.read(name) == before.read(name)
    assert [p.name for p in tmp_path.iterdir()] == ["copy.keras"]


def test_keras_opens_a_calibrated_checkpoint(trained):
    import keras

    import iam_writer.models  # noqa: F401

    model = keras.saving.load_model(trained[0] / "best.keras")
    assert model.output_shape == (None, 5)


def test_the_last_checkpoint_is_not_calibrated(trained):
    assert checkpoints.read_calibration(trained[0] / "last.keras") is None


def test_what_is_no_checkpoint(tmp_path):
    (tmp_path / "x.keras").write_bytes(b"PK")
    with pytest.raises(ValueError, match="is not a checkpoint"):
        checkpoints.read_state(tmp_path / "x.keras")


def test_training_calibrates(trained):
    found = checkpoints.read_calibration(trained[0] / "best.keras")
    assert (found.forms, found.lines) == (5, 10)  # Of each writer's four forms one is for validation.
    assert found.projection.shape == (256, 4)
    assert (found.pairs > 0).all()
    assert np.isfinite(np.concatenate([np.ravel(value) for value in vars(found).values()])).all()
