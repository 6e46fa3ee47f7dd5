"""How a program starts and ends on the command line."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator

from absl import app


def start(
    main: Callable[[list[str]], None], rewritten: Callable[[list[str]], list[str]] = lambda argv: argv
) -> None:
    """Reads the flags and calls `main` with the other arguments. Ends as `ending_with_the_reader` does.

    Args:
      main: of the program.
      rewritten: changes the words of the command line before the flags are read.
    """
    with ending_with_the_reader():
        app.run(main, flags_parser=lambda argv: parse_flags(rewritten(argv)))


def parse_flags(argv: list[str]) -> list[str]:
    """Reads the flags, also those of flagfiles, and returns the other arguments.

    Exits with status 1 and a sentence if a flag is wrong, or if a flagfile is not text.
    """
    try:
        return app.parse_flags_with_usage(argv)
    except UnicodeDecodeError as error:
        sys.exit(f"A file that --flagfile names is not text in UTF-8: {error}.")
    except RecursionError:  # absl looks for a flag with a similar name, one letter after the other.
        sys.exit(
            "A flag has a name of hundreds of letters, which no flag has. Correct the command or the flagfile."
        )


@contextlib.contextmanager
def ending_with_the_reader() -> Iterator[None]:
    """Exits without a message if the program that reads the output has ended, such as `head` in `… --help | head`."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        discard_output()
        sys.exit(1)


def discard_output() -> None:
    """Makes all further output disappear. Python flushes stdout when it exits, and this must not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def check_no_arguments(argv: list[str]) -> None:
    """Raises app.UsageError if there are arguments that are not flags."""
    if len(argv) > 1:
        raise app.UsageError(
            f"Unknown argument {argv[1]!r}. This program takes flags only. The name of a flag begins with two hyphens. "
            "Use --help to list the flags."
        )
