"""One progress bar for all long work: lively for a person, sparing in a log file."""

import sys

from tqdm import tqdm


def progress_bar(*args, **kwargs) -> tqdm:
    """A tqdm on stderr; takes what tqdm takes."""
    interval = 0.5 if sys.stderr.isatty() else 30
    return tqdm(*args, file=sys.stderr, mininterval=interval, dynamic_ncols=True, **kwargs)
