r"""Writes a trained network in formats that run without this package: a SavedModel, LiteRT, ONNX.

  python -m iam_writer.export --checkpoint=runs/top50/best.keras --output=exported --formats=saved_model,litert,onnx

Each format gets a folder in --output, with the network and writers.txt, the names of its classes. All take patches, uint8
[n, width, height], and give probabilities, before calibration. A SavedModel also takes one gray line of any size. An
export is kept if on a few lines its probabilities differ from the checkpoint's by no more than 0.0001. Then five lines
of Python that run it are printed.

litert and onnx need pip install 'iam_writer[export]'.

Exit status: 0 done; 1 a flag is wrong, a package is missing, or a format was not kept (the others are written all the
same); 130 stopped.
"""

import os
import pathlib
import sys
import textwrap

from absl import app, flags

from iam_writer.common import programs
from iam_writer.common.errors import ExportError
from iam_writer.exporting import formats
from iam_writer.recognition import checkpoints

flags.DEFINE_string("checkpoint", None, "The trained network: a best.keras.", required=True)
flags.DEFINE_string("output", None, "The folder to write to.", required=True)
flags.DEFINE_list("formats", ["saved_model"], f"Of {', '.join(formats.FILES)}.")
flags.DEFINE_string(
    "data_dir", None, "Where the training dataset is, to check exports on. Default: ~/tensorflow_datasets."
)


@flags.validator("formats", f"must be of {', '.join(formats.FILES)}.")
def _are_formats(names):
    return bool(names) and set(names) <= set(formats.FILES)


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"Unknown argument {argv[1]!r}; flags begin with --.")
    values = {name: flags.FLAGS[name].value for name in ("checkpoint", "output", "data_dir")}
    values = {name: value and os.path.expanduser(value) for name, value in values.items()}
    programs.run(lambda: _export(names=flags.FLAGS.formats, **values))


def _export(checkpoint: str, output: str, data_dir: str | None, names: list[str]) -> int:
    checkpoints.read_state(pathlib.Path(checkpoint))
    folder = pathlib.Path(output).resolve()
    programs.check_folder(folder)
    if folder.is_file() or not folder.name:
        raise ExportError(
            f"{folder} is {'a file' if folder.name else 'the root'}; --output is to be a folder."
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
            f"{export.folder}: differs from the checkpoint, on {exporter.handwriting}, by: {differences}.\n"
        )
        snippet = formats.snippet(name, export.folder, exporter.width, exporter.height)
        print(textwrap.indent(snippet, "    "), end="\n\n", flush=True)
    return status


if __name__ == "__main__":
    app.run(main)
