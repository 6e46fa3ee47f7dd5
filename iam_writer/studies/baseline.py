"""Names writers without a network, on the same lines as the networks. This shows what a network gains.

  python -m iam_writer.studies.baseline --recipe=svm_top50 --manual_dir=~/iam

It trains a support vector machine on contour directions, contour hinges and runs of paper, as in Bulacu and Schomaker
(2007); see `hand_made_features.py`. Its constant C is chosen by validation lines. The hand descriptor, which is better, is
trained by `iam-writer train --model=descriptor`.

The result is written to result.json in --workdir. The program needs `pip install '.[baseline]'`.

Exit status: 0 done; 1 a flag is wrong or the input cannot be used, and the message says what to do; 130 stopped.
"""

import importlib.util
import os

from absl import flags

from iam_writer.common import data_flags, programs, recipes
from iam_writer.common.errors import MissingDataError
from pipelines.system import command_line

flags.adopt_module_key_flags(data_flags)
flags.DEFINE_enum(
    "dataset", "iam_writer/synthetic", data_flags.DATASETS, "The dataset to train on, as TFDS names it."
)
flags.DEFINE_integer("processes", None, "How many images are read at once. Default: the number of cores.", 1)
flags.DEFINE_string("workdir", "runs/baseline", "The folder of result.json.")


def main(argv: list[str]) -> None:
    command_line.check_no_arguments(argv)
    names = "dataset manual_dir page_pattern writer_pattern data_dir max_bad_images processes workdir".split()
    values = {name: flags.FLAGS[name].value for name in names}
    for name in ("manual_dir", "data_dir", "workdir"):
        values[name] = values[name] and os.path.expanduser(values[name])
    programs.run(lambda: _baseline(values))


def _baseline(values: dict) -> int:
    if importlib.util.find_spec("sklearn") is None:
        raise MissingDataError("The baseline needs scikit-learn: pip install 'iam_writer[baseline]'.")
    from iam_writer.recognition import scoring
    from iam_writer.studies import (
        svm,
    )  # TensorFlow takes seconds to load, so a wrong flag is reported before.

    print(scoring.table(svm.run(**values)))
    print(f"\nThe figures are in {values['workdir']}/result.json.")
    return 0


if __name__ == "__main__":
    recipes.take_recipe()
    command_line.start(main)
