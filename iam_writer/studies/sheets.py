r"""How many lines are found, and how many writers named, on pages as people scan and photograph them?

  python -m iam_writer.studies.sheets --iam_dir=~/iam

The program glues whole pages from IAM's sentence images, and makes each look as under fourteen conditions: on a black plate, on a desk,
in an open book, turned, negative, coarse and others. Another page or two of the same writers are known. `identify` answers without
training, by the hand descriptor. --checkpoint asks a network instead, which should have been trained on the same writers.

For each condition the program prints the share of true lines that were found, the share of found lines that are no line of the page,
the share of pages whose writer is named first, and the share of pages whose writer is named and not refused.

Exit status: 0 done; 1 a flag is wrong or the input cannot be used, and the message says what to do; 130 stopped.
"""

import os

from absl import app, flags

from iam_writer.common import programs
from iam_writer.common.errors import FlagError
from iam_writer.studies import conditions

flags.DEFINE_string("iam_dir", None, "Folder of IAM: ascii/ and sentences/, extracted.", required=True)
flags.DEFINE_integer("pages", 50, "So many pages are asked about, each by another writer.", 1)
flags.DEFINE_list("conditions", list(conditions.CONDITIONS), "Conditions to measure, separated by commas.")
flags.DEFINE_string("checkpoint", None, "Ask this network instead of the hand descriptor.")
flags.DEFINE_string("output", None, "A JSON file to write all figures to.")


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"Unknown argument {argv[1]!r}. Flags begin with --.")
    values = {name: flags.FLAGS[name].value for name in "iam_dir pages conditions checkpoint output".split()}
    for name in ("iam_dir", "checkpoint", "output"):
        values[name] = values[name] and os.path.expanduser(values[name])
    programs.run(lambda: _sheets(values))


def _sheets(values: dict) -> int:
    unknown = set(values["conditions"]) - set(conditions.CONDITIONS)
    if unknown:
        raise FlagError(
            f"--conditions: there is no {sorted(unknown)[0]!r}. There are: {', '.join(conditions.CONDITIONS)}."
        )
    if values["output"]:
        programs.check_folder(values["output"])
    from iam_writer.studies import sheets_report

    sheets_report.run(
        iam_dir=values["iam_dir"],
        number=values["pages"],
        names=values["conditions"],
        checkpoint=values["checkpoint"],
        output=values["output"],
    )
    return 0


if __name__ == "__main__":
    app.run(main)
