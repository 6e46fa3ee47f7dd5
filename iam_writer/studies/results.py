r"""Writes a page of results from what runs have left: no figure in it is typed by hand.

  python -m iam_writer.studies.results runs/*/result.json --output=docs/results.md

A table for each protocol: a dataset, how it holds lines out, and how many lines, forms and writers the test has. Runs
that differ in nothing but their seed make one row, of means.

Exit status: 0 done; 1 a file is none of ours, and the message says which.
"""

import os
import pathlib
import sys

from absl import app, flags

from iam_writer.common import programs
from iam_writer.common.files import write_beside
from iam_writer.studies import results_page

flags.DEFINE_string("output", "results.md", "The file to write.")


def main(argv: list[str]) -> None:
    if len(argv) < 2:
        raise app.UsageError("Pass the result.json of one run or more.")
    with programs.plain_endings():
        output = pathlib.Path(os.path.expanduser(flags.FLAGS.output))
        output.parent.mkdir(parents=True, exist_ok=True)
        results = results_page.read(argv[1:])
        write_beside(output, results_page.report(results))
    print(f"Wrote {output} from {len(results)} results.", file=sys.stderr)


if __name__ == "__main__":
    app.run(main)
