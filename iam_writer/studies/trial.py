"""Measures how good identify, enroll and verify are with a network, also for writers that it was not trained on.

  python -m iam_writer.studies.trial --checkpoint=runs/top50/best.keras --strangers=iam_writer/writers301 --manual_dir=~/iam

The program makes pages from the lines of test forms. It asks about these pages as they are, then on ruled paper in a shadow
and turned by three degrees, then upside down. With --strangers it also makes pages by strangers: the writers of another
dataset whose names the checkpoint does not know. It counts how many strangers are taken for known writers, how many are
named first after they were enrolled with one page, and how often verify is right about two pages.

It prints a table with 95 % intervals. The intervals of pages are calculated as if all pages were independent.

Exit status: 0 done; 1 a flag is wrong or the input cannot be used, and the message says what to do; 130 stopped.
"""

import os

from absl import flags

from iam_writer.common import data_flags, programs
from iam_writer.recognition import inputs
from pipelines.system import command_line

flags.adopt_module_key_flags(data_flags)
flags.DEFINE_string("checkpoint", None, "best.keras or best.descriptor of a training run.", required=True)
flags.DEFINE_enum(
    "split",
    "test",
    ["validation", "test"],
    "The split of the forms. Make choices with validation, and report the figures of test.",
)
flags.DEFINE_enum(
    "strangers",
    None,
    data_flags.DATASETS,
    "A dataset that has other writers too, such as iam_writer/writers301.",
)
flags.DEFINE_integer(
    "number",
    100,
    "The greatest number of pages by known writers, and by strangers (two for each).",
    2,
)
flags.DEFINE_string("output", None, "The JSON file to write all figures into.")


def main(argv: list[str]) -> None:
    command_line.check_no_arguments(argv)
    names = "checkpoint split strangers number data_dir manual_dir page_pattern writer_pattern max_bad_images output".split()
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
    command_line.start(main)
