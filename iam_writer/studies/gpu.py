"""Measures one visit to a GPU: how fast each network trains, what the input and the copies allow, and what networks learn.

  KERAS_BACKEND=jax python -m iam_writer.studies.gpu --dataset=iam_writer/top50 --manual_dir=~/iam --workdir=runs/gpu

The visit takes no longer than --minutes. Each result is a line of rows.jsonl in the workdir, written as soon as it is known,
so a crash or the end of the time loses nothing that was measured. Rows that are in the file already are not measured
again: the same command goes on where a visit ended. --rows names the rows to measure, and --output is the table as Markdown.

The program runs on a CPU, too. Then its figures say little, but show that everything works. It takes all flags of
iam_writer.train. Those that a row needs are set by the row.

Exit status: 0 done; 1 a flag is wrong or the input cannot be used, and the message says what to do; 130 stopped.
"""

import math
import os
import pathlib

from absl import flags

from iam_writer import train
from iam_writer.common import programs, recipes
from iam_writer.common.files import write_beside
from iam_writer.studies.gpu_rows import NAMES
from pipelines.system import command_line

flags.adopt_module_key_flags(train)
flags.DEFINE_float("minutes", 8, "The minutes after which no further row is begun, and training ends.", 0)
flags.DEFINE_float("row_seconds", 6, "The seconds for which the speed of a row is measured.", 0)
flags.DEFINE_float("learning_minutes", 1.0, "The minutes of training of each row that measures accuracy.", 0)
flags.DEFINE_list("rows", list(NAMES), f"The rows to measure: some of {', '.join(NAMES)}.")
flags.DEFINE_string("table", "gpu_table.md", "The Markdown file to write.")


@flags.validator("rows", f"must name some of {', '.join(NAMES)}.")
def _are_rows(names):
    return set(names) <= set(NAMES)


@flags.multi_flags_validator(["minutes", "row_seconds", "learning_minutes"], "must be finite numbers.")
def _are_finite(values):
    return all(math.isfinite(value) for value in values.values())


def main(argv: list[str]) -> None:
    command_line.check_no_arguments(argv)
    values = flags.FLAGS
    programs.set_up_logging()
    with programs.plain_endings():
        base = train.settings_from_flags()
    # TensorFlow takes seconds to load, so a wrong flag is reported before.
    from iam_writer.studies import gpu_visit

    with programs.plain_endings():
        visit = gpu_visit.Visit(
            base, values.minutes, values.row_seconds, values.learning_minutes, pathlib.Path(base.workdir)
        )
        found = visit.run(values.rows)
        page = gpu_visit.page(found)
        table = pathlib.Path(os.path.expanduser(values.table))
        table.parent.mkdir(parents=True, exist_ok=True)
        write_beside(table, page)
        print(page)
        print(f"The table is in {table}, the rows are in {visit.file}.")


if __name__ == "__main__":
    recipes.take_recipe()
    command_line.start(main)
