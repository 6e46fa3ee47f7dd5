"""How many cores there are to use."""

import os


def usable_cores() -> int:
    """How many cores this process may run on. On systems that do not say, such as macOS, all of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
