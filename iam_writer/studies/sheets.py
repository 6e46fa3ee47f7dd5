r"""How many lines are found, and how many writers named, on pages as people scan and photograph them?

  python -m iam_writer.studies.sheets --iam_dir=~/iam
  python -m iam_writer.studies.sheets --iam_dir=~/iam --checkpoint=runs/top50/best.descriptor --known --strangers=25 --output=rows.jsonl

The program glues whole pages from IAM's sentence images, and makes each look as under fourteen conditions: on a black plate, on a desk,
in an open book, turned, negative, coarse and others. It asks about them in one or two ways:

  --known       `identify --known`: the hand descriptor compares the page with one or two other pages of each writer. No training.
  --checkpoint  `identify --checkpoint`: what a training run has learnt. Only forms of its test split are asked about, so that it has seen
                none of them; the known pages of --known are then forms of its train split.

For each condition the program prints the share of true lines that were found, the share of found lines that are no line of the page,
the share of pages whose writer is named first, and the share of pages whose writer is named and not refused. With --strangers, it also
prints how many pages by unknown writers were given to a known one.

--output keeps the result for each page. The same command continues where an earlier one was stopped.

Exit status: 0 done; 1 a flag is wrong or the input cannot be used, and the message says what to do; 130 stopped.
"""

import os

from absl import app, flags

from iam_writer.common import programs
from iam_writer.common.errors import FlagError
from iam_writer.studies import conditions

flags.DEFINE_string("iam_dir", None, "Folder of IAM: ascii/ and sentences/, extracted.", required=True)
flags.DEFINE_integer("pages", 50, "So many pages are asked about, each by another writer.", 1)
flags.DEFINE_integer("strangers", 0, "So many pages by writers who are not known are asked about, too.", 0)
flags.DEFINE_list("conditions", list(conditions.CONDITIONS), "Conditions to measure, separated by commas.")
flags.DEFINE_string("checkpoint", None, "Ask this checkpoint: best.keras or best.descriptor of a run on IAM.")
flags.DEFINE_bool("known", None, "Ask without training. Default: only if there is no --checkpoint.")
flags.DEFINE_enum(
    "split",
    "test",
    ["validation", "test"],
    "Forms of this split of the checkpoint. Make choices with validation, and report the figures of test.",
)
flags.DEFINE_string(
    "data_dir",
    None,
    "The folder in which TFDS keeps the dataset of the checkpoint. Default: ~/tensorflow_datasets.",
)
flags.DEFINE_string("output", None, "A file to keep the result for each page in, as lines of JSON.")


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"Unknown argument {argv[1]!r}. Flags begin with --.")
    names = "iam_dir pages strangers conditions checkpoint known split data_dir output".split()
    values = {name: flags.FLAGS[name].value for name in names}
    for name in ("iam_dir", "checkpoint", "data_dir", "output"):
        values[name] = values[name] and os.path.expanduser(values[name])
    programs.run(lambda: _sheets(values))


def _sheets(values: dict) -> int:
    unknown = set(values["conditions"]) - set(conditions.CONDITIONS)
    if unknown:
        raise FlagError(
            f"--conditions: there is no {sorted(unknown)[0]!r}. There are: {', '.join(conditions.CONDITIONS)}."
        )
    if values["known"] is None:
        values["known"] = values["checkpoint"] is None
    if not (values["known"] or values["checkpoint"]):
        raise FlagError("There is nobody to ask. Give --known, or --checkpoint, or both.")
    if values["output"]:
        programs.check_folder(values["output"])
    from iam_writer.studies import sheets_report

    sheets_report.run(
        iam_dir=values["iam_dir"],
        number=values["pages"],
        strangers=values["strangers"],
        names=values["conditions"],
        checkpoint=values["checkpoint"],
        known=values["known"],
        split=values["split"],
        data_dir=values["data_dir"],
        output=values["output"],
    )
    return 0


if __name__ == "__main__":
    app.run(main)
