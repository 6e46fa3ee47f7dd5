r"""Tells how well a trained network does on the forms held out for test, and writes a report to look at.

  python -m iam_writer.evaluate --checkpoint=runs/top50/best.keras

Prints the table and writes report.html, which needs no network and no other file, and its pictures as PNGs, into
--report, by default a folder beside the checkpoint. The pictures show handwriting of the dataset: mind its license.

Exit status: 0 done; 1 a flag is wrong, the dataset is not there, or matplotlib is missing; 130 stopped.
"""

import importlib.util
import os
import pathlib

from absl import app, flags

from iam_writer.common import programs
from iam_writer.common.errors import MissingDataError
from iam_writer.recognition import inputs

flags.DEFINE_string("checkpoint", None, "The trained network: a best.keras.", required=True)
flags.DEFINE_string("data_dir", None, "Where TFDS keeps the dataset. Default: ~/tensorflow_datasets.")
flags.DEFINE_enum("split", "test", ["validation", "test"], "Which forms.")
flags.DEFINE_integer("stride", None, "Columns from a window to the next. Default: as iam_writer.identify.", 1)
flags.DEFINE_string("report", None, "Folder to write to. Default: report, beside the checkpoint.")


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"Unknown argument {argv[1]!r}; flags begin with --.")
    values = {name: flags.FLAGS[name].value for name in ("checkpoint", "data_dir", "report")}
    checkpoint, data_dir, report = (value and os.path.expanduser(value) for value in values.values())
    folder = pathlib.Path(report or pathlib.Path(checkpoint).parent / "report")
    programs.run(lambda: _evaluate(checkpoint, data_dir, flags.FLAGS.split, flags.FLAGS.stride, folder))


def _evaluate(
    checkpoint: str, data_dir: str | None, split: str, stride: int | None, folder: pathlib.Path
) -> int:
    calibration = inputs.open_calibration(checkpoint)
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingDataError("The report needs matplotlib: pip install 'iam_writer[report]'.")
    # TensorFlow takes seconds to load; what is wrong is told before.
    from iam_writer.common import datasets
    from iam_writer.recognition import recognizer, report, scoring

    network = recognizer.Recognizer(checkpoint, calibration)
    strips = datasets.strips(network.run, split, data_dir)
    seen = network.see(strips, stride or network.stride, f"scanning {split}")
    results = seen.accuracies(split, strips, datasets.parts(network.run, strips.labels))
    about = (
        f"{checkpoint}: {network.run['model']}, trained on {network.run['dataset']} ({len(network.writers)} writers). "
        f"{split.capitalize()}: {len(strips):,} lines on {results[split]['forms']:,} forms, windows every "
        f"{stride or network.stride} columns."
    )
    evaluation = report.Evaluation(split, strips, seen, network.writers, calibration, results, about)
    print(scoring.table(results))
    found = report.summary(evaluation)
    for level, plural in (("line", "lines"), ("form", "forms")):
        print(
            f"{plural}: expected calibration error {found[f'{level}_calibration_error']:.1%}; "
            f"{found[f'{level}_accepted']:.1%} accepted as by a known writer"
        )
    print(f"\n{report.write(evaluation, folder)}")
    return 0


if __name__ == "__main__":
    app.run(main)
