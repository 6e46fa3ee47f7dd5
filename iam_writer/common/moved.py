"""The message of programs that have moved."""

import sys


def to(module: str) -> None:
    """Exits with status 1 and a message with the new name of a program."""
    sys.exit(f"This program is now called {module}: run `python -m {module}`. Its flags are the same.")
