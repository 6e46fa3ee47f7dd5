r"""Measures the likelihood ratios of verify on pages whose writers are known.

  iam-writer validate specimens/
  iam-writer validate ~/iam --writers=100 --pages=2 --output=validation

The folder holds a folder of pages for each writer (or of single lines, <page>-<line>.png), or it is the IAM handwriting database. All
pairs of pages are judged: whole pages, and 1, 2, 4 and 8 lines a side. The ratios are calibrated in up to three ways: by
invented writers alone; by invented writers and what the pages have in common (20 writers or more); by other writers
of the collection (25 writers or more). Prints Cllr, Cllr_min, the equal error rate, and how often ratios mislead.

With --output a folder is written: validation.html with Tippett and PAV plots, and validation.json with all figures.

Exit status: 0 done; 1 a flag is wrong, or the folder cannot be used; 130 stopped.
"""

import json
import os
import pathlib
import sys

from absl import app, flags

from iam_writer.common import answers, programs
from iam_writer.common.files import write_beside
from iam_writer.evidence import record, specimens, validation, validation_report
from iam_writer.recognition import reference
from pipelines.system import command_line

flags.DEFINE_string("output", None, "A folder to write validation.html and validation.json into.")
flags.DEFINE_integer("writers", None, "Take so many writers, drawn by --seed. Default: all.", 2)
flags.DEFINE_integer("pages", None, "Take so many pages of each writer; leave out who has fewer.", 2)
flags.DEFINE_string("seed", "0", "Another word draws other writers and pages.")
flags.adopt_module_key_flags(answers)


def main(argv: list[str]) -> None:
    if len(argv) != 2:
        raise app.UsageError("Which pages? Name a folder with a folder of pages for each writer.")
    place = os.path.expanduser(argv[1])
    values = {name: flags.FLAGS[name].value for name in ("output", "writers", "pages", "seed")}
    programs.run(lambda: _validate(place, **values))


def _validate(place: str, output: str | None, writers: int | None, pages: int | None, seed: str) -> int:
    if output:
        folder = pathlib.Path(output).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
    wheel = reference.read()
    read = specimens.read(place)
    for sentence in (*read.left_out, *read.notes):
        print(sentence, file=sys.stderr)
    found = validation.validate(specimens.drawn(read, writers, pages, seed), wheel)
    about = record.record(wheel)
    data = {**found.as_json(), "folder": place, "left_out": read.left_out, **about}
    with answers.printed() as say:
        say(data, validation_report.text(found), found.as_json()["results"])
    if output:
        write_beside(folder / "validation.json", json.dumps(data) + "\n")
        write_beside(
            folder / "validation.html", validation_report.as_page(found, place, about, read.left_out)
        )
        print(f"{folder / 'validation.html'} shows the plots.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    command_line.start(main)
