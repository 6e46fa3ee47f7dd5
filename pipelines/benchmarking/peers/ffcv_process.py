"""FFCV, in a process and a Python of its own."""

import contextlib
import functools
import json
import os
import pathlib
import subprocess
from collections.abc import Iterator
from typing import IO, Any

import numpy as np

from pipelines.benchmarking.peers.peer import Corpus, Session


class _OtherProcess(Session):
    """A session of `ffcv_peer.py`. It has a Python of its own, because FFCV needs older libraries than TensorFlow."""

    def __init__(self, questions: IO[str], answers: IO[str], log: pathlib.Path):
        self._questions, self._answers, self._log = questions, answers, log

    def _ask(self, question: list[str | float]) -> Any:
        self._questions.write(json.dumps(question) + "\n")
        self._questions.flush()
        answer = self._answers.readline()
        if not answer:
            raise RuntimeError(f"The process of FFCV has ended. Read its messages in {self._log}.")
        return json.loads(answer)

    def batch(self) -> tuple[np.ndarray, np.ndarray]:
        path = self._ask(["batch"])
        with np.load(path) as arrays:
            return arrays["patches"], arrays["labels"]

    def __call__(self, seconds: float) -> tuple[int, float]:
        patches, elapsed = self._ask(["measure", seconds])
        return patches, elapsed


@contextlib.contextmanager
def session(kind: str, corpus: Corpus, batch_size: int, threads: int) -> Iterator[Session]:
    """A session of FFCV. The kind is 'documented' or 'expert', as `ffcv_peer.py` says."""
    script = pathlib.Path(__file__).parents[1] / "ffcv_peer.py"
    corpus.folder.mkdir(parents=True, exist_ok=True)
    log_path = corpus.folder / f"{kind}.log"
    arguments = [kind, corpus.strips.folder, corpus.folder, corpus.height, corpus.width, batch_size, threads]
    with open(log_path, "w") as log:
        process = subprocess.Popen(
            [os.environ["FFCV_PYTHON"], script, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    with process:  # At the end, this closes the pipes and waits. The process ends when its input ends.
        assert process.stdin is not None and process.stdout is not None
        yield _OtherProcess(process.stdin, process.stdout, log_path)


@functools.cache
def missing() -> str | None:
    """Why FFCV cannot run here, or None if it can."""
    python = os.environ.get("FFCV_PYTHON")
    if not python:
        return "FFCV_PYTHON does not name a Python that has FFCV: see BUILD.md"
    try:
        found = subprocess.run([python, "-c", "import ffcv"], capture_output=True, text=True)
    except OSError as error:
        return f"FFCV_PYTHON does not name a Python ({error})"
    return (
        f"{python} cannot import ffcv: {found.stderr.strip().splitlines()[-1]}" if found.returncode else None
    )
