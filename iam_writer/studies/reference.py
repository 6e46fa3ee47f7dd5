"""Learns what the hand descriptor knows about hands from invented writers, and writes it into a file.

  python -m iam_writer.studies.reference --output=iam_writer/recognition/reference.npz

The package holds this file. Nothing in it comes from real handwriting. The same command gives the same file, except for
differences in how processors round numbers. It takes about six minutes on two cores.

Exit status: 0 done; 1 a flag is wrong or the input cannot be used, and the message says what to do; 130 stopped.
"""

import os
import pathlib

from absl import flags

from iam_writer.common import programs
from iam_writer.common.files import write_beside
from iam_writer.studies.reference_learning import learnt
from pipelines.system import command_line

flags.DEFINE_string("output", None, "The file to write.", required=True)
flags.DEFINE_integer(
    "num_writers",
    600,
    "How many writers with three sessions are invented. Half as many with one session come on top.",
    20,
)


def main(argv: list[str]) -> None:
    command_line.check_no_arguments(argv)
    output, writers = os.path.expanduser(flags.FLAGS.output), flags.FLAGS.num_writers
    programs.run(lambda: _write(output, writers))


def _write(output: str, writers: int) -> int:
    programs.check_folder(output)
    found = learnt(writers)
    data = found.to_bytes()
    write_beside(pathlib.Path(output), data)
    print(
        f"{output} was written ({len(data):,} bytes). The errors for invented writers, by the amount of writing:"
    )
    for name, errors in zip(("alone", "among others"), found.errors, strict=True):
        for lines, (false_match, false_non_match) in zip(found.amounts, errors, strict=True):
            print(
                f"  {name:12} {lines:4.1f} lines: {false_match:.1%} of two hands taken for one, {false_non_match:.1%} of "
                "one hand for two"
            )
    return 0


if __name__ == "__main__":
    command_line.start(main)
