"""The kinds of input, and the order in which they come."""

import functools
import importlib
import itertools
import os
import pathlib
import sys
import traceback
from collections.abc import Callable, Iterator

import cv2

import iam_writer  # noqa: F401  It sets options of TensorFlow.
from iam_writer.recognition import reference
from tests.fuzz import given_files, own_files
from tests.fuzz.runner import Kind


def every(corpus: pathlib.Path) -> list[Kind]:
    """All kinds. What takes long to make, or needs TensorFlow, is made once in the folder, in a process of its own."""
    _load_libraries()
    if not (corpus / "done").exists():
        _in_a_process(lambda: own_files.make_corpus(corpus))
    kept = {path.name: path.read_bytes() for path in corpus.iterdir()}
    return [
        Kind("image", given_files.make_image, given_files.read_image),
        Kind("layout", given_files.make_layout, given_files.read_layout),
        Kind("index", given_files.make_index, given_files.read_iam),
        Kind("archive", given_files.make_archive, given_files.read_iam),
        Kind("manifest", given_files.make_manifest, given_files.read_folder),
        Kind("folder", given_files.make_folder, given_files.read_folder),
        Kind(
            "checkpoint", functools.partial(own_files.make_checkpoint, kept=kept), own_files.read_checkpoint
        ),
        Kind("gallery", functools.partial(own_files.make_gallery, kept=kept), own_files.read_gallery),
        Kind("strips", functools.partial(own_files.make_strips, kept=kept), own_files.read_strips),
        Kind("cache", own_files.make_cache, own_files.read_cache),
        Kind("flags", given_files.make_flags, given_files.read_flags),
    ]


SHARES = {"checkpoint": 1, "cache": 1, "strips": 2, "gallery": 4}
"""How often a kind comes in a round. Other kinds, which take less time, come `OFTEN` times."""

OFTEN = 8


def in_turn(chosen: list[Kind], first: int) -> Iterator[tuple[Kind, int]]:
    """Inputs without end: kinds and numbers. The kinds that take long come less often."""
    numbers = {kind.name: itertools.count(first) for kind in chosen}
    while True:
        for turn in range(OFTEN):
            for kind in chosen:
                if turn < SHARES.get(kind.name, OFTEN):
                    yield kind, next(numbers[kind.name])


def _in_a_process(work: Callable[[], None]) -> None:
    process = os.fork()
    if process == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    if os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]):
        sys.exit("The corpus cannot be made; see above.")


def _load_libraries() -> None:
    """Loads what the readers need, so that each process has it. Nothing of TensorFlow is run: it would not survive a fork."""
    cv2.setNumThreads(1)
    # Made here once, they are there in each process.
    (
        given_files.files(),
        [given_files.line(seed) for seed in range(10)],
        [given_files.page(seed) for seed in range(2)],
    )
    for module in ("keras", "tensorflow", "pipelines.strips", "iam_writer.models", "iam_writer.train"):
        importlib.import_module(module)
    for module in ("recognizer", "inputs", "hand_gallery", "hands", "gallery"):
        importlib.import_module(f"iam_writer.recognition.{module}")
    reference.read()
