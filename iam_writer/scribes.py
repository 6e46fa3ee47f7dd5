r"""Says how many hands wrote some pages, which page is whose, and where the hand changes.

  iam-writer scribes archive/
  iam-writer scribes archive/ --output=hands
  iam-writer scribes 'leaves/*.tif' codex.pdf --false_merges=0.1

Takes image files, PDF files, folders and patterns; nobody needs to say who wrote what. Pages are in the order of the arguments, those of a
folder in the order of their names. A page is divided where its hand changes between two lines. Then pages are joined
that are so alike that two hands seldom are, see --false_merges.

Writes into --output: scribes.csv, a row for each page, or part of a page; and scribes.html, which needs no network: a tree with a
border to move, the pages in order, and the nearest neighbours of each page.

What was counted on a page is kept, so a second run takes seconds, and a program that was stopped goes on. A file that cannot be read does
not stop the others. It is listed at the end.

Exit status: 0 done; 2 done, but some files were left out; 1 a flag is wrong, or no page has handwriting; 130 stopped.
"""

import json
import os
import pathlib
import sys
from collections.abc import Sequence

from absl import app, flags

from iam_writer.common import programs
from iam_writer.common.errors import NoWritingError
from iam_writer.common.files import write_beside
from iam_writer.evidence import record, scribes, scribes_report
from iam_writer.handwriting import sources
from iam_writer.recognition import hands, reference
from iam_writer.recognition.described import describe_all
from pipelines.system import command_line

flags.DEFINE_string("output", "scribes", "A folder to write scribes.csv and scribes.html into.")
flags.DEFINE_float(
    "false_merges",
    0.5,
    "How many other hands a page may wrongly be like, on average, at most. Less gives more hands, each surer to be one.",
    1e-6,
)
flags.DEFINE_float(
    "false_changes",
    0.1,
    "Roughly the share of pages by one hand that may be divided between two lines.",
    1e-9,
    1.0,
)
flags.DEFINE_bool("json", False, "Print one JSON object.")


def main(argv: list[str]) -> None:
    if not argv[1:]:
        raise app.UsageError("Which pages? Name files or a folder.")
    names = [os.path.expanduser(name) for name in argv[1:]]
    output = pathlib.Path(flags.FLAGS.output).expanduser()
    values = {name: flags.FLAGS[name].value for name in ("false_merges", "false_changes")}
    as_json = flags.FLAGS.json
    programs.run(lambda: _scribes(names, output, as_json, **values))


def _scribes(
    names: Sequence[str], output: pathlib.Path, as_json: bool, false_merges: float, false_changes: float
) -> int:
    wheel = reference.read()
    paths = sources.pages(names)
    output.mkdir(parents=True, exist_ok=True)
    pages, left_out = hands.good(describe_all(paths, progress="Pages"))
    if not pages:
        raise NoWritingError("\n".join([*left_out, "No page has handwriting."]))
    found = scribes.find(pages, wheel, false_merges, false_changes)
    about: scribes_report.ScribesRecord = {
        **record.record(wheel),
        "false_merges": false_merges,
        "false_changes": false_changes,
        "files": record.files(pages),
    }
    write_beside(output / "scribes.csv", scribes_report.as_csv(found, pages))
    write_beside(output / "scribes.html", scribes_report.as_page(found, pages, about, left_out, false_merges))
    if as_json:
        print(json.dumps(scribes_report.as_json(found, pages, left_out, about)))
    else:
        print(scribes_report.as_text(found, pages))
        print(f"{output / 'scribes.html'} shows the pages; {output / 'scribes.csv'} is the table.")
    for sentence in left_out:
        print(sentence, file=sys.stderr)
    return 2 if left_out else 0


if __name__ == "__main__":
    command_line.start(main)
