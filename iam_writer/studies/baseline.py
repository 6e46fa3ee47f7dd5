r"""Learns to name writers without a network, on the same lines as the networks: what do those buy?

  python -m iam_writer.studies.baseline --recipe=svm_top50 --manual_dir=~/iam
  python -m iam_writer.studies.baseline --recipe=descriptor_top50 --manual_dir=~/iam

--model=svm is a support vector machine on contour directions, contour hinges and runs of paper, as in Bulacu and Schomaker
2007 (`hand_made_features.py`). --model=descriptor learns linear discriminants of the hand descriptor, which counts hinges at
three scales, runs of paper, and local binary patterns on circles of fourteen radii (`recognition/descriptor.py`).

The SVM's C is chosen by validation lines. In the workdir: result.json. Needs `pip install '.[baseline]'`.

Exit status: 0 done; 1 a flag is wrong or the input cannot be used, and the message says what to do; 130 stopped.
"""

import importlib.util
import os

from absl import app, flags

from iam_writer.common import data_flags, programs, recipes
from iam_writer.common.errors import MissingDataError

flags.adopt_module_key_flags(data_flags)
flags.DEFINE_enum(
    "dataset", "iam_writer/synthetic", data_flags.DATASETS, "What to train on, as TFDS names it."
)
flags.DEFINE_enum("model", "svm", ["svm", "descriptor"], "What learns.")
flags.DEFINE_integer("processes", None, "Images read at once. Default: as many as there are cores.", 1)
flags.DEFINE_string("workdir", "runs/baseline", "Where the result goes.")


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"Unknown argument {argv[1]!r}; flags begin with --.")
    names = "dataset manual_dir data_dir max_bad_images processes workdir model".split()
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
    print(f"\nIn {values['workdir']}: result.json")
    return 0


if __name__ == "__main__":
    recipes.take_recipe()
    app.run(main)
