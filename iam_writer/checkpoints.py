"""Checkpoints: a Keras file with one more member, which says what run it is and how far it has come.

One file, written beside and renamed, holds the weights, the optimizer's and the random generators' state and the
step, so that they can never disagree. `keras.saving.load_model` opens it like any other.
"""

import json
import os
import pathlib
import zipfile

import keras

STATE_MEMBER = "iam_writer.json"


def save(model: keras.Model, path: pathlib.Path, state: dict) -> None:
    """Writes the model with its optimizer, and `state`, which must be JSON.

    Raises:
      OSError: it cannot be written; what was at `path` is untouched.
    """
    # One name for all attempts, so that a killed run leaves at most one such file, and the next overwrites it.
    beside = path.with_name(f".{path.stem}.incomplete.keras")
    try:
        model.save(beside)
        with zipfile.ZipFile(beside, "a") as archive:
            random = [keras.ops.convert_to_numpy(v).tolist() for v in _random_state(model)]
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


def restore(model: keras.Model, path: pathlib.Path) -> None:
    """Gives a compiled model of the same architecture all that a checkpoint holds of weights and states."""
    model.load_weights(path)
    for variable, value in zip(_random_state(model), read_state(path)["random"], strict=True):
        variable.assign(value)


def _random_state(model: keras.Model) -> list[keras.Variable]:
    """The states of dropout's random generators, which Keras (3.15) leaves out of its files."""
    return [v for v in model.variables if v.path.endswith("seed_generator_state")]
