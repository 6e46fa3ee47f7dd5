"""Runs a job in a process of its own, kills it after some time of the processor, and says what it has left.

The process is a fork of this one, which has loaded the libraries.
"""

import contextlib
import dataclasses
import io
import json
import os
import pathlib
import runpy
import shutil
import signal
import subprocess
import sys
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from PIL import Image

from pipelines.system.arrays import load_array, load_arrays
from tests.fuzz.runner import status

Step = Sequence[str] | Callable[[], object]
"""A program and its arguments, such as ["iam_writer.enroll", "--writer=ada"], or a function."""

MOST_SECONDS = 600
"""A step that takes longer is stopped, and counts as failed."""

_FAILED = 70

ANSWERS = (0, 2, 3)
"""Exit statuses of programs that have done their work; verify has several answers."""


@dataclasses.dataclass(frozen=True)
class Job:
    """Something that writes files.

    Attributes:
      name: for people.
      steps: what is done in a folder, one after the other. Each step may be repeated, and goes on from what is there.
      result: what counts of the files in the folder, as something that can be compared.
    """

    name: str
    steps: Callable[[pathlib.Path], list[Step]]
    result: Callable[[pathlib.Path], object]


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a step ended.

    Attributes:
      status: the exit status; negative for the number of a signal.
      said: what it has printed.
      seconds: of the processor.
    """

    status: int
    said: str
    seconds: float


def run_step(
    step: Step, folder: pathlib.Path, kill_after: float | None = None, said: pathlib.Path | None = None
) -> Ended:
    """Runs a step in a process of its own. Its home lies beside its folder.

    Args:
      step: the step.
      folder: in which it works.
      kill_after: seconds of the processor after which it gets SIGKILL; None for never.
      said: a file for what it prints; by default beside the folder.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    said = said or folder.with_name(f"{folder.name}.said")
    process = os.fork()
    if process == 0:
        status = _FAILED
        try:
            status = _child(step, folder, said)
        finally:
            os._exit(status)
    clock = (
        ~process << 3
    ) | 2  # Linux' clock of the processor time of another process, see clock_getcpuclockid(3).
    began = time.monotonic()
    while True:
        ended, status, usage = os.wait4(process, os.WNOHANG)
        if ended:
            break
        with contextlib.suppress(OSError):
            used = time.clock_gettime(clock)
            if (kill_after is not None and used >= kill_after) or time.monotonic() - began > MOST_SECONDS:
                os.kill(process, signal.SIGKILL)
        time.sleep(0.0005)
    text = said.read_text(errors="replace") if said.exists() else ""
    return Ended(os.waitstatus_to_exitcode(status), text, usage.ru_utime + usage.ru_stime)


def _child(step: Step, folder: pathlib.Path, said: pathlib.Path) -> int:
    number = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(number, 1)
    os.dup2(number, 2)
    # Not the streams that were there before, which a test may have replaced.
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(io.FileIO(number, "w", closefd=False), "utf-8", write_through=True)
        for number in (1, 2)
    )
    home = folder.with_name(f"{folder.name}.home")
    os.environ |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    os.chdir(folder)
    try:
        return status(lambda: _do(step))
    except BaseException:  # Whatever it is, the parent reads it.
        traceback.print_exc()
        return _FAILED


def _do(step: Step) -> None:
    from iam_writer.common import programs

    if callable(step):
        with programs.plain_endings():
            step()
    else:
        sys.argv = list(step)
        runpy.run_module(step[0], run_name="__main__", alter_sys=True)


def undisturbed(job: Job, folder: pathlib.Path) -> list[float]:
    """Does all steps; returns the seconds of the processor that each took.

    Raises:
      AssertionError: a step failed.
    """
    folder.mkdir(parents=True)
    seconds = []
    for step in job.steps(folder):
        ended = run_step(step, folder)
        assert ended.status in ANSWERS, f"{job.name} failed without being disturbed: {ended.said[-2000:]}"
        seconds.append(ended.seconds)
    return seconds


