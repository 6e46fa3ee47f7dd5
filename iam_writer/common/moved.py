"""Programs that have moved say where they are now."""

import sys


def to(module: str) -> None:
    """Exits with status 1 and the new name of a program."""
    sys.exit(f"This program is now called {module}: run `python -m {module}`. Its flags are the same.")
