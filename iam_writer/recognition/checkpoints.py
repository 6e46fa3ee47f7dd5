"""Checkpoints: a Keras file with one more member, which says what run it is and how far it has come.

One file holds the weights, the optimizer's and the random generators' state and the
step, so that they can never disagree. It is written under another name first, and then renamed. `keras.saving.load_model` opens it like any other, once `models` is imported, which
registers our layers. At the end of a run the best one also gets its answer rule and its calibration, and what the hand
descriptor has learnt if the run fuses both. A function that reads no weights does not load TensorFlow.

A run of the descriptor alone leaves a checkpoint without a Keras model: the same members but those of Keras.
"""

import contextlib
import dataclasses
import functools
import json
import operator
import os
import pathlib
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from iam_writer.common.errors import CheckpointError
from iam_writer.common.specs import listed_in
from iam_writer.recognition.calibration import Calibration
from iam_writer.recognition.discriminants import Discriminants
from iam_writer.recognition.fusion import Fusion
from iam_writer.recognition.rule import LEGACY_STRIDE, PROBABILITIES, Rule

if TYPE_CHECKING:
    import keras

STATE_MEMBER = "iam_writer.json"
RULE_MEMBER = "iam_writer_rule.json"
CALIBRATION_MEMBER = "iam_writer_calibration.npz"
DESCRIPTOR_MEMBER = "iam_writer_descriptor.npz"
FUSION_MEMBER = "iam_writer_fusion.json"
WEIGHTS_MEMBER = "model.weights.h5"  # As Keras names it.


def save(model: "keras.Model", path: pathlib.Path, state: dict[str, Any]) -> None:
    """Writes the model with its optimizer, and `state`, which must be JSON.

    Raises:
      OSError: it cannot be written; what was at `path` is untouched.
    """
    with _replacing(path) as beside:
        model.save(beside)
        with zipfile.ZipFile(beside, "a") as archive:
            random = [v.numpy().tolist() for v in _random_state(model)]
            archive.writestr(STATE_MEMBER, json.dumps(state | {"random": random}))


def read_state(path: pathlib.Path) -> dict[str, Any]:
    """The `state` that was saved with a checkpoint; of its `run`, `dataset` and `fingerprint` are lists, one entry a dataset.

    Raises:
      CheckpointError: there is no such file, or it is not a checkpoint of ours.
    """
    with readable(path), zipfile.ZipFile(path) as archive:
        state: dict[str, Any] = json.loads(archive.read(STATE_MEMBER))
    return state | {"run": listed_in(state["run"])} if "run" in state else state


@dataclasses.dataclass(frozen=True)
class Finish:
    """What the end of a run adds to the network of its checkpoint.

    Attributes:
      calibration: of the answers.
      rule: the answer rule; None without a network.
      descriptor: what the hand descriptor has learnt; None if the network answers alone.
      fusion: how the answers of both become one; None if there is only one of them.
    """

    calibration: Calibration
    rule: Rule | None
    descriptor: Discriminants | None = None
    fusion: Fusion | None = None

    def members(self) -> dict[str, str | bytes]:
        """Member of the checkpoint → its content."""
        found: dict[str, str | bytes] = {CALIBRATION_MEMBER: self.calibration.to_bytes()}
        if self.rule is not None:
            found[RULE_MEMBER] = self.rule.to_json()
        if self.descriptor is not None:
            found[DESCRIPTOR_MEMBER] = self.descriptor.to_bytes()
        if self.fusion is not None:
            found[FUSION_MEMBER] = self.fusion.to_json()
        return found


_OF_FINISH = (RULE_MEMBER, CALIBRATION_MEMBER, DESCRIPTOR_MEMBER, FUSION_MEMBER)


def add_finish(path: pathlib.Path, finish: Finish) -> None:
    """Puts what the end of a run adds into a checkpoint. It replaces what an earlier end has added.

    Raises:
      OSError: it cannot be written; what was at `path` is untouched.
    """
    with (
        _replacing(path) as beside,
        zipfile.ZipFile(path) as before,
        zipfile.ZipFile(beside, "w") as after,
    ):
        for member in before.infolist():
            if member.filename not in _OF_FINISH:
                after.writestr(member, before.read(member))
        for name, content in finish.members().items():
            after.writestr(name, content)


