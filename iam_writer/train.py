"""Trains a network that names the writer of a line of handwriting, and measures its accuracy.

Without any data, on invented writers:

  iam-writer train --recipe=quickstart

On the IAM handwriting database. The folder ~/iam holds its archives, or the extracted files:

  iam-writer train --recipe=iam_top50 --manual_dir=~/iam --workdir=runs/top50

`python -m iam_writer.train` is another name for `iam-writer train`.

With --model=descriptor no network is trained. The hands of the writers are learnt by the hand descriptor, in a minute or two.

If a run was stopped or killed, the same command continues it. A run writes these files into --workdir: best.keras,
last.keras, result.json, flags.txt (the flags that repeat the run) and tensorboard/. With --model=descriptor the checkpoint
is best.descriptor. --helpfull also lists the flags that few runs need.

Exit status: 0 done; 1 a flag is wrong or the input cannot be used, and the message says what to do; 130 stopped.
"""

import dataclasses
import math
import os

from absl import flags

from iam_writer.common import data_flags, programs, recipes, specs
from iam_writer.common.errors import FlagError
from iam_writer.common.names import AUGMENTATIONS, DESCRIPTOR
from iam_writer.training import flags as train_flags
from iam_writer.training.settings import OF_DESCRIPTOR, Settings
from pipelines.system import command_line

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
            raise FlagError(f"--{name}={value} is not a finite number. Give a finite number.")
    if values["manual_dir"]:
        values["manual_dir"] = specs.expanduser(values["dataset"], values["manual_dir"])
    for name in ("data_dir", "fonts_dir", "text_file", "workdir"):
        values[name] = values[name] and os.path.expanduser(values[name])
    if values["augment"] == ["all"]:
        values["augment"] = list(AUGMENTATIONS)
    settings = Settings(**values)
    if settings.model == DESCRIPTOR:
        _check_descriptor(settings)
    _ = settings.specs  # Raises FlagError.
    return settings


def _check_descriptor(settings: Settings) -> None:
    """Raises FlagError if a flag was given that does nothing without a network."""
    default = Settings()
    for field in dataclasses.fields(Settings):
        value = getattr(settings, field.name)
        if field.name not in OF_DESCRIPTOR and value != getattr(default, field.name):
            raise FlagError(
                f"--{field.name} is about networks, and --model=descriptor trains none. Leave --{field.name} out."
            )


def main(argv: list[str]) -> None:
    command_line.check_no_arguments(argv)
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
            settings.workdir if settings.num_seeds == 1 else f"the folder of each seed in {settings.workdir}"
        )
        files = (
            "result.json, best.descriptor and flags.txt"
            if settings.model == DESCRIPTOR
            else "result.json, best.keras, flags.txt and tensorboard/"
        )
        print(f"\nThe run has written {files} into {where}.")
        has_invented = any(spec.config == "synthetic" for spec in settings.specs)
        if settings.num_seeds == 1 and settings.strategy == "one" and has_invented:
            from iam_writer.training import invented_pages

            print(f"\n{invented_pages.ask(settings)}")


if __name__ == "__main__":
    recipes.take_recipe()
    command_line.start(main)
