"""What the programs have in common: the flags that say where data lies, what they log, and how they end.

A program makes these flags its own with `flags.adopt_module_key_flags(programs)`.
"""

import contextlib
import errno
import logging
import os
import sys
from collections.abc import Iterator

import tensorflow_datasets as tfds
from absl import flags
from absl import logging as absl_logging

from iam_writer.errors import InputError
from iam_writer.iam_writer_dataset_builder import Builder

DATASETS = tuple(f"iam_writer/{config.name}" for config in Builder.BUILDER_CONFIGS)

flags.DEFINE_string(
    "manual_dir",
    None,
    "Where the handwriting lies: IAM's files, or <writer>/<form>-<line>.png for iam_writer/folder.",
)
flags.DEFINE_string("data_dir", None, "Where TFDS keeps datasets. Default: ~/tensorflow_datasets.")
flags.DEFINE_float("max_bad_images", 0.01, "Share of images that may be unreadable.", 0, 1)


def set_up_logging() -> None:
    """Shows this project's messages, and of its libraries' only warnings."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if not flags.FLAGS["verbosity"].present:
        absl_logging.set_verbosity(absl_logging.WARNING)
    absl_logging.get_absl_handler().setFormatter(logging.Formatter("%(message)s"))
    for package in ("iam_writer", "pipelines"):
        logging.getLogger(package).setLevel(logging.INFO)
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()


@contextlib.contextmanager
def plain_endings() -> Iterator[None]:
    """Exits without a traceback where a person can mend it (status 1) or has stopped the program (130)."""
    try:
        yield
    except KeyboardInterrupt as stopped:
        sys.exit(_say(stopped, 130))
    except InputError as error:
        sys.exit(_say(error, 1))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        sys.exit(_say(f"{error}. Free some space and run again; nothing half-written was kept.", 1))


def _say(message: object, status: int) -> int:
    print(f"\n{message}" if str(message) else "\nStopped.", file=sys.stderr)
    return status
