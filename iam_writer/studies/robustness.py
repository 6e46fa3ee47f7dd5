"""Measures a network on scans that look different from those that it was trained on.

  python -m iam_writer.studies.robustness --checkpoint=runs/top50/best.keras

The program scans the lines of a split as they are, and again with each corruption of `corruptions.py`, such as blur. It
prints the share of patches, lines and forms whose writer is named first. With --other_scans it also compares other images
of the same lines.

The network answers by the rule that its checkpoint keeps. --window_stride and --combine try another rule.

Exit status: 0 done; 1 a flag is wrong or the input cannot be used, and the message says what to do; 130 stopped.
"""

import os
import pathlib

from absl import flags

from iam_writer.common import programs
from iam_writer.common.names import COMBINATIONS
from iam_writer.recognition import checkpoints
from pipelines.system import command_line

flags.DEFINE_string("checkpoint", None, "best.keras or best.descriptor of a training run.", required=True)
flags.DEFINE_string(
    "data_dir", None, "The folder in which TFDS keeps datasets. Default: ~/tensorflow_datasets."
)
flags.DEFINE_enum(
    "split",
    "test",
    ["validation", "test"],
    "The split to scan. Make choices with validation, and report the figures of test.",
)
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
    "other_scans",
    None,
    "A folder with other images of lines of the dataset. They are compared with the images of the dataset. The name of a "
    "file is the id of the line, such as a01-000u-s00-00.png.",
)
flags.DEFINE_string("output", None, "The JSON file to write all figures into.")


def main(argv: list[str]) -> None:
    command_line.check_no_arguments(argv)
    names = "checkpoint data_dir split window_stride combine other_scans output".split()
    values = {name: flags.FLAGS[name].value for name in names}
    for name in ("checkpoint", "data_dir", "other_scans", "output"):
        values[name] = values[name] and os.path.expanduser(values[name])
    programs.run(lambda: _robustness(values))


def _robustness(values: dict) -> int:
    if values["output"]:
        programs.check_folder(values["output"])
    checkpoints.read_state(pathlib.Path(values["checkpoint"]))
    # TensorFlow takes seconds to load, so a wrong flag is reported before.
    from iam_writer.studies import scans

    print(scans.table(scans.run(**values)))
    return 0


if __name__ == "__main__":
    command_line.start(main)
