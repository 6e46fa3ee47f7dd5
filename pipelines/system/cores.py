"""How many cores and how much memory there are to use, and how many batches are made at once."""

import math
import os
import pathlib
from collections.abc import Iterator

import psutil

PREFETCHED = 2
"""Batches that lie ready for the caller."""

MOST_BYTES = 2**29
"""Batches that are being made or lie ready take no more memory than this, or this share of what the process may use:"""
MOST_SHARE = 1 / 16

_CGROUPS = pathlib.Path("/sys/fs/cgroup")
_OWN_CGROUPS = pathlib.Path("/proc/self/cgroup")


def usable_cores() -> int:
    """How many cores this process may use.

    It may run on some cores only (`taskset`, a scheduler such as Slurm), or a container may have the time of some cores only
    (Docker's `--cpus`, a CPU limit of Kubernetes). A part of a core counts as a core. On systems that do not say, such as
    macOS, it is all cores of the machine.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = []
    for folder in _own_cgroups("cpu"):
        # Version 2 has one file: "max 100000", or microseconds of CPU time and the period that they are for.
        quota, period = [*_words(folder / "cpu.max"), "max", "max"][:2]
        if quota == "max":  # Version 1. Without a limit it says -1.
            quota, period = (
                (_words(folder / f"cpu.cfs_{name}_us") or ["-1"])[0] for name in ("quota", "period")
            )
        if int(quota) > 0 and int(period) > 0:
            limits.append(math.ceil(int(quota) / int(period)))
    return max(1, min([cores, *limits]))


def usable_memory() -> int:
    """Bytes of memory that this process may use: those of the machine, or the limit of its container."""
    limits = [psutil.virtual_memory().total]
    for folder in _own_cgroups("memory"):
        words = _words(folder / "memory.max") or _words(folder / "memory.limit_in_bytes") or ["max"]
        if words[0] != "max":
            limits.append(int(words[0]))
    return min(limits)


def calls_at_once(bytes_of_batch: int) -> int:
    """How many batches are best made at once: one for each core, if they fit into their share of memory."""
    most = min(MOST_BYTES, usable_memory() * MOST_SHARE) // bytes_of_batch - PREFETCHED
    return max(1, min(usable_cores(), int(most)))


def _own_cgroups(controller: str) -> Iterator[pathlib.Path]:
    """The folders that may hold this process's limits: its group of version 1 or 2, and the groups that contain it."""
    lines = _OWN_CGROUPS.read_text().splitlines() if _OWN_CGROUPS.exists() else []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = _CGROUPS / controllers if controllers else _CGROUPS
        # In a container the path can be that of the host, of which only the top is visible.
        inside = top / path.lstrip("/")
        yield from (folder for folder in (inside, *inside.parents) if folder.is_relative_to(top))


def _words(path: pathlib.Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:  # There is no such limit, or no such group that can be seen.
        return []