def killed_once(job: Job, folder: pathlib.Path, seconds: Sequence[float], share: float) -> list[str]:
    """Does all steps, kills one at a moment, and begins again with this step.

    Args:
      job: the job.
      folder: a new folder.
      seconds: what `undisturbed` has returned.
      share: the moment, from 0, at the beginning of the first step, to 1, at the end of the last one.

    Returns:
      What is wrong, in sentences.
    """
    folder.mkdir(parents=True)
    moment, wrong = share * sum(seconds), []
    for step, takes in zip(job.steps(folder), seconds, strict=True):
        if 0 <= moment < takes:
            ended = run_step(step, folder, kill_after=moment)
            if ended.status not in (*ANSWERS, -signal.SIGKILL):  # It may have ended just before.
                wrong.append(f"status {ended.status}: {ended.said[-500:]}")
            wrong += damaged(folder)
        moment -= takes
        ended = run_step(step, folder)
        if ended.status not in ANSWERS:
            wrong.append(f"after the kill, status {ended.status}: {ended.said[-500:]}")
    return wrong


def damaged(folder: pathlib.Path, incomplete: bool = True) -> list[str]:
    """The files with final names that are not whole, as sentences.

    Args:
      folder: with what a program has left.
      incomplete: whether files may be left whose names say that they are incomplete.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        place = str(path.relative_to(folder))
        if not path.is_file() or path.name.endswith(".lock"):
            continue
        if "incomplete" in place or "beside-" in place:
            if not incomplete:
                found.append(f"{place} was left")
            continue
        try:
            _open(path)
        except Exception as error:
            found.append(f"{place} is not whole: {error}")
    return found


def _open(path: pathlib.Path) -> None:
    """Reads a file of a known kind to its end."""
    match path.suffix:
        case ".npz":
            load_arrays(path)
        case ".npy":
            load_array(path)
        case ".keras" | ".descriptor" | ".zip":
            with zipfile.ZipFile(path) as archive:
                if archive.testzip():
                    raise ValueError(f"{archive.testzip()} is damaged")
        case ".json":
            json.loads(path.read_text())
        case ".html":
            if not path.read_text().rstrip().endswith("</html>"):
                raise ValueError("its end is missing")
        case ".png":
            with Image.open(path) as image:
                image.load()


@contextlib.contextmanager
def small_disk(folder: pathlib.Path, bytes: int) -> Iterator[pathlib.Path]:
    """A file system of so many bytes in memory. Root only."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={bytes}", "none", folder], check=True, capture_output=True
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True, capture_output=True)


def on_full_disk(
    job: Job, disk: pathlib.Path, bytes: int, share: float, expected: object
) -> tuple[bool, list[str]]:
    """Does all steps on a disk that is too small, then again with room.

    Args:
      job: the job.
      disk: where the small disk is mounted.
      bytes: what the job writes on an empty disk.
      share: the size of the disk, as a share of these bytes.
      expected: the result of the undisturbed job.

    Returns:
      Whether a step told of the full disk; and what is wrong, in sentences.
    """
    wrong, told = [], False
    said = disk.with_name("said")  # Not on the small disk.
    with small_disk(disk, max(4096, int(share * bytes) // 4096 * 4096)):
        folder = disk / "job"
        try:
            folder.mkdir()
        except OSError:
            return False, ["there was no room for a folder"]
        for step in job.steps(folder):
            ended = run_step(step, folder, said=said)
            if ended.status in ANSWERS:
                continue
            told = True
            if ended.status != 1 or "Traceback" in ended.said or not ended.said.strip():
                wrong.append(f"status {ended.status}: {ended.said[-1500:]}")
            elif "No space left" not in ended.said:
                wrong.append(f"it did not name the reason: {ended.said[-500:]}")
            break
        wrong += damaged(folder, incomplete=False)
        subprocess.run(["mount", "-o", f"remount,size={2**31}", disk], check=True, capture_output=True)
        for step in job.steps(folder):
            ended = run_step(step, folder, said=said)
            if ended.status not in ANSWERS:
                wrong.append(f"with room, status {ended.status}: {ended.said[-500:]}")
        if not same(job.result(folder), expected):
            wrong.append("with room, the result is another one")
    return told, wrong


def size(folder: pathlib.Path) -> int:
    """Bytes of the blocks of all files in a folder."""
    return sum(max(4096, path.stat().st_blocks * 512) for path in folder.rglob("*"))


def same(left: object, right: object) -> bool:
    """Whether two results are equal. They consist of dictionaries, lists, arrays and what == compares."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return left.dtype == right.dtype and np.array_equal(left, right)
    return left == right


def remove(folder: pathlib.Path) -> None:
    """Removes what a job has left."""
    for path in (folder, folder.with_name(f"{folder.name}.home")):
        shutil.rmtree(path, ignore_errors=True)
    folder.with_name(f"{folder.name}.said").unlink(missing_ok=True)
