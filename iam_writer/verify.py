r"""Says whether two pages are by the same hand, and how often such an answer is wrong.

  iam-writer verify letter1.png letter2.png
  python -m iam_writer.verify --checkpoint=best.keras letter1.png letter2.png

Without --checkpoint the pages are compared by the hand descriptor, which needs no training. The answer says how strongly
the pages speak for one hand or for two, if both were as likely before looking, and how often such an answer is wrong for
invented writers. With --checkpoint a trained network compares them. Its error rates come from pairs of a validation form and
another form; this step has not seen their writers before, but the network has.

Exit status: 0 the same hand; 2 two hands; 1 a flag is wrong, or a file cannot be read or has no handwriting; 130 stopped.
"""

import json
import os

import numpy as np
from absl import app, flags

from iam_writer.common import programs
from iam_writer.common.errors import CheckpointError, NoWritingError
from iam_writer.recognition import hands, inputs

flags.DEFINE_string(
    "checkpoint", None, "A trained network, a best.keras. Default: none, the hand descriptor compares."
)
flags.DEFINE_bool("json", False, "Print one JSON object.")


def main(argv: list[str]) -> None:
    if len(argv) != 3:
        raise app.UsageError("Which two pages? Name their files.")
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
            f"{checkpoint} saw no two forms of one writer in validation: it cannot compare hands."
        )
    pages = inputs.written(inputs.read_pages(paths))
    if len(pages) < len(set(paths)):
        raise NoWritingError("There are no two hands to compare.")
    from iam_writer.recognition import (
        recognizer,  # TensorFlow takes seconds to load; what is wrong is told before.
    )

    network = recognizer.Recognizer(checkpoint, calibration)
    scans = [network.scan(network.lay(pages[path])) for path in paths]
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
            f"{'The same hand' if same else 'Two hands'}: score {score:.1%}; the border is "
            f"{1 / (1 + np.exp(-calibration.pair_threshold)):.1%}.\n"
            f"Of {of_two:,} pairs by two writers, {false_match:.1%} were taken for one hand. Of {of_one:,} pairs by one writer, "
            f"{false_non_match:.1%} were taken for two hands. Hands that the network was not trained on give more errors."
        )
        for text in warnings:
            print(f"Warning: {text}.")
    return 0 if same else 2


if __name__ == "__main__":
    app.run(main)
