"""Measures a checkpoint on the forms that were kept for the test, and writes a report with pictures.

  iam-writer evaluate --checkpoint=runs/top50/best.keras

The program prints the table, and writes report.html and its pictures (PNG) into --output. The page needs no other file.
The pictures show handwriting of the dataset. Read the license of the dataset before you pass them on.

The checkpoint answers by the rule that it keeps, so the figures are those of the result.json of its run. --window_stride
and --combine try another rule.

The last line of the output is about retrieval: each form is asked about among the other forms of the split.

Exit status: 0 done; 1 a flag is wrong, the dataset is not there, or matplotlib is missing; 130 stopped.
"""

import importlib.util
import os
import pathlib

from absl import flags

from iam_writer.common import answers, programs
from iam_writer.common.errors import FlagError, MissingDataError
from iam_writer.common.names import COMBINATIONS
from iam_writer.common.provenance import origin
from iam_writer.recognition import inputs
from pipelines.system import command_line

flags.DEFINE_string("checkpoint", None, "best.keras or best.descriptor of a training run.", required=True)
flags.DEFINE_string(
    "data_dir", None, "The folder in which TFDS keeps the dataset. Default: ~/tensorflow_datasets."
)
flags.DEFINE_enum("split", "test", ["validation", "test"], "The split whose forms are used.")
flags.DEFINE_integer(
    "window_stride",
    None,
    "The columns from one window to the next. Default: the stride that the checkpoint keeps.",
    1,
)
flags.DEFINE_enum(
    "combine", None, COMBINATIONS, "What is averaged over the windows. Default: what the checkpoint keeps."
)
flags.DEFINE_string(
    "output", None, "The folder to write into. Default: the folder report beside the checkpoint."
)

flags.adopt_module_key_flags(answers)


def main(argv: list[str]) -> None:
    command_line.check_no_arguments(argv)
    values = {name: flags.FLAGS[name].value for name in ("checkpoint", "data_dir", "output")}
    checkpoint, data_dir, output = (value and os.path.expanduser(value) for value in values.values())
    folder = pathlib.Path(output or pathlib.Path(checkpoint).parent / "report")
    rule = {name: flags.FLAGS[name].value for name in ("window_stride", "combine")}
    programs.run(lambda: _evaluate(checkpoint, data_dir, flags.FLAGS.split, folder, **rule))


def _evaluate(
    checkpoint: str,
    data_dir: str | None,
    split: str,
    folder: pathlib.Path,
    window_stride: int | None,
    combine: str | None,
) -> int:
    calibration = inputs.open_calibration(checkpoint)
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingDataError("The report needs matplotlib: pip install 'iam_writer[report]'.")
    # TensorFlow takes seconds to load, so a wrong flag is reported before.
    from iam_writer.common import datasets
    from iam_writer.recognition import line_counts, recognizer, report, retrieval, scoring
    from iam_writer.recognition.evaluation import Evaluation, summary
    from iam_writer.recognition.seen import Lines, accuracies

    network = recognizer.load(checkpoint, calibration)
    if network.rule is None and (window_stride or combine):
        raise FlagError(
            f"{checkpoint} holds no network, so it has no windows: leave out --window_stride and --combine."
        )
    strips = datasets.strips(network.run, split, data_dir)
    builders = datasets.builders(network.run, data_dir)
    lines = Lines(strips, lambda: line_counts.of_split(builders, split))
    rule = network.rule and network.rule.changed(window_stride, combine)
    seen = network.see(lines, split, rule)
    results = accuracies(seen, split, strips, datasets.parts(network.run, strips.labels))
    trained_on = ", ".join(network.run["dataset"])
    about = (
        f"{checkpoint}: {network.run['model']}, trained on {trained_on} ({len(network.writers)} writers). "
        f"{split.capitalize()}: {len(strips):,} lines on {results[split]['forms']:,} forms."
    )
    if seen.alone():
        about += " The network and the hand descriptor answer together."
    if rule is not None and network.rule is not None:
        about += f" Answer rule: {rule.in_words()}."
        if rule != network.rule:
            about += f" {rule.instead_of(network.rule)}"
    evaluation = Evaluation(split, strips, seen, network.writers, calibration, results, about)
    found = summary(evaluation)
    of_forms = retrieval.of_forms(*evaluation.hands())
    path = report.write(evaluation, folder)
    text = [about, scoring.table(results)]
    text += [
        f"{plural}: expected calibration error {found[f'{level}_calibration_error']:.1%}; "
        f"{found[f'{level}_accepted']:.1%} accepted as by a known writer"
        for level, plural in (("line", "lines"), ("form", "forms"))
    ]
    text += [retrieval.in_words(of_forms), f"\nThe report is {path}."]
    data = {
        **origin(),
        "checkpoint": checkpoint,
        "fingerprint": network.fingerprint,
        "split": split,
        "accuracies": results,
        **found,
        "retrieval": of_forms,
        "report": str(path),
    }
    with answers.printed() as say:
        say(data, "\n".join(text))
    return 0


if __name__ == "__main__":
    command_line.start(main)
