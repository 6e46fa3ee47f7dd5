r"""How well does a network do on scans that look different from those it was trained on?

  python -m iam_writer.robustness --checkpoint=runs/top50/best.keras --manual_dir=~/iam

Scans the lines of a split clean and under each of `corruptions.py`, and prints the share of patches, lines and forms
whose writer is named first. --other_scans compares with other images of the same lines.

Exit status: 0 done; 1 a flag is wrong or the input cannot be used, and the message says what to do; 130 stopped.
"""

import os

from absl import app, flags

from iam_writer import data_flags, programs
from iam_writer.settings import COMBINATIONS

flags.adopt_module_key_flags(data_flags)
flags.DEFINE_string("checkpoint", None, "The network: best.keras of a run.", required=True)
flags.DEFINE_enum("split", "test", ["validation", "test"], "Whose lines. Choose by validation, report test.")
flags.DEFINE_integer("window_stride", 8, "Columns from a window to the next; 1: all.", 1)
flags.DEFINE_enum(
    "combine", "probabilities", COMBINATIONS, "What of the windows is averaged for a line, and for a form."
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
    programs.set_up_logging()
    from iam_writer import scans  # TensorFlow takes seconds to load; a wrong flag is told before.

    names = ("checkpoint", "manual_dir", "data_dir", "other_scans", "output")
    paths = {name: flags.FLAGS[name].value and os.path.expanduser(flags.FLAGS[name].value) for name in names}
    with programs.plain_endings():
        report = scans.run(
            **paths,
            max_bad_images=flags.FLAGS.max_bad_images,
            split=flags.FLAGS.split,
            window_stride=flags.FLAGS.window_stride,
            combine=flags.FLAGS.combine,
        )
    print(scans.table(report))


if __name__ == "__main__":
    app.run(main)
