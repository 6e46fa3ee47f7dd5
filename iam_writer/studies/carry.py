"""Measures whether hands are told apart on scans and scripts that a method has not learnt from.

  python -m iam_writer.studies.carry --dataset=iam_writer/writers301 --manual_dir=~/iam \\
    --checkpoints=runs/descriptor_top50/best.descriptor,runs/descriptor_writers301/best.descriptor

Each method turns forms and lines into vectors. Each form is asked about among all other forms of a collection, and each line
among all forms but its own. A method learnt from nothing (the plain features of the hand descriptor), from invented writers
(the reference of the package), or from the training forms of a checkpoint.

The collections are the validation and test forms of --dataset, as they are and on gray paper with a gray pen; and pages of
new invented writers in the Latin and in the Greek script. No method has learnt from any of these forms.

Exit status: 0 done; 1 a flag is wrong or the input cannot be used, and the message says what to do; 130 stopped.
"""

import os

from absl import flags

from iam_writer.common import data_flags, programs
from pipelines.system import command_line

flags.adopt_module_key_flags(data_flags)
flags.DEFINE_enum(
    "dataset",
    "iam_writer/writers301",
    data_flags.DATASETS,
    "The dataset whose validation and test forms are asked about.",
)
flags.DEFINE_list(
    "checkpoints", [], "Checkpoints of the hand descriptor (best.descriptor), with commas between."
)
flags.DEFINE_integer("writers", 50, "How many new writers are invented for each script.", 2)
flags.DEFINE_string("output", None, "The JSON file to write all figures into.")


def main(argv: list[str]) -> None:
    command_line.check_no_arguments(argv)
    names = "dataset manual_dir data_dir max_bad_images page_pattern writer_pattern writers output".split()
    values = {name: flags.FLAGS[name].value for name in names}
    for name in ("manual_dir", "data_dir", "output"):
        values[name] = values[name] and os.path.expanduser(values[name])
    checkpoints = [os.path.expanduser(path) for path in flags.FLAGS.checkpoints]
    programs.run(lambda: _carry(checkpoints, values))


def _carry(checkpoints: list[str], values: dict) -> int:
    if values["output"]:
        programs.check_folder(values["output"])
    # TensorFlow takes seconds to load, so a wrong flag is reported before.
    from iam_writer.studies import carry_over

    print(carry_over.table(carry_over.run(checkpoints=checkpoints, **values)))
    return 0


if __name__ == "__main__":
    command_line.start(main)
