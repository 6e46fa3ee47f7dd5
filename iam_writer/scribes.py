r"""Says how many hands wrote some pages, which page is whose, and where the hand changes.

  iam-writer scribes archive/
  iam-writer scribes archive/ --output=hands
  iam-writer scribes 'leaves/*.tif' codex.pdf --false_merges=0.1

Takes image files, PDF files, folders and patterns; nobody needs to say who wrote what. Pages are in the order of the arguments, those of a
folder in the order of their names. A page is divided where its hand changes between two lines. Then pages are joined
that are so alike that two hands seldom are, see --false_merges.

Writes into --output what --formats names:

  html   scribes.html, which needs no network: a tree with a border to move, the pages in order, the nearest neighbours of each page
  csv    scribes.csv, a row for each page, or part of a page; lines.csv, a row for each line
  json   scribes.json, all of it
  page   page/<page>.xml: PAGE-XML with the hand of each line, for eScriptorium, Transkribus, OCR-D
  tei    scribes.tei.xml: the hands, and the places where the hand changes
  iiif   iiif/manifest.json, and an annotation page for each page

If a PAGE-XML or ALTO file lies beside a picture, its lines and texts are taken.

What was counted on a page is kept, so a second run takes seconds, and a program that was stopped goes on. A file that cannot be read does
not stop the others. It is listed at the end.

Exit status: 0 done; 2 done, but some files were left out; 1 a flag is wrong, or no page has handwriting; 130 stopped.
"""

import os
import pathlib
import sys
from collections.abc import Sequence

from absl import app, flags

from iam_writer.common import answers, programs
from iam_writer.common.errors import NoWritingError
from iam_writer.common.files import write_beside
from iam_writer.evidence import hand_files, line_hands, record, scribes, scribes_report
from iam_writer.handwriting import sources
from iam_writer.recognition import hands, reference
from iam_writer.recognition.described import describe_all
from pipelines.system import command_line

flags.DEFINE_string("output", "scribes", "A folder to write into.")
flags.DEFINE_list(
    "formats", ["html", "csv"], f"What to write: {', '.join(hand_files.FORMATS)}, with commas between."
)
flags.DEFINE_string(
    "iiif_base",
    "https://example.org/iiif",
    "For --formats=iiif: the address at which the files and the pictures will stand.",
)
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
flags.adopt_module_key_flags(answers)


@flags.validator("formats", f"must be some of {', '.join(hand_files.FORMATS)}, with commas between.")
def _are_formats(names: list[str]) -> bool:
    return bool(names) and set(names) <= set(hand_files.FORMATS)


@flags.validator("iiif_base", "must be an address that begins with http:// or https://.")
def _is_address(address: str) -> bool:
    return address.startswith(("http://", "https://"))


def main(argv: list[str]) -> None:
    if not argv[1:]:
        raise app.UsageError("Which pages? Name files or a folder.")
    names = [os.path.expanduser(name) for name in argv[1:]]
    output = pathlib.Path(flags.FLAGS.output).expanduser()
    values = {name: flags.FLAGS[name].value for name in ("false_merges", "false_changes")}
    formats, base = flags.FLAGS.formats, flags.FLAGS.iiif_base.rstrip("/")
    programs.run(lambda: _scribes(names, output, formats, base, **values))


def _scribes(
    names: Sequence[str],
    output: pathlib.Path,
    formats: Sequence[str],
    base: str,
    false_merges: float,
    false_changes: float,
) -> int:
    wheel = reference.read()
    paths = sources.pages(names)
    output.mkdir(parents=True, exist_ok=True)
    pages, left_out = hands.good(describe_all(paths, progress="Pages"))
    if not pages:
        raise NoWritingError("\n".join([*left_out, "No page has handwriting."]))
    if "page" in formats:
        hand_files.check(output / "page", [page.layout for page in pages])
    found = scribes.find(pages, wheel, false_merges, false_changes)
    about: scribes_report.ScribesRecord = {
        **record.record(wheel),
        "false_merges": false_merges,
        "false_changes": false_changes,
        "files": record.files(pages),
    }
    data = scribes_report.as_json(found, pages, left_out, about)
    if "html" in formats:
        page = scribes_report.as_page(found, pages, about, left_out, false_merges)
        write_beside(output / "scribes.html", page)
    if "csv" in formats:
        write_beside(output / "scribes.csv", scribes_report.as_csv(found, pages))
    of_lines = line_hands.of(found, pages)
    hand_files.write(output, formats, base, of_lines, found.hands, data)
    text = scribes_report.as_text(found, pages)
    with answers.printed() as say:
        say(data, f"{text}\n{hand_files.in_words(output, formats)}", data["regions"])
    for sentence in hands.about_lines(pages):
        print(sentence, file=sys.stderr)
    for sentence in left_out:
        print(sentence, file=sys.stderr)
    return 2 if left_out else 0


if __name__ == "__main__":
    command_line.start(main)
