"""One progress bar for all long work. It changes twice a second in a terminal, and twice a minute in a log file."""

import sys
from typing import Any

from tqdm import tqdm


def progress_bar(*args: Any, **kwargs: Any) -> "tqdm[Any]":
    """A tqdm on stderr. It takes the same arguments as tqdm."""
    interval = 0.5 if sys.stderr.isatty() else 30
    return tqdm(*args, file=sys.stderr, mininterval=interval, dynamic_ncols=True, **kwargs)
