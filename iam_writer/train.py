r"""Trains a network that says who wrote a line of handwriting, and tells how well it does.

With no data at hand, on invented writers:

  iam-writer train --recipe=quickstart

On the IAM handwriting database, its archives or extracted folders being in ~/iam:

  iam-writer train --recipe=iam_top50 --manual_dir=~/iam --workdir=runs/top50

`python -m iam_writer.train --recipe=quickstart` is the same as `iam-writer train --recipe=quickstart`.

Run again, the same command goes on where it was stopped or killed. In the workdir: best.keras and last.keras,
result.json, flags.txt, which repeats the run, and tensorboard/. --helpfull lists more flags, of finer points.

Exit status: 0 done; 1 a flag is wrong or the input cannot be used, and the message says what to do; 130 stopped.
"""

import dataclasses
import math
import os

from absl import app, flags

from iam_writer.common import data_flags, programs, recipes, specs
from iam_writer.common.errors import FlagError
from iam_writer.common.names import AUGMENTATIONS
from iam_writer.training import flags as train_flags
from iam_writer.training.settings import Settings

flags.adopt_module_key_flags(data_flags)
flags.declare_key_flag("recipe")
for _name in train_flags.KEY_FLAGS:
    flags.declare_key_flag(_name)


def settings_from_flags() -> Settings:
    """The flags' values; paths with ~ resolved.

    Raises:
      FlagError: a number is infinite or none, or there are other than as many folders as datasets.
    """
    values = {field.name: flags.FLAGS[field.name].value for field in dataclasses.fields(Settings)}
    for name, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):  # NaN is within all bounds.
            raise FlagError(f"--{name}={value} is not a number to work with.")
    if values["manual_dir"]:
        values["manual_dir"] = specs.expanduser(values["dataset"], values["manual_dir"])
    for name in ("data_dir", "fonts_dir", "text_file", "workdir"):
        values[name] = values[name] and os.path.expanduser(values[name])
    if values["augment"] == ["all"]:
        values["augment"] = list(AUGMENTATIONS)
    settings = Settings(**values)
    _ = settings.specs  # Raises FlagError.
    return settings


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"Unknown argument {argv[1]!r}; flags begin with --.")
    programs.set_up_logging()
    with programs.plain_endings():
        settings = settings_from_flags()
    from iam_writer.recognition import scoring
    from iam_writer.training import (
        experiment,  # TensorFlow takes seconds to load; a wrong flag is told before.
    )

    with programs.plain_endings():
        if settings.num_seeds == 1:
            printed = scoring.table(experiment.run(settings))
        else:
            printed = scoring.table_of_seeds(experiment.run_seeds(settings))
        print(printed)
        where = (
            settings.workdir
            if settings.num_seeds == 1
            else f"{settings.workdir} a folder a seed, and in each"
        )
        print(f"\nIn {where}: result.json, best.keras, flags.txt, tensorboard/")
        has_invented = any(spec.config == "synthetic" for spec in settings.specs)
        if settings.num_seeds == 1 and settings.strategy == "one" and has_invented:
            from iam_writer.training import invented_pages

            print(f"\n{invented_pages.ask(settings)}")


if __name__ == "__main__":
    recipes.take_recipe()
    app.run(main)
