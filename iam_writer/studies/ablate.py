"""Measures what each part of a recipe is worth.

  python -m iam_writer.studies.ablate --recipe=ablation_top50 --manual_dir=~/iam

The program trains the recipe as it is, and again for each --vary, with some flags changed. All rows of the table train for
--train_minutes: the program first measures how fast each row trains on this machine. A --scan is a row without training:
the networks of the first row scan the lines with other flags. The table is printed and written to --output.

This program takes all flags of iam_writer.train. If it was stopped or killed, the same command continues. The workdir holds
speeds.json, and a folder with a training run for each row and seed.

Exit status: 0 done; 1 a flag is wrong or the input cannot be used, and the message says what to do; 130 stopped.
"""

import dataclasses
import math
import os
import pathlib
import shlex
import sys

from absl import app, flags

from iam_writer import train
from iam_writer.common import programs, recipes
from iam_writer.common.files import write_beside
from iam_writer.training.settings import Settings
from pipelines.system import command_line

flags.adopt_module_key_flags(train)
flags.DEFINE_multi_string(
    "vary",
    [],
    "Adds a row: the recipe with these flags changed, such as 'model=deepwriter patch_width=226'.",
)
flags.DEFINE_multi_string(
    "scan",
    [],
    "Adds a row: the first row's networks scan with this flag changed, such as 'window_stride=226'.",
)
flags.DEFINE_float("train_minutes", 2, "The minutes of training of each run, without validation.", 0)
flags.DEFINE_string("output", "ablation.md", "The Markdown file to write.")

SCANNING = ("window_stride", "combine", "window_sizes")
"""The flags that a --scan may change."""

COMMON = (
    *("dataset", "manual_dir", "page_pattern", "writer_pattern", "data_dir", "workdir", "seed", "num_seeds"),
    "patch_fraction",
)
"""The flags that a --vary may not change: all rows share them, or this program sets them."""


@flags.validator("train_minutes", "must be more than 0, and finite.")
def _is_positive(minutes):
    return 0 < minutes < math.inf


def rows_from_flags() -> tuple[dict[str, Settings], dict[str, Settings]]:
    """The rows to train and the rows to scan, each as a dict of change → settings. The first row to train is the base.

    Raises:
      app.UsageError: a flag in --vary or --scan is wrong, must not be changed there, or has the value of the base.
      FlagError: see `train.settings_from_flags`.
    """
    base = train.settings_from_flags()
    rows, scans = {"": base}, {}
    varied, scanned = (
        flags.FLAGS.vary,
        flags.FLAGS.scan,
    )  # Read now, because the flags are parsed again below.
    for change in varied:
        rows[change], names = _changed(base, change)
        if names & {*COMMON}:
            raise app.UsageError(
                f"--vary={change!r} must not change {', '.join(sorted(names & {*COMMON}))}. All rows share it."
            )
    for change in scanned:
        scans[change], names = _changed(base, change)
        if names - {*SCANNING}:
            raise app.UsageError(
                f"--scan={change!r} is not possible. --scan can change {', '.join(SCANNING)} only."
            )
    return rows, scans


def _changed(base: Settings, change: str) -> tuple[Settings, set[str]]:
    """The settings of the command line with the flags of `change` added, and the names of the settings that differ.

    The flags in `change` are written without their dashes.
    """
    flags.FLAGS.unparse_flags()
    try:
        flags.FLAGS([*sys.argv, *(f"--{word}" for word in shlex.split(change))])
    except (flags.Error, ValueError) as error:  # ValueError: a quotation mark is not closed.
        raise app.UsageError(f"A flag in {change!r} is wrong: {error}") from error
    settings = train.settings_from_flags()
    names = {name for name, value in dataclasses.asdict(settings).items() if value != getattr(base, name)}
    if not names:
        raise app.UsageError(
            f"{change!r} changes nothing, since the recipe has these values already. Leave it out."
        )
    return settings, names


def main(argv: list[str]) -> None:
    command_line.check_no_arguments(argv)
    minutes, table = flags.FLAGS.train_minutes, pathlib.Path(os.path.expanduser(flags.FLAGS.output))
    programs.set_up_logging()
    with programs.plain_endings():
        rows, scans = rows_from_flags()
    from iam_writer.studies import (
        ablation,
    )  # TensorFlow takes seconds to load, so a wrong flag is reported before.

    with programs.plain_endings():
        page = ablation.page(ablation.run(rows, scans, minutes), minutes)
        table.parent.mkdir(parents=True, exist_ok=True)
        write_beside(table, page)
        print(page)
        print(
            f"The table is in {table}. The runs are in {rows[''].workdir}, with a folder for each row and seed."
        )


if __name__ == "__main__":
    recipes.take_recipe()
    command_line.start(main)
