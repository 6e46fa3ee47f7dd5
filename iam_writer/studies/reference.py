r"""Learns from invented writers what the hand descriptor knows without any training, and writes it into a file.

  python -m iam_writer.studies.reference --output=iam_writer/recognition/reference.npz

The package holds this file. No real handwriting is in it, and nothing was learnt from real handwriting. The same command
gives the same file, up to the rounding of the processor. It takes about six minutes on two cores.

Exit status: 0 done; 1 a flag is wrong or the file cannot be written, and the message says what to do; 130 stopped.
"""

import os
import pathlib

from absl import app, flags

from iam_writer.common import programs
from iam_writer.common.files import write_beside
from iam_writer.studies.reference_learning import learnt

flags.DEFINE_string("output", None, "The file to write.", required=True)
flags.DEFINE_integer(
    "num_writers", 600, "Writers to learn from; half as many more are of a single session.", 20
)


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"Unknown argument {argv[1]!r}; flags begin with --.")
    output, writers = os.path.expanduser(flags.FLAGS.output), flags.FLAGS.num_writers
    programs.run(lambda: _write(output, writers))


def _write(output: str, writers: int) -> int:
    programs.check_folder(output)
    found = learnt(writers)
    data = found.to_bytes()
    write_beside(pathlib.Path(output), data)
    print(f"{output}: {len(data):,} bytes. Errors by lines of writing, on invented writers:")
    for name, errors in zip(("alone", "among others"), found.errors, strict=True):
        for lines, (false_match, false_non_match) in zip(found.amounts, errors, strict=True):
            print(
                f"  {name:12} {lines:4.1f} lines: {false_match:.1%} of two hands taken for one, {false_non_match:.1%} of "
                "one hand for two"
            )
    return 0


if __name__ == "__main__":
    app.run(main)
