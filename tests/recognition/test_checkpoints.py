"""checkpoints.py: what a checkpoint holds besides weights."""

import dataclasses
import json
import zipfile

import numpy as np
import pytest

from iam_writer.common.errors import CheckpointError
from iam_writer.recognition import checkpoints, recognizer
from iam_writer.recognition.rule import Rule


def test_the_calibration_is_replaced_and_all_else_stays(trained, tmp_path):
    source = trained[0] / "best.keras"
    path = tmp_path / "copy.keras"
    path.write_bytes(source.read_bytes())
    changed = checkpoints.read_calibration(path)
    changed.temperature[:] = 7
    checkpoints.add_finish(path, checkpoints.Finish(changed, Rule(7, "log_probabilities")))
    assert checkpoints.read_calibration(path).temperature.tolist() == [7, 7]
    assert checkpoints.read_rule(path) == Rule(7, "log_probabilities")
    assert checkpoints.fingerprint(path) == checkpoints.fingerprint(source)
    with zipfile.ZipFile(path) as after, zipfile.ZipFile(source) as before:
        assert sorted(after.namelist()) == sorted(before.namelist())
        for name in set(before.namelist()) - {checkpoints.RULE_MEMBER, checkpoints.CALIBRATION_MEMBER}:
            assert after.read(name) == before.read(name)
    assert [p.name for p in tmp_path.iterdir()] == ["copy.keras"]


def with_state(source, path, state):
    """A copy of a checkpoint that says something else of its run."""
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(path, "w") as after:
        for name in before.namelist():
            is_state = name == checkpoints.STATE_MEMBER
            after.writestr(name, json.dumps(state) if is_state else before.read(name))


def test_datasets_of_an_earlier_version_had_commas_between(trained, tmp_path):
    source, path = trained[0] / "best.keras", tmp_path / "best.keras"
    state = checkpoints.read_state(source)
    assert state["run"]["dataset"] == ["iam_writer/synthetic"] and len(state["run"]["fingerprint"]) == 1
    joined = {name: ",".join(state["run"][name]) for name in ("dataset", "fingerprint")}
    with_state(source, path, state | {"run": state["run"] | joined})
    assert checkpoints.read_state(path) == state
    with_state(source, path, state | {"run": {"dataset": "a,b", "fingerprint": "1,2"}})
    assert checkpoints.read_state(path)["run"] == {"dataset": ["a", "b"], "fingerprint": ["1", "2"]}


def test_keras_opens_a_calibrated_checkpoint(trained):
    import keras

    import iam_writer.models  # noqa: F401

    model = keras.saving.load_model(trained[0] / "best.keras")
    assert model.output_shape == (None, 5)


def test_the_last_checkpoint_is_not_calibrated(trained):
    assert checkpoints.read_calibration(trained[0] / "last.keras") is None


def test_what_is_no_checkpoint(tmp_path):
    (tmp_path / "x.keras").write_bytes(b"PK")
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        checkpoints.read_state(tmp_path / "x.keras")


def test_damaged_weights_are_told_in_a_sentence(trained, tmp_path):
    content = bytearray((trained[0] / "best.keras").read_bytes())
    content[len(content) // 2] ^= 255
    (tmp_path / "x.keras").write_bytes(content)
    assert checkpoints.read_state(tmp_path / "x.keras")
    with pytest.raises(
        CheckpointError, match=r"x\.keras is damaged, or it is not a checkpoint of iam_writer: .*CRC"
    ):
        checkpoints.load(tmp_path / "x.keras")


def test_what_keras_does_not_know_is_told_in_a_sentence(trained, tmp_path):
    with (
        zipfile.ZipFile(trained[0] / "best.keras") as before,
        zipfile.ZipFile(tmp_path / "x.keras", "w") as after,
    ):
        for name in before.namelist():
            after.writestr(name, before.read(name).replace(b'"Conv2D"', b'"Conv9D"'))
    with pytest.raises(CheckpointError, match="Conv9D"):
        checkpoints.load(tmp_path / "x.keras")


def test_training_calibrates(trained):
    found = checkpoints.read_calibration(trained[0] / "best.keras")
    assert (found.forms, found.lines) == (5, 10)  # One of each writer's four forms is for validation.
    assert found.projection.shape == (256, 4)
    assert (found.pairs > 0).all()
    assert found.combine == "probabilities"
    assert np.isfinite(
        np.concatenate([np.ravel(value) for name, value in vars(found).items() if name != "combine"])
    ).all()


def without(source, path, *names, **changes):
    """A copy of a checkpoint without some members, and with others changed."""
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(path, "w") as after:
        for name in set(before.namelist()) - set(names):
            after.writestr(name, changes.get(name, before.read(name)))


def test_what_the_fuzz_found_is_told_in_a_sentence(trained, tmp_path):
    source, path = trained[0] / "best.keras", tmp_path / "best.keras"
    without(source, path, checkpoints.WEIGHTS_MEMBER)
    with pytest.raises(CheckpointError, match="neither a network nor a descriptor"):
        checkpoints.fingerprint(path)
    calibration = dataclasses.replace(checkpoints.read_calibration(source), mean=np.array([b"1", b"2"]))
    without(source, path, **{checkpoints.CALIBRATION_MEMBER: calibration.to_bytes()})
    with pytest.raises(CheckpointError, match="mean is damaged"):
        checkpoints.read_calibration(path)
    state = checkpoints.read_state(source)
    del state["run"]["writers"]
    with_state(source, path, state)
    with pytest.raises(CheckpointError, match=r"damaged.*'writers'"):
        recognizer.load(path, checkpoints.read_calibration(path))
