"""Measures how many patches a second the input delivers. Compares it with the limit of the memory and with other loaders.

  python -m pipelines.benchmark

The program makes a corpus of gray lines and builds strips from it. Then it measures in rounds. Each round runs every loader
once, so a busy moment of the machine disturbs all of them. Compare the ratios of the medians, not single figures.

`pip install '.[peers]'` installs the other loaders. FFCV needs a Python of its own; docs/speed.md says how to install it.
--train also measures how long a network in training waits for a batch. --corpus_megabytes also measures how the speed
depends on the size of the corpus. The program prints the table and writes --output before the training begins.
"""

import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import psutil
from absl import flags

from pipelines.benchmarking.corpus import lay_corpus, make_images
from pipelines.benchmarking.peers import PEERS, Corpus, Peer, Session, in_process
from pipelines.benchmarking.report import Row, diagnosis, draw, ratios, table
from pipelines.benchmarking.training import leave_gpus_to_keras, train
from pipelines.system import command_line
from pipelines.system.cores import calls_at_once, usable_cores
from pipelines.system.quiet import load_tensorflow_quietly

flags.DEFINE_integer("images", 600, "The number of images in the corpus.", 1)
flags.DEFINE_integer("mean_width", 1326, "The mean width of the images, in columns.", 1)
flags.DEFINE_integer("patch_height", 113, "The height of the images and of a patch, in pixels.", 1)
flags.DEFINE_integer("patch_width", 113, "The width of a patch, in columns.", 1)
flags.DEFINE_multi_integer(
    "batch_size",
    [256, 1024, 4096],
    "The number of patches in a batch. Give the flag again for another size.",
    1,
)
flags.DEFINE_integer("peers_batch_size", 1024, "The number of patches in a batch of the other loaders.", 1)
flags.DEFINE_multi_integer(
    "parallel_calls",
    None,
    "How many batches are made at once. Give the flag again for another number. Default: as in training, one for each core "
    "as far as memory allows.",
    1,
)
flags.DEFINE_list(
    "peers",
    None,
    f"Measure only these loaders, with commas between: {', '.join(peer.key for peer in PEERS)}. 'none' stands for no other loader. Default: all that are installed. "
    "The limit is always measured if numba is installed.",
)
flags.DEFINE_string(
    "ffcv_python",
    None,
    "The path of a Python in which FFCV is installed. Default: the environment variable FFCV_PYTHON.",
)
flags.DEFINE_list(
    "corpus_megabytes",
    [],
    "Also measure this pipeline with corpora of these sizes, in megabytes, such as 10,400,2500.",
)
flags.DEFINE_string(
    "train",
    None,
    "Also train this network, such as iam_writer.models:article. Name a module and its function that makes a network from "
    "(classes, height, width).",
)
flags.DEFINE_integer("train_batch_size", 256, "The number of patches in a batch of --train.", 1)
flags.DEFINE_integer("rounds", 5, "How many times each loader is measured.", 1)
flags.DEFINE_float("seconds", 2, "The shortest time of one measurement, in seconds.", 0)
flags.DEFINE_string(
    "folder", None, "The folder to keep the corpus in. Default: a folder that is removed at the end."
)
flags.DEFINE_string("output", None, "Also write the table as JSON to this file, after each measurement.")
flags.DEFINE_string(
    "plot",
    None,
    "Also draw how patches/s depend on the size of a batch and on other flags, into this PNG file.",
)


@flags.validator("peers", f"may name {', '.join(peer.key for peer in PEERS)} or none.")  # type: ignore[no-untyped-call]
def _are_peers(names: list[str] | None) -> bool:
    return names is None or set(names) <= {"none", *(peer.key for peer in PEERS)}


@flags.validator("corpus_megabytes", "must be sizes in megabytes, such as 10,400.")  # type: ignore[no-untyped-call]
def _are_sizes(sizes: list[str]) -> bool:
    return all(size.replace(".", "", 1).isdigit() and float(size) > 0 for size in sizes)


@flags.validator("train", "must be module:function, such as iam_writer.models:article.")  # type: ignore[no-untyped-call]
def _is_function(name: str | None) -> bool:
    return name is None or all(name.partition(":"))


@flags.multi_flags_validator(["output", "plot"], "--output and --plot must lie in folders that exist.")  # type: ignore[no-untyped-call]
def _can_be_written(values: dict[str, str | None]) -> bool:
    return all(path is None or _path(path).parent.is_dir() for path in values.values())


def _path(value: str) -> pathlib.Path:
    return pathlib.Path(value).expanduser()


