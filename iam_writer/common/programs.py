"""What all programs share: what they log, and how they end."""

import contextlib
import errno
import logging
import os
import pathlib
import sys
import warnings
from collections.abc import Callable, Iterator

from absl import flags
from absl import logging as absl_logging
from PIL import Image

from iam_writer.common.errors import InputError, MissingDataError
from pipelines.system import command_line
from pipelines.system.quiet import load_tensorflow_quietly


def set_up_logging() -> None:
    """Shows all messages of this project, but only the warnings of its libraries."""
    load_tensorflow_quietly()
    if getattr(sys.stdout, "errors", None) == "strict":
        # Names of files and writers may have letters that the terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # Readers refuse such images.
    if not flags.FLAGS["verbosity"].present:
        absl_logging.set_verbosity(absl_logging.WARNING)
    absl_logging.get_absl_handler().setFormatter(logging.Formatter("%(message)s"))
    for package in ("iam_writer", "pipelines"):
        logging.getLogger(package).setLevel(logging.INFO)


@contextlib.contextmanager
def plain_endings() -> Iterator[None]:
    """Exits without a traceback if the user can repair what is wrong (status 1) or has stopped the program (130)."""
    try:
        yield
        print(end="", flush=True)
    except BrokenPipeError:
        command_line.discard_output()
        sys.exit(_say("The output is incomplete, because the program that read it has ended.", 1))
    except KeyboardInterrupt as stopped:
        sys.exit(_say(stopped, 130))
    except InputError as error:
        sys.exit(_say(error, 1))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            sys.exit(
                _say(
                    f"{error}. Free some space, and give the same command again. No incomplete file was kept.",
                    1,
                )
            )
        if error.filename is None:
            raise
        sys.exit(_say(f"{error.filename} cannot be used: {error.strerror}.", 1))


def run(program: Callable[[], int]) -> None:
    """Exits with the status that a program returns, or as `plain_endings` does."""
    set_up_logging()
    with plain_endings():
        status = program()
    sys.exit(status)


def check_folder(path: str | os.PathLike) -> None:
    """Raises MissingDataError if there is no folder to write a file into."""
    folder = pathlib.Path(path).parent
    if not folder.is_dir():
        raise MissingDataError(
            f"There is no folder {folder}, so {pathlib.Path(path).name} cannot be written into it. Make the folder, or name "
            "another one."
        )


def _say(message: object, status: int) -> int:
    print(message if str(message) else "\nStopped.", file=sys.stderr)
    return status
