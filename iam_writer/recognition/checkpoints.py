"""Checkpoints: a Keras file with one more member, which says what run it is and how far it has come.

One file holds the weights, the optimizer's and the random generators' state and the
step, so that they can never disagree. It is written under another name first, and then renamed. `keras.saving.load_model` opens it like any other, once `models` is imported, which
registers our layers. At the end of a run the best one also gets its answer rule and its calibration. A function that reads no
weights does not load TensorFlow.
"""

import contextlib
import json
import os
import pathlib
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from iam_writer.common.errors import CheckpointError
from iam_writer.common.specs import listed_in
from iam_writer.recognition.calibration import Calibration
from iam_writer.recognition.rule import LEGACY_STRIDE, PROBABILITIES, Rule

if TYPE_CHECKING:
    import keras

STATE_MEMBER = "iam_writer.json"
RULE_MEMBER = "iam_writer_rule.json"
CALIBRATION_MEMBER = "iam_writer_calibration.npz"
WEIGHTS_MEMBER = "model.weights.h5"  # As Keras names it.


def save(model: "keras.Model", path: pathlib.Path, state: dict[str, Any]) -> None:
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


def read_state(path: pathlib.Path) -> dict[str, Any]:
    """The `state` that was saved with a checkpoint; of its `run`, `dataset` and `fingerprint` are lists, one entry a dataset.

    Raises:
      CheckpointError: there is no such file, or it is not a checkpoint of ours.
    """
    with _readable(path), zipfile.ZipFile(path) as archive:
        state: dict[str, Any] = json.loads(archive.read(STATE_MEMBER))
    return state | {"run": listed_in(state["run"])} if "run" in state else state


def add_calibration(path: pathlib.Path, rule: Rule, calibration: Calibration) -> None:
    """Puts an answer rule, and the calibration of its answers, into a checkpoint. They replace those that were there.

    Raises:
      OSError: it cannot be written; what was at `path` is untouched.
    """
    beside = path.with_name(f".{path.stem}.incomplete.keras")
    try:
        with zipfile.ZipFile(path) as before, zipfile.ZipFile(beside, "w") as after:
            for member in before.infolist():
                if member.filename not in (RULE_MEMBER, CALIBRATION_MEMBER):
                    after.writestr(member, before.read(member))
            after.writestr(RULE_MEMBER, rule.to_json())
            after.writestr(CALIBRATION_MEMBER, calibration.to_bytes())
        with open(beside, "rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def read_calibration(path: pathlib.Path) -> Calibration | None:
    """The calibration in a checkpoint, None if its run has not come to its end.

    Raises:
      CheckpointError: as `read_state`, or another version wrote the calibration.
    """
    with _readable(path), zipfile.ZipFile(path) as archive:
        if CALIBRATION_MEMBER not in archive.namelist():
            return None
        return Calibration.from_bytes(archive.read(CALIBRATION_MEMBER))


def read_rule(path: pathlib.Path) -> Rule:
    """The answer rule of a checkpoint.

    A checkpoint of version 0.1 has none. Then it is the rule of the result.json that its run wrote: `combine` is in the
    checkpoint, and the stride in the result.json beside it; if that is gone, the stride is LEGACY_STRIDE.

    Raises:
      CheckpointError: as `read_state`, or another version wrote the rule.
    """
    with _readable(path), zipfile.ZipFile(path) as archive:
        if RULE_MEMBER in archive.namelist():
            return Rule.from_json(archive.read(RULE_MEMBER))
        run = json.loads(archive.read(STATE_MEMBER))["run"]
    try:
        stride = json.loads((path.parent / "result.json").read_text())["config"]["window_stride"]
    except (OSError, ValueError, KeyError, TypeError):
        stride = None
    return Rule(stride or LEGACY_STRIDE, run.get("combine", PROBABILITIES))


def fingerprint(path: pathlib.Path) -> str:
    """Tells the weights of one checkpoint from those of another; eight hexadecimal digits."""
    with zipfile.ZipFile(path) as archive:
        return f"{archive.getinfo(WEIGHTS_MEMBER).CRC:08x}"


def load(path: str | os.PathLike[str]) -> "keras.Model":
    """The network, not compiled.

    Raises:
      CheckpointError: there is no such file, it is damaged, or this version of Keras does not know its layers.
    """
    import keras

    from iam_writer import models  # noqa: F401  Registers the layers that checkpoints name.

    with _readable(path):
        return keras.saving.load_model(path, compile=False)


def restore(model: "keras.Model", path: pathlib.Path) -> None:
    """Loads the weights and states of a checkpoint into a compiled model of the same architecture.

    Raises:
      CheckpointError: as `load`.
    """
    with _readable(path):
        model.load_weights(path)
        for variable, value in zip(_random_state(model), read_state(path)["random"], strict=True):
            variable.assign(value)


@contextlib.contextmanager
def _readable(path: str | os.PathLike[str]) -> Iterator[None]:
    """Says what is wrong with a checkpoint that cannot be read."""
    path = pathlib.Path(path)
    try:
        # Keras has an error of its own, without a file's name.
        if not path.exists():
            raise CheckpointError(
                f"There is no checkpoint {path}. iam_writer.train leaves best.keras in its workdir."
            )
        yield
    except CheckpointError:
        raise
    except Exception as error:  # Keras and HDF5 raise errors of many types.
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise CheckpointError(
            f"{path} is not a checkpoint of iam_writer, or damaged: {reason}. Take another copy of it, or remove it and "
            "train again."
        ) from error


def _random_state(model: "keras.Model") -> "list[keras.Variable]":
    """The states of dropout's random generators, which Keras (3.15) leaves out of its files."""
    return [v for v in model.variables if v.path.endswith("seed_generator_state")]
