"""How many cores there are to use."""

import os


def usable_cores() -> int:
    """Those that this process may run on; all of the machine where the system does not tell, as on macOS."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