WARM_UP = 0.25
"""The time before each measurement, as a share of the measured time."""


@dataclasses.dataclass(frozen=True)
class Contender:
    """One row of the table: a peer or one of our modes, at one batch size."""

    peer: Peer
    corpus: Corpus
    batch_size: int
    threads: int

    @property
    def bytes_of_patch(self) -> int:
        # A start column has four bytes, whatever the size of the patch is.
        return 4 if self.peer.key == "starts" else self.corpus.width * self.corpus.height


def our_modes() -> dict[str, Peer]:
    """The ways in which this pipeline makes batches, by key, in the form of peers."""

    def mode(name: str, key: str, make: Callable[..., Any], **arguments: Any) -> Peer:
        def batches(corpus: Corpus, batch_size: int, threads: int) -> Generator[Any, None, None]:
            from pipelines.patches import iterate

            yield from iterate(make(corpus, batch_size, threads, **arguments))

        return Peer(name, key, "", lambda: None, functools.partial(in_process, batches))

    def patches(corpus: Corpus, batch_size: int, threads: int, **arguments: Any) -> Any:
        from pipelines.patches import patches

        return patches(
            corpus.strips,
            patch_width=corpus.width,
            batch_size=batch_size,
            seed=0,
            num_parallel_calls=threads,
            **arguments,
        )

    def starts(corpus: Corpus, batch_size: int, threads: int) -> Any:
        from pipelines.patch_order import Sampling
        from pipelines.patches import start_columns

        sampling = Sampling(patch_width=corpus.width, batch_size=batch_size, seed=0)
        return start_columns(corpus.strips, sampling).prefetch(2)

    modes = (
        mode("ours", "ours", patches),
        mode("ours, writers in balance", "balanced", patches, balance="writers"),
        mode("ours, start columns only", "starts", starts),
        mode("ours, pairs of patches", "pairs", patches),
    )
    return {mode.key: mode for mode in modes}


class Measurements:
    """The measurements of one contender, round by round."""

    def __init__(self, contender: Contender, session: Session, seconds_to_first_batch: float, memory: float):
        self.contender, self._session = contender, session
        self.seconds_to_first_batch, self.memory = seconds_to_first_batch, memory
        self.rates: list[float] = []
        self.cpu_shares: list[float] = []

    @classmethod
    @contextlib.contextmanager
    def of(cls, contender: Contender) -> Iterator["Measurements"]:
        memory, started = _anonymous_megabytes(), time.perf_counter()
        with contender.peer.session(contender.corpus, contender.batch_size, contender.threads) as session:
            session(0)
            first = time.perf_counter() - started
            session(0.5)
            yield cls(contender, session, first, _anonymous_megabytes() - memory)

    def measure(self, seconds: float) -> None:
        _wait_until_idle()
        self._session(WARM_UP * seconds)
        cpu = _cpu_seconds()
        patches, elapsed = self._session(seconds)
        self.rates.append(patches / elapsed)
        self.cpu_shares.append((_cpu_seconds() - cpu) / elapsed / usable_cores())

    def row(self) -> Row:
        contender, median = self.contender, statistics.median(self.rates)
        return Row(
            name=contender.peer.name,
            key=contender.peer.key,
            batch_size=contender.batch_size,
            parallel_calls=contender.threads,
            corpus_megabytes=round(_megabytes(contender.corpus)),
            patches_per_second=median,
            minimum=min(self.rates),
            maximum=max(self.rates),
            bytes_per_second=median * contender.bytes_of_patch,
            cpu_share=statistics.median(self.cpu_shares),
            memory_megabytes=self.memory,
            seconds_to_first_batch=self.seconds_to_first_batch,
            cannot=contender.peer.cannot,
        )


def _megabytes(corpus: Corpus) -> float:
    return int(corpus.strips.first_column[-1]) * corpus.height / 1e6


def _processes() -> list[psutil.Process]:
    own = psutil.Process()
    return [own, *own.children(recursive=True)]


def _cpu_seconds() -> float:
    total = 0.0
    for process in _processes():
        with contextlib.suppress(psutil.NoSuchProcess):  # The process has ended since it was listed.
            times = process.cpu_times()
            total += times.user + times.system
    return total


def _wait_until_idle() -> None:
    """Waits until all buffers are full.

    Some peers still fill their buffers after their turn, which would slow the next peer down.
    """
    for _ in range(100):
        before = _cpu_seconds()
        time.sleep(0.1)
        if _cpu_seconds() - before < 0.02:
            return


