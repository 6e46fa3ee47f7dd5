r"""Tries what identify, enroll and verify are worth on pages, also by hands that the network was not trained on.

  python -m iam_writer.studies.trial --checkpoint=runs/top50/best.keras --strangers=iam_writer/writers301 --manual_dir=~/iam

Pages are glued from the lines of the forms held out for test: as they are, on ruled paper in a shadow and askew, and
upside down. Then from forms by strangers, who are those writers of another dataset whose names the checkpoint does not
know: who is taken for a known writer, what one page of theirs is worth in a gallery, and how well any two pages are told
to be by one hand or two. Prints a table, with 95 % intervals, those of pages as if pages were independent.

Exit status: 0 done; 1 a flag is wrong or the input cannot be used, and the message says what to do; 130 stopped.
"""

import os

from absl import app, flags

from iam_writer.common import data_flags, programs
from iam_writer.recognition import inputs

flags.adopt_module_key_flags(data_flags)
flags.DEFINE_string("checkpoint", None, "The trained network: a best.keras.", required=True)
flags.DEFINE_enum("split", "test", ["validation", "test"], "Whose forms. Choose by validation, report test.")
flags.DEFINE_enum(
    "strangers",
    None,
    data_flags.DATASETS,
    "The dataset in which others wrote too, such as iam_writer/writers301.",
)
flags.DEFINE_integer("number", 100, "So many pages by known writers at most, and by strangers, two each.", 2)
flags.DEFINE_string("output", None, "A JSON file to write all figures to.")


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"Unknown argument {argv[1]!r}; flags begin with --.")
    names = "checkpoint split strangers number data_dir manual_dir max_bad_images output".split()
    values = {name: flags.FLAGS[name].value for name in names}
    for name in ("checkpoint", "data_dir", "manual_dir", "output"):
        values[name] = values[name] and os.path.expanduser(values[name])
    programs.run(lambda: _trial(values))


def _trial(values: dict) -> int:
    if values["output"]:
        programs.check_folder(values["output"])
    inputs.open_calibration(values["checkpoint"])
    # TensorFlow takes seconds to load, so a wrong flag is reported before.
    from iam_writer.studies import people, people_report

    print(people_report.table(people.run(**values)))
    return 0


if __name__ == "__main__":
    app.run(main)
