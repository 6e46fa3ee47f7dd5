"""Checkpoints: a Keras file with one more member, which says what run it is and how far it has come.

One file, written beside and renamed, holds the weights, the optimizer's and the random generators' state and the
step, so that they can never disagree. `keras.saving.load_model` opens it like any other, once `models` is imported, which
registers our layers. At the end of a run the best one also gets its calibration. What reads no weights does not load TensorFlow.
"""

import json
import os
import pathlib
import zipfile
from typing import TYPE_CHECKING

from iam_writer.calibration import Calibration

if TYPE_CHECKING:
    import keras

STATE_MEMBER = "iam_writer.json"
CALIBRATION_MEMBER = "iam_writer_calibration.npz"
WEIGHTS_MEMBER = "model.weights.h5"  # As Keras names it.


def save(model: "keras.Model", path: pathlib.Path, state: dict) -> None:
    """Writes the model with its optimizer, and `state`, which must be JSON.

    Raises:
      OSError: it cannot be written; what was at `path` is untouched.
    """
    # One name for all attempts, so that a killed run leaves at most one such file, and the next overwrites it.
    beside = path.with_name(f".{path.stem}.incomplete.keras")
    try:
        model.save(beside)
        with zipfile.ZipFile(beside, "a") as archive:
            random = [v.numpy().tolist() for v in _random_state(model)]
            archive.writestr(STATE_MEMBER, json.dumps(state | {"random": random}))
        with open(beside, "rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def read_state(path: pathlib.Path) -> dict:
    """The `state` that was saved with a checkpoint.

    Raises:
      OSError: there is no such file.
      ValueError: it is not a checkpoint of ours.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read(STATE_MEMBER))
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(f"{path} is not a checkpoint of iam_writer: {error}") from error


def add_calibration(path: pathlib.Path, calibration: Calibration) -> None:
    """Puts a calibration into a checkpoint, in place of one that is there.

    Raises:
      OSError: it cannot be written; what was at `path` is untouched.
    """
    beside = path.with_name(f".{path.stem}.incomplete.keras")
    try:
        with zipfile.ZipFile(path) as before, zipfile.ZipFile(beside, "w") as after:
            for member in before.infolist():
                if member.filename != CALIBRATION_MEMBER:
                    after.writestr(member, before.read(member))
            after.writestr(CALIBRATION_MEMBER, calibration.to_bytes())
        with open(beside, "rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def read_calibration(path: pathlib.Path) -> Calibration | None:
    """The calibration in a checkpoint, None if its run has not come to its end.

    Raises:
      OSError: there is no such file.
      ValueError: it is another version's.
    """
    with zipfile.ZipFile(path) as archive:
        if CALIBRATION_MEMBER not in archive.namelist():
            return None
        return Calibration.from_bytes(archive.read(CALIBRATION_MEMBER))


def fingerprint(path: pathlib.Path) -> str:
    """Tells the weights of one checkpoint from those of another; eight hexadecimal digits."""
    with zipfile.ZipFile(path) as archive:
        return f"{archive.getinfo(WEIGHTS_MEMBER).CRC:08x}"


def restore(model: "keras.Model", path: pathlib.Path) -> None:
    """Gives a compiled model of the same architecture all that a checkpoint holds of weights and states."""
    model.load_weights(path)
    for variable, value in zip(_random_state(model), read_state(path)["random"], strict=True):
        variable.assign(value)


def _random_state(model: "keras.Model") -> "list[keras.Variable]":
    """The states of dropout's random generators, which Keras (3.15) leaves out of its files."""
    return [v for v in model.variables if v.path.endswith("seed_generator_state")]
