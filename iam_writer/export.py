"""Writes a trained network in formats that run without this package: SavedModel, LiteRT, ONNX.

  iam-writer export --checkpoint=runs/top50/best.keras --output=exported --formats=saved_model,litert,onnx

Each format gets a folder in --output. The folder holds the network, and writers.txt with the names of its classes. All
formats take patches, uint8 [n, width, height], and give probabilities before calibration. The SavedModel also takes one
gray line of any size. If the hand descriptor answers together with the network, its arrays are written as descriptor.npz.

The program compares each export with the checkpoint on a few lines. It keeps an export only if no probability differs by
more than 0.0001. Then it prints five lines of Python that run the export.

The formats litert and onnx need pip install 'iam_writer[export]'.

Exit status: 0 done; 1 a flag is wrong, a package is missing, or a format was not kept (the other formats are written);
130 stopped.
"""

import os
import pathlib
import sys
import textwrap

from absl import flags

from iam_writer.common import programs
from iam_writer.common.errors import ExportError
from iam_writer.common.files import write_beside
from iam_writer.exporting import formats
from iam_writer.recognition import checkpoints
from pipelines.system import command_line

flags.DEFINE_string("checkpoint", None, "best.keras of a training run.", required=True)
flags.DEFINE_string("output", None, "The folder to write into.", required=True)
flags.DEFINE_list(
    "formats", ["saved_model"], f"The formats to write, with commas between: {', '.join(formats.FILES)}."
)
flags.DEFINE_string(
    "data_dir",
    None,
    "The folder in which TFDS keeps the training dataset. Exports are compared with the checkpoint on its lines. Default: "
    "~/tensorflow_datasets.",
)


@flags.validator("formats", f"must be of {', '.join(formats.FILES)}.")
def _are_formats(names):
    return bool(names) and set(names) <= set(formats.FILES)


def main(argv: list[str]) -> None:
    command_line.check_no_arguments(argv)
    values = {name: flags.FLAGS[name].value for name in ("checkpoint", "output", "data_dir")}
    values = {name: value and os.path.expanduser(value) for name, value in values.items()}
    programs.run(lambda: _export(names=flags.FLAGS.formats, **values))


def _export(checkpoint: str, output: str, data_dir: str | None, names: list[str]) -> int:
    discriminants, _ = checkpoints.read_descriptor(pathlib.Path(checkpoint))
    if not checkpoints.has_network(pathlib.Path(checkpoint)):
        raise ExportError(
            f"{checkpoint} holds no network, only the hand descriptor, which runs in this package without TensorFlow: "
            "iam_writer.recognition.recognizer.load opens it."
        )
    folder = pathlib.Path(output).resolve()
    programs.check_folder(folder)
    if folder.is_file() or not folder.name:
        raise ExportError(
            f"--output={output} is {'a file' if folder.name else 'the root folder'}. Name a folder for the exports."
        )
    formats.check_packages(names)
    # A checkpoint opens on every backend and device, but only TensorFlow exports, and a GPU rounds otherwise.
    os.environ.update(KERAS_BACKEND="tensorflow", CUDA_VISIBLE_DEVICES="-1")
    from iam_writer.exporting import (
        exporter as exporting,  # TensorFlow takes seconds to load; what is wrong is told before.
    )

    exporter = exporting.Exporter(checkpoint, data_dir)
    status = 0
    for name in dict.fromkeys(names):
        try:
            export = exporter.write(name, folder)
        except ExportError as error:
            print(error, file=sys.stderr)
            status = 1
            continue
        differences = ", ".join(f"{signature} {by:.0e}" for signature, by in export.differences.items())
        print(
            f"{export.folder} was written. Its probabilities on {exporter.handwriting} differ from those of the checkpoint by "
            f"at most: {differences}.\n"
        )
        snippet = formats.snippet(name, export.folder, exporter.width, exporter.height)
        print(textwrap.indent(snippet, "    "), end="\n\n", flush=True)
    if discriminants is not None and folder.is_dir():
        path = folder / "descriptor.npz"
        write_beside(path, discriminants.to_bytes())
        print(
            f"The hand descriptor is not part of these formats: they give the answers of the network alone. {path} holds "
            "its arrays (mean, projection, means, temperature), which iam_writer.recognition.discriminants explains."
        )
    return status


if __name__ == "__main__":
    command_line.start(main)
