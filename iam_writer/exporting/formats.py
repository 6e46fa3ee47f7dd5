"""The formats of exports, the packages that they need, and code that runs them. Does not use TensorFlow."""

import importlib.util
import pathlib
from collections.abc import Iterable

from iam_writer.common.errors import ExportError

PACKAGES = {"saved_model": (), "litert": ("ai_edge_litert",), "onnx": ("tf2onnx", "onnxruntime")}
"""Format → the optional packages that write it, or that run it to compare it with the checkpoint."""

FILES = {"saved_model": "saved_model.pb", "litert": "model.tflite", "onnx": "model.onnx"}
"""Format → the file of the network, in the folder of the format."""

WRITERS = {"saved_model": "assets/writers.txt", "litert": "writers.txt", "onnx": "writers.txt"}
"""Format → the file of the names of the classes, one a line, in the folder of the format."""


def check_packages(formats: Iterable[str]) -> None:
    """Raises ExportError if a package that a format needs is not installed."""
    for name in formats:
        missing = [package for package in PACKAGES[name] if importlib.util.find_spec(package) is None]
        if missing:
            raise ExportError(
                f"The format {name} needs {' and '.join(missing)}: pip install 'iam_writer[export]'."
            )


def snippet(name: str, folder: pathlib.Path, width: int, height: int) -> str:
    """Five lines of Python that name the writer of an image. They use an export, but not this package.

    Args:
      name: name of the format.
      folder: folder of the export.
      width: width of a patch in pixels.
      height: height of a patch in pixels.
    """
    file = str(folder / FILES[name])
    patch = (
        f'patch = np.asarray(PIL.Image.open("patch.png").convert("L").resize(({width}, {height})))'
        "  # Black on white."
    )
    lines = {
        "saved_model": [
            "import tensorflow as tf",
            f"model = tf.saved_model.load({str(folder)!r})",
            'line = tf.io.decode_png(tf.io.read_file("line.png"), channels=1)[..., 0]',
            'says = model.signatures["line"](line)["probabilities"].numpy()',
        ],
        "litert": [
            "import numpy as np, PIL.Image",
            "from ai_edge_litert.interpreter import Interpreter",
            patch,
            f'says = Interpreter({file!r}).get_signature_runner("patches")(patches=patch.T[None])["probabilities"][0]',
        ],
        "onnx": [
            "import numpy as np, onnxruntime, PIL.Image",
            f"session = onnxruntime.InferenceSession({file!r})",
            patch,
            'says = session.run(["probabilities"], {"patches": patch.T[None]})[0][0]',
        ],
    }[name]
    writers = str(folder / WRITERS[name])
    answer = f'print(open({writers!r}, encoding="utf-8").read().splitlines()[says.argmax()], says.max())'
    return "\n".join([*lines, answer])