def save_descriptor(path: pathlib.Path, state: dict[str, Any], finish: Finish) -> None:
    """Writes the checkpoint of a run without a network.

    Raises:
      OSError: it cannot be written; what was at `path` is untouched.
    """
    with _replacing(path) as beside, zipfile.ZipFile(beside, "w") as archive:
        archive.writestr(STATE_MEMBER, json.dumps(state))
        for name, content in finish.members().items():
            archive.writestr(name, content)


@contextlib.contextmanager
def _replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Gives the name of a file to write. At the end the file is renamed to `path`."""
    # One name for all attempts, so that a killed run leaves at most one such file, and the next overwrites it.
    beside = path.with_name(f".{path.stem}.incomplete{path.suffix}")
    try:
        yield beside
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
    with readable(path), zipfile.ZipFile(path) as archive:
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
    with readable(path), zipfile.ZipFile(path) as archive:
        if RULE_MEMBER in archive.namelist():
            return Rule.from_json(archive.read(RULE_MEMBER))
        run = json.loads(archive.read(STATE_MEMBER))["run"]
    try:
        stride = json.loads((path.parent / "result.json").read_text())["config"]["window_stride"]
    except (OSError, ValueError, KeyError, TypeError):
        stride = None
    return Rule(stride or LEGACY_STRIDE, run.get("combine", PROBABILITIES))


def has_network(path: pathlib.Path) -> bool:
    """Whether a checkpoint holds a network. Otherwise the hand descriptor answers alone.

    Raises:
      CheckpointError: as `read_state`.
    """
    with readable(path), zipfile.ZipFile(path) as archive:
        return WEIGHTS_MEMBER in archive.namelist()


def read_descriptor(path: pathlib.Path) -> tuple[Discriminants | None, Fusion | None]:
    """What the hand descriptor has learnt in this run, and how its answers and the network's become one.

    Raises:
      CheckpointError: as `read_state`, or another version wrote them.
    """
    with readable(path), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        hands = (
            Discriminants.from_bytes(archive.read(DESCRIPTOR_MEMBER)) if DESCRIPTOR_MEMBER in names else None
        )
        fusion = Fusion.from_json(archive.read(FUSION_MEMBER)) if FUSION_MEMBER in names else None
    return hands, fusion


def fingerprint(path: pathlib.Path) -> str:
    """Tells what one checkpoint has learnt from what another has learnt; eight hexadecimal digits.

    Raises:
      CheckpointError: as `read_state`, or it holds nothing that was learnt.
    """
    with readable(path), zipfile.ZipFile(path) as archive:
        names = [name for name in (WEIGHTS_MEMBER, DESCRIPTOR_MEMBER) if name in archive.namelist()]
        learnt = [archive.getinfo(name).CRC for name in names]
        if not learnt:
            raise ValueError("it holds neither a network nor a descriptor")
    return f"{functools.reduce(operator.xor, learnt):08x}"


def load(path: str | os.PathLike[str]) -> "keras.Model":
    """The network, not compiled.

    Raises:
      CheckpointError: there is no such file, it is damaged, or this version of Keras does not know its layers.
    """
    import keras

    from iam_writer import models  # noqa: F401  Registers the layers that checkpoints name.

    with readable(path):
        return keras.saving.load_model(path, compile=False)


def restore(model: "keras.Model", path: pathlib.Path) -> None:
    """Loads the weights and states of a checkpoint into a compiled model of the same architecture.

    Raises:
      CheckpointError: as `load`.
    """
    with readable(path):
        model.load_weights(path)
        for variable, value in zip(_random_state(model), read_state(path)["random"], strict=True):
            variable.assign(value)


@contextlib.contextmanager
def readable(path: str | os.PathLike[str]) -> Iterator[None]:
    """Says what is wrong with a checkpoint that cannot be read."""
    path = pathlib.Path(path)
    try:
        # Keras has an error of its own, without a file's name.
        if not path.exists():
            raise CheckpointError(
                f"There is no checkpoint {path}. `iam-writer train` writes best.keras or best.descriptor into its workdir."
            )
        yield
    except CheckpointError:
        raise
    except Exception as error:  # Keras and HDF5 raise errors of many types.
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise CheckpointError(
            f"{path} is damaged, or it is not a checkpoint of iam_writer: {reason}. Take another copy of it, or remove it and "
            "train again."
        ) from error


def _random_state(model: "keras.Model") -> "list[keras.Variable]":
    """The states of dropout's random generators, which Keras (3.15) leaves out of its files."""
    return [v for v in model.variables if v.path.endswith("seed_generator_state")]
