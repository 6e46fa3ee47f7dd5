"""Exports the network of a checkpoint to formats that run without this package.

Each export is checked on handwriting before it is kept.
"""

import contextlib
import dataclasses
import importlib.metadata
import io
import itertools
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from iam_writer.common import datasets
from iam_writer.common.errors import ExportError, MissingDataError
from iam_writer.common.files import full_disk_as_oserror
from iam_writer.exporting.formats import FILES, WRITERS
from iam_writer.exporting.line_graph import probabilities_of_line
from iam_writer.handwriting.synthetic import SyntheticHandwriting
from iam_writer.models.networks import MODELS
from iam_writer.models.sizes import at_sizes
from iam_writer.recognition import checkpoints, scanning, scoring
from iam_writer.recognition.rule import softmax
from pipelines.strips import lay

LINES = 8
"""So many lines are used to check that an export gives the same probabilities as the checkpoint."""

TOLERANCE = 1e-4
"""The probabilities of an export may differ from those of the checkpoint by at most this."""

Signature = Callable[[np.ndarray], np.ndarray]
"""A function that an export offers: uint8 patches `[n, width, height]` → float32 probabilities `[n, classes]`.

The signature `line` is instead: uint8 gray line `[rows, columns]` → float32 probabilities `[classes]`."""


@dataclasses.dataclass(frozen=True)
class Export:
    """An export that was written.

    Attributes:
      folder: the folder of the export.
      differences: signature → the largest difference between its probabilities and those of the checkpoint.
    """

    folder: pathlib.Path
    differences: dict[str, float]


