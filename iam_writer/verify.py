"""Says whether one hand wrote two pages, and how often such an answer is wrong.

  iam-writer verify letter1.png letter2.png
  iam-writer verify --checkpoint=best.keras letter1.png letter2.png

Without --checkpoint, the hand descriptor compares the pages. It needs no training. The answer says how much likelier the
pages are if one hand wrote both than if two hands wrote them. It also says how often such an answer is wrong for invented
writers.

With --checkpoint, a trained network compares the pages. Its error rates come from pairs of validation forms. The network
knows the writers of these forms from training, so the error rates for other writers are higher.

Exit status: 0 one hand; 2 two hands; 1 a flag is wrong, or a file cannot be read or has no handwriting; 130 stopped.
"""

import json
import os

import numpy as np
from absl import app, flags

from iam_writer.common import programs
from iam_writer.common.errors import CheckpointError, NoWritingError
from iam_writer.recognition import hands, inputs
from pipelines.system import command_line

flags.DEFINE_string(
    "checkpoint",
    None,
    "best.keras of a training run. Default: no network; the hand descriptor compares the pages.",
)
flags.DEFINE_bool("json", False, "Print one JSON object.")


def main(argv: list[str]) -> None:
    if len(argv) != 3:
        raise app.UsageError(
            f"Two pages are needed, but {len(argv) - 1} are named. Give two image files after the flags."
        )
    as_json = flags.FLAGS.json
    if flags.FLAGS.checkpoint is None:
        programs.run(lambda: _compare(argv[1:], as_json))
    checkpoint = os.path.expanduser(flags.FLAGS.checkpoint)
    programs.run(lambda: _verify(argv[1:], checkpoint, as_json))


def _compare(paths: list[str], as_json: bool) -> int:
    found = hands.verify(*paths)
    print(json.dumps(found.as_json()) if as_json else found.as_text())
    return 0 if found.same else 2


def _verify(paths: list[str], checkpoint: str, as_json: bool) -> int:
    calibration = inputs.open_calibration(checkpoint)
    if not calibration.pairs.all():
        raise CheckpointError(
            f"{checkpoint} cannot compare hands, because its validation data had no two forms of one writer. Leave out "
            "--checkpoint, or train on more forms of each writer."
        )
    pages = inputs.written(inputs.read_pages(paths))
    if len(pages) < len(set(paths)):
        raise NoWritingError(
            "The pages were not compared, because of the files named above. Name two pages with handwriting."
        )
    from iam_writer.recognition import (
        recognizer,  # TensorFlow takes seconds to load; what is wrong is told before.
    )

    network = recognizer.load(checkpoint, calibration)
    scans = [network.scan(pages[path]) for path in paths]
    vectors = calibration.embed(np.stack([network.embedding(scan) for scan in scans]))
    odds = float(calibration.same_hand(vectors[0] @ vectors[1]))
    same, score = odds >= calibration.pair_threshold, float(1 / (1 + np.exp(-odds)))
    warnings = [
        text for path, scan in zip(paths, scans, strict=True) for text in network.warnings(pages[path], scan)
    ]
    if min(scan.amount for scan in scans) < calibration.form_amount / 2:
        warnings.append("there is less writing than on the pages that the error rates were measured on")
    false_match, false_non_match = calibration.pair_errors.tolist()
    if as_json:
        keys = ("files", "same", "score", "false_match", "false_non_match", "warning")
        values = (
            paths,
            bool(same),
            round(score, 4),
            false_match,
            false_non_match,
            ". ".join(warnings) or None,
        )
        print(json.dumps(dict(zip(keys, values, strict=True))))
    else:
        of_one, of_two = calibration.pairs.tolist()
        print(
            f"{'One hand wrote both pages' if same else 'Two hands wrote the pages'}: the score is {score:.1%}, and the "
            f"threshold for one hand is {1 / (1 + np.exp(-calibration.pair_threshold)):.1%}.\n"
            f"Of {of_two:,} pairs by two writers, {false_match:.1%} were taken for one hand. Of {of_one:,} pairs by one writer, "
            f"{false_non_match:.1%} were taken for two hands. There are more errors for writers that the network was not trained on."
        )
        for text in warnings:
            print(f"Warning: {text}.")
    return 0 if same else 2


if __name__ == "__main__":
    command_line.start(main)
