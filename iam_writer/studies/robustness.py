r"""How well does a network do on scans that look different from those it was trained on?

  python -m iam_writer.studies.robustness --checkpoint=runs/top50/best.keras

It scans the lines of a split as they are, and once more under each corruption of `corruptions.py`. It prints the share of
patches, lines and forms whose writer is named first. --other_scans compares with other images of the same lines.

The network answers by the rule that its checkpoint keeps; --window_stride and --combine try another rule.

Exit status: 0 done; 1 a flag is wrong or the input cannot be used, and the message says what to do; 130 stopped.
"""

import os
import pathlib

from absl import app, flags

from iam_writer.common import programs
from iam_writer.common.names import COMBINATIONS
from iam_writer.recognition import checkpoints

flags.DEFINE_string("checkpoint", None, "The network: best.keras of a run.", required=True)
flags.DEFINE_string("data_dir", None, "Where TFDS keeps the dataset. Default: ~/tensorflow_datasets.")
flags.DEFINE_enum("split", "test", ["validation", "test"], "Whose lines. Choose by validation, report test.")
flags.DEFINE_integer(
    "window_stride", None, "Columns from one window to the next. Default: the checkpoint's.", 1
)
flags.DEFINE_enum(
    "combine", None, COMBINATIONS, "What is averaged over the windows. Default: the checkpoint's."
)
flags.DEFINE_string(
    "other_scans",
    None,
    "A folder of <id>.png: other images of lines of the dataset, to compare with its own.",
)
flags.DEFINE_string("output", None, "A JSON file to write all figures to.")


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"Unknown argument {argv[1]!r}; flags begin with --.")
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
    app.run(main)
