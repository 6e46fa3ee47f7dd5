"""Writes a page of results from the result.json of runs, so that nobody types the figures.

  python -m iam_writer.studies.results runs/*/result.json --output=docs/results.md

The page has a table for each protocol. Runs have the same protocol if they have the same dataset, the same way to hold out
lines, and the same numbers of test lines, forms and writers. Runs that differ only in their seed make one row of means.

--keep=docs/results also writes a copy of each result.json that may be passed on: it has no path of your machine and no
fingerprint of the data. A copy has the name of the run's folder. The page can be made again from the copies:

  python -m iam_writer.studies.results docs/results/*.json --output=docs/results.md

Exit status: 0 done; 1 a file is not the result.json of a run, and the message names it.
"""

import json
import os
import pathlib
import sys

from absl import app, flags

from iam_writer.common import programs
from iam_writer.common.files import write_beside
from iam_writer.studies import results_page
from pipelines.system import command_line

flags.DEFINE_string("output", "results.md", "The file to write.")
flags.DEFINE_string(
    "keep", None, "The folder for a copy of each result.json, without paths and fingerprints."
)


def main(argv: list[str]) -> None:
    if len(argv) < 2:
        raise app.UsageError("No file is named. Give the result.json of one or more runs.")
    with programs.plain_endings():
        output = pathlib.Path(os.path.expanduser(flags.FLAGS.output))
        output.parent.mkdir(parents=True, exist_ok=True)
        results = results_page.read(argv[1:])
        write_beside(output, results_page.report(list(results.values())))
        if flags.FLAGS.keep:
            folder = pathlib.Path(os.path.expanduser(flags.FLAGS.keep))
            folder.mkdir(parents=True, exist_ok=True)
            for path, result in results.items():
                copy = json.dumps(results_page.kept(result), indent=1, sort_keys=True)
                write_beside(folder / f"{pathlib.Path(path).parent.name}.json", copy + "\n")
    print(f"Wrote {output} from {len(results)} results.", file=sys.stderr)


if __name__ == "__main__":
    command_line.start(main)