def _anonymous_megabytes() -> float:
    """Memory of this process and its children in MB, without mapped files, since all processes share these."""
    total = 0
    for process in _processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            info = process.memory_info()
            total += info.rss - info.shared
    return total / 1e6


def run(contenders: Sequence[Contender], rounds: int, seconds: float) -> Iterator[list[Row]]:
    """Measures all contenders in interleaved rounds.

    Yields:
      After each measurement, a row of each contender that was measured so far, in the order of the contenders.
    """
    with contextlib.ExitStack() as stack:
        measurements = [stack.enter_context(Measurements.of(contender)) for contender in contenders]
        for number in range(rounds):
            for measurement in measurements:
                measurement.measure(seconds)
                contender = measurement.contender
                print(
                    f"round {number + 1} of {rounds}: {contender.peer.name}, {contender.batch_size:,} patches in a "
                    f"batch: {measurement.rates[-1]:,.0f} patches/s",
                    file=sys.stderr,
                )
                yield [measured.row() for measured in measurements if measured.rates]


def make_contenders(
    values: flags.FlagValues, folder: pathlib.Path, peers: Sequence[Peer]
) -> tuple[Corpus, list[Contender]]:
    """Lays the corpora into `folder`. Returns the corpus that all share, and all that is measured, ours first."""
    height, width, modes = values.patch_height, values.patch_width, our_modes()
    files = make_images(values.images, values.mean_width, height, 2 * width)
    corpus = lay_corpus(files, folder, height, width, len(files))
    pairs = lay_corpus(files, folder, height, 2 * width, len(files))
    contenders = []

    def calls_at(size: int, patch_width: int) -> list[int]:
        return values.parallel_calls or [calls_at_once(size * patch_width * height)]

    for size in values.batch_size:
        for calls in calls_at(size, width):
            contenders += [
                Contender(modes[key], corpus, size, calls) for key in ("ours", "balanced", "starts")
            ]
            contenders += [Contender(peer, corpus, size, calls) for peer in peers if peer.key == "limit"]
        contenders += [Contender(modes["pairs"], pairs, size, calls) for calls in calls_at(size, 2 * width)]
    calls = max(calls_at(values.peers_batch_size, width))
    contenders += [
        Contender(peer, corpus, values.peers_batch_size, calls) for peer in peers if peer.key != "limit"
    ]
    for megabytes in values.corpus_megabytes:
        total = max(1, round(float(megabytes) / _megabytes(corpus) * len(files)))
        larger = lay_corpus(files, folder, height, width, total)
        contenders.append(Contender(modes["ours"], larger, values.peers_batch_size, calls))
    return corpus, contenders


def main(argv: list[str]) -> None:
    command_line.check_no_arguments(argv)
    load_tensorflow_quietly()
    values = flags.FLAGS
    if values.ffcv_python:
        os.environ["FFCV_PYTHON"] = str(_path(values.ffcv_python))
    # The limit says what the machine can do. The report needs it whatever else is measured.
    wanted = [
        peer for peer in PEERS if values.peers is None or peer.key == "limit" or peer.key in values.peers
    ]
    missing = {peer.name: why for peer in wanted if (why := peer.missing())}
    if values.train:
        leave_gpus_to_keras()
    rows: list[Row] = []
    found: dict[str, float] = {}
    training = None

    def write() -> None:
        if values.output:
            measured = [dataclasses.asdict(row) for row in rows]
            result = {"rows": measured, "ratios": found, "missing": missing, "training": training}
            _path(values.output).write_text(json.dumps(result, indent=2) + "\n")

    with contextlib.ExitStack() as stack:
        folder = _path(values.folder or stack.enter_context(tempfile.TemporaryDirectory()))
        present = [peer for peer in wanted if peer.name not in missing]
        corpus, contenders = make_contenders(values, folder, present)
        try:
            for rows in run(contenders, values.rounds, values.seconds):
                of_one_corpus = [row for row in rows if row.corpus_megabytes == rows[0].corpus_megabytes]
                found = ratios(of_one_corpus, values.peers_batch_size)
                write()
        finally:  # What was measured before a failure, or before Ctrl-C, is printed too.
            if rows:
                print(table(rows, missing))
                for name, ratio in found.items():
                    print(f"{name:26}{ratio:8.2f}")
                sys.stdout.flush()
        if values.plot:
            draw(rows, _path(values.plot))
        if values.train:
            training = train(corpus, values.train, values.train_batch_size, values.rounds, values.seconds)
            write()
            print("training: " + ", ".join(f"{name} {value:,.2f}" for name, value in training.items()))
    print(diagnosis(of_one_corpus, training))


if __name__ == "__main__":
    command_line.start(main)
