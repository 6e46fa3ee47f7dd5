"""Runs one input in a process of its own, with limits, and says how it ended.

The process is a fork of this one, which has loaded the libraries. So an input costs milliseconds, not seconds.
"""

import contextlib
import dataclasses
import io
import os
import pathlib
import random
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator

SECONDS = 20
"""Of the processor. A program that needs more hangs."""

WALL_SECONDS = 60
"""A program that waits and computes nothing is stopped after so long."""

GIGABYTES = 2
"""Memory beyond that of the libraries."""

ANSWER, SENTENCE, TRACEBACK, HANG, MEMORY, OUTSIDE = (
    "answer",
    "sentence",
    "traceback",
    "hang",
    "memory",
    "outside",
)
GOOD = (ANSWER, SENTENCE)

_OWN = {"in", "out", "home", "said"}
_FAILED = 70
"""The exit status of a process whose program raised an error that is not told in a sentence."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes:
      name: for people.
      make: writes an input with some damage into a folder, by a random generator.
      read: reads what was made. It gets the folder of the input and an empty folder. It returns an answer, raises SystemExit,
        or raises an error that programs tell in a sentence.
    """

    name: str
    make: Callable[[pathlib.Path, random.Random], None]
    read: Callable[[pathlib.Path, pathlib.Path, random.Random], object]


@dataclasses.dataclass(frozen=True)
class Outcome:
    kind: str
    number: int
    verdict: str
    said: str
    seconds: float


@dataclasses.dataclass
class _Running:
    process: int
    kind: Kind
    number: int
    folder: pathlib.Path
    began: float


def run(kind: Kind, number: int, seed: int, root: pathlib.Path) -> Outcome:
    """One input, in a process of its own."""
    return _finish(*_wait([_start(kind, number, seed, root)]))


def run_all(
    plan: Iterator[tuple[Kind, int]], seed: int, root: pathlib.Path, jobs: int, until: float
) -> Iterator[Outcome]:
    """The inputs of a plan, several at once, until a time (`time.monotonic`)."""
    running: list[_Running] = []
    try:
        while True:
            while len(running) < jobs and time.monotonic() < until and (planned := next(plan, None)):
                running.append(_start(*planned, seed, root))
            if not running:
                return
            ended, status, usage = _wait(running)
            running.remove(ended)
            yield _finish(ended, status, usage)
    finally:
        for left in running:
            _kill(left.process)
            os.waitpid(left.process, 0)


def _start(kind: Kind, number: int, seed: int, root: pathlib.Path) -> _Running:
    folder = root / f"{kind.name}-{number}"
    for name in ("in", "out", "home"):
        (folder / name).mkdir(parents=True)
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process == 0:
        status = _FAILED
        try:
            status = _child(kind, random.Random(f"{seed} {kind.name} {number}"), folder)
        finally:
            os._exit(status)
    return _Running(process, kind, number, folder, time.monotonic())


def _child(kind: Kind, chance: random.Random, folder: pathlib.Path) -> int:
    os.setsid()
    said = os.open(folder / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    # Not the streams that were there before, which a test may have replaced.
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(io.FileIO(number, "w", closefd=False), "utf-8", "backslashreplace")
        for number in (1, 2)
    )
    os.environ |= {"HOME": str(folder / "home"), "XDG_CACHE_HOME": str(folder / "home/cache")}
    os.chdir(folder / "out")
    try:
        kind.make(folder / "in", chance)
        _limit()
        return status(lambda: _answer(lambda: kind.read(folder / "in", folder / "out", chance)))
    except BaseException:  # Whatever it is, the parent reads it.
        traceback.print_exc()
        return _FAILED
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()


def _answer(program: Callable[[], object]) -> None:
    from iam_writer.common import programs

    with programs.plain_endings():
        print("answer:", str(program())[:200])


def status(program: Callable[[], object]) -> int:
    """Runs a program; returns its exit status. Prints the message of a program that ends with one."""
    try:
        program()
        return 0
    except SystemExit as ended:
        if isinstance(ended.code, int) or ended.code is None:
            return ended.code or 0
        print(ended.code, file=sys.stderr)
        return 1


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS + 1, SECONDS + 2))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    most = used + (GIGABYTES + 1) * 2**30  # Threads reserve addresses that they do not use.
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _wait(running: list[_Running]) -> tuple[_Running, int, "resource.struct_rusage"]:
    while True:
        for one in running:
            process, status, usage = os.wait4(one.process, os.WNOHANG)
            if process:
                return one, status, usage
            if time.monotonic() - one.began > WALL_SECONDS:
                _kill(one.process)
        time.sleep(0.002)


def _kill(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def _finish(one: _Running, status: int, usage: "resource.struct_rusage") -> Outcome:
    path = one.folder / "said"
    said = path.read_text(errors="replace") if path.exists() else ""
    code = os.waitstatus_to_exitcode(status)
    seconds = usage.ru_utime + usage.ru_stime
    grown = usage.ru_maxrss * 1024 - _resident()
    verdict = SENTENCE if code == 1 else ANSWER
    if code in (-signal.SIGXCPU, -signal.SIGKILL) or seconds > SECONDS:
        verdict = HANG
    elif "MemoryError" in said or grown > GIGABYTES * 2**30:
        verdict = MEMORY
    elif (
        code not in (0, 1) or "Traceback (most recent call last)" in said or (code == 1 and not said.strip())
    ):
        verdict = TRACEBACK
    strangers = [
        *({entry.name for entry in one.folder.iterdir()} - _OWN),
        *pathlib.Path("/tmp").glob("iam_writer_fuzz_*"),
    ]
    beside = [entry.name for entry in one.folder.parent.iterdir() if entry.suffix in (".png", ".txt")]
    if strangers or beside:
        verdict, said = OUTSIDE, f"written outside: {strangers} {beside}\n{said}"
    if verdict in GOOD:
        shutil.rmtree(one.folder, ignore_errors=True)
    return Outcome(one.kind.name, one.number, verdict, f"exit status {code}\n{said}", seconds)


def _resident() -> int:
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