class Exporter:
    """A network to export.

    Attributes:
      height: height of a patch in pixels.
      width: width of a patch in pixels.
      handwriting: says in words on which lines exports are checked.
    """

    def __init__(self, path: str | os.PathLike, data_dir: str | None):
        """Reads a checkpoint and some lines.

        The lines are of the dataset that the network was trained on. If that dataset cannot be found, they are invented.
        """
        run = checkpoints.read_state(pathlib.Path(path))["run"]
        self.height, self.width = run["patch_height"], run["patch_width"]
        self._writers: list[str] = run["writers"]
        self._rule = checkpoints.read_rule(pathlib.Path(path))
        self._model = at_sizes(in_float32(checkpoints.load(path), run), self._rule.sizes)
        self._images, self.handwriting = some_lines(run, data_dir)

    def write(self, name: str, output: pathlib.Path) -> Export:
        """Exports to a format. `output` then has a folder of the format's name, which is complete or does not appear.

        Raises:
          ExportError: a library cannot export this network, or the export gives other probabilities than the checkpoint.
          OSError: the export cannot be written.
        """
        beside, folder = output.with_name(f".{output.name}.incomplete"), output / name
        shutil.rmtree(beside, ignore_errors=True)  # A killed program may have left it.
        beside.mkdir()
        try:
            with full_disk_as_oserror(beside):
                differences = self._differences(_WRITE[name](self._module(beside), beside / name))
            for signature, difference in differences.items():
                if not difference <= TOLERANCE:  # So that NaN fails too.
                    raise ExportError(
                        f"The export {name} was not kept: on {self.handwriting}, the probabilities of its signature "
                        f"{signature} differ from those of the checkpoint by {difference:.1e}, which is more than "
                        f"{TOLERANCE:g}. Use another format."
                    )
            output.mkdir(exist_ok=True)
            if folder.exists():
                shutil.rmtree(folder)
            (beside / name).rename(folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        return Export(folder, differences)

    def _module(self, folder: pathlib.Path) -> tf.Module:
        """A module of the two functions to export, with their weights and the names of the writers."""
        model = self._model

        def probabilities(patches):
            return tf.nn.softmax(model(patches, training=False))

        def of_line(line):
            return probabilities_of_line(
                probabilities,
                line,
                height=self.height,
                width=self.width,
                rule=self._rule,
            )

        writers = folder / "writers.txt"
        writers.write_text("".join(f"{writer}\n" for writer in self._writers), encoding="utf-8")
        patches = tf.TensorSpec((None, self.width, self.height), tf.uint8, "patches")
        line = tf.TensorSpec((None, None), tf.uint8, "line")
        module = tf.Module()
        module.weights = [variable.value for variable in model.weights]
        module.writers = tf.saved_model.Asset(str(writers))
        module.patches = tf.function(
            lambda patches: {"probabilities": probabilities(patches)},
            input_signature=[patches],
            autograph=False,
        )
        module.line = tf.function(
            lambda line: {"probabilities": of_line(line)}, input_signature=[line], autograph=False
        )
        return module

    def _differences(self, runs: dict[str, Signature]) -> dict[str, float]:
        def logits(patches):
            return keras.ops.convert_to_numpy(self._model(patches, training=False))

        found = dict.fromkeys(runs, 0.0)
        for image in self._images:
            columns = lay(image, self.height, self.width, black_on_white=True)
            windows = np.ascontiguousarray(scanning.cut(columns, self.width, self._rule.stride))
            one = np.zeros(len(windows), int)
            scan = scoring.scan(logits, [windows], one, one[:1], len(self._writers), self._rule)
            with Image.open(io.BytesIO(image)) as picture:
                line = np.asarray(picture.convert("L"))
            given = {"patches": windows, "line": line}
            expected = {"patches": softmax(logits(windows)), "line": scan.probabilities[0]}
            for name, run in runs.items():
                # `max` would lose a NaN.
                found[name] = float(np.maximum(found[name], np.abs(run(given[name]) - expected[name]).max()))
        return found


def in_float32(model: keras.Model, run: dict) -> keras.Model:
    """The network, computing in float32. If it was trained in mixed precision, this is a copy with the same weights.

    Other runtimes lack bfloat16, or they round differently.
    """
    if run["precision"] == "float32":
        return model
    again = MODELS[run["model"]](len(run["writers"]), run["patch_height"], run["patch_width"])
    again.set_weights(model.get_weights())
    return again


def some_lines(run: dict, data_dir: str | None) -> tuple[list[bytes], str]:
    """Lines to check an export on.

    They are validation lines of the dataset that a run was trained on. If that dataset cannot be found, they are
    invented lines.

    Returns:
      The contents of image files, and words that say which lines they are.
    """
    try:
        builders = datasets.builders(run, data_dir)
    except MissingDataError:
        invented = SyntheticHandwriting(num_writers=LINES, forms_per_writer=1, lines_per_form=1)
        return [invented.read(line) for line in invented.lines], f"{LINES} invented lines"
    examples = datasets.line_examples(builders, "validation")
    images = [example.image for example in itertools.islice(examples, LINES)]
    return images, f"{len(images)} validation lines of {', '.join(run['dataset'])}"


def _saved_model(module: tf.Module, folder: pathlib.Path) -> dict[str, Signature]:
    tf.saved_model.save(module, str(folder), {"patches": module.patches, "line": module.line})
    loaded = tf.saved_model.load(str(folder))

    def signature(name):
        return lambda given: loaded.signatures[name](tf.constant(given))["probabilities"].numpy()

    return {name: signature(name) for name in ("patches", "line")}


def _litert(module: tf.Module, folder: pathlib.Path) -> dict[str, Signature]:
    from ai_edge_litert.interpreter import Interpreter  # The extra `export` installs it.

    # The converter reads a SavedModel. LiteRT lacks some operations of the line signature, so only patches are exported.
    source, patches_only = folder.with_name("source"), tf.Module()
    patches_only.weights, patches_only.patches = module.weights, module.patches
    tf.saved_model.save(patches_only, str(source), {"patches": module.patches})
    with _told_in_a_sentence("litert", "tensorflow"):
        converter = tf.lite.TFLiteConverter.from_saved_model(str(source), signature_keys=["patches"])
        _put("litert", folder, converter.convert())
    with _told_in_a_sentence("litert", "ai-edge-litert"):
        runner = Interpreter(str(folder / FILES["litert"])).get_signature_runner("patches")
    return {"patches": lambda patches: runner(patches=patches)["probabilities"]}


def _onnx(module: tf.Module, folder: pathlib.Path) -> dict[str, Signature]:
    import onnxruntime  # The extra `export` installs both.
    import tf2onnx

    with _told_in_a_sentence("onnx", "tf2onnx"):
        converted, _ = tf2onnx.convert.from_function(module.patches, module.patches.input_signature)
        _put("onnx", folder, converted.SerializeToString())
    with _told_in_a_sentence("onnx", "onnxruntime"):
        session = onnxruntime.InferenceSession(folder / FILES["onnx"], providers=["CPUExecutionProvider"])
    return {"patches": lambda patches: session.run(["probabilities"], {"patches": patches})[0]}


_WRITE = {"saved_model": _saved_model, "litert": _litert, "onnx": _onnx}
"""Format → a function that writes a module into a folder. It returns, for each signature, a function that runs it."""


def _put(name: str, folder: pathlib.Path, converted: bytes) -> None:
    folder.mkdir()
    (folder / FILES[name]).write_bytes(converted)
    shutil.copy(folder.with_name("writers.txt"), folder / WRITERS[name])


@contextlib.contextmanager
def _told_in_a_sentence(name: str, package: str) -> Iterator[None]:
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # Converters raise errors of many kinds.
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        version = importlib.metadata.version(package)
        raise ExportError(
            f"The export {name} was not made: {package} {version} cannot convert this network ({reason}). Use another format."
        ) from error
