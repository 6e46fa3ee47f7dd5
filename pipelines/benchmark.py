r"""How many patches a second the input delivers: against what memory can do, and against others, in one run.

  python -m pipelines.benchmark

makes a corpus of gray lines, lays it into strips, and measures in interleaved rounds: every contender runs once in
each round, so that a noisy machine disturbs all of them alike. What counts is the ratio of the medians. Peers come with
`pip install '.[peers]'`; FFCV needs a Python of its own, see BUILD.md. With --train the wait for a batch is measured
while a network trains; with --corpus_megabytes, how speed depends on the size of the corpus.
"""

import contextlib
import dataclasses
import importlib
import io
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import psutil
from absl import app, flags
from PIL import Image, ImageDraw

from pipelines.benchmarking.peers import PEERS, Corpus, Peer, in_process
from pipelines.benchmarking.report import diagnosis, draw, ratios, table
from pipelines.system.cores import usable_cores

flags.DEFINE_integer("images", 600, "How many images the corpus has.", 1)
flags.DEFINE_integer("mean_width", 1326, "Their mean width in columns.", 1)
flags.DEFINE_integer("patch_height", 113, "Height of the images and of a patch.", 1)
flags.DEFINE_integer("patch_width", 113, "Width of a patch, in columns.", 1)
flags.DEFINE_multi_integer(
    "batch_size", [256, 1024, 4096], "Patches in a batch; repeat the flag for several.", 1
)
flags.DEFINE_integer("peers_batch_size", 1024, "Peers are measured with this one only.", 1)
flags.DEFINE_multi_integer("parallel_calls", [2], "Batches made at once; repeat the flag for several.", 1)
flags.DEFINE_list("peers", None, f"Only these of {', '.join(peer.key for peer in PEERS)}; 'none' for none.")
flags.DEFINE_string("ffcv_python", None, "A Python that has FFCV. Default: the environment's FFCV_PYTHON.")
flags.DEFINE_list("corpus_megabytes", [], "Also measure ours on corpora of these sizes, such as 10,400,2500.")
flags.DEFINE_string(
    "train",
    None,
    "Also train this network, such as iam_writer.models:article: a function of classes, height, width.",
)
flags.DEFINE_integer("train_batch_size", 256, "Patches in a batch of the network.", 1)
flags.DEFINE_integer("rounds", 5, "How often each contender runs.", 1)
flags.DEFINE_float("seconds", 2, "How long it runs each time, at least.", 0)
flags.DEFINE_string("folder", None, "Where to keep the corpus. Default: one that is removed at the end.")
flags.DEFINE_string("output", None, "Also write the table as JSON to this file.")
flags.DEFINE_string("plot", None, "Also draw patches/s against batch size and so on, into this PNG file.")


@flags.validator("peers", "names a peer that there is none of.")
def _are_peers(names):
    return names is None or set(names) <= {"none", *(peer.key for peer in PEERS)}


@flags.validator("corpus_megabytes", "must be sizes in megabytes, such as 10,400.")
def _are_sizes(sizes):
    return all(size.replace(".", "", 1).isdigit() and float(size) > 0 for size in sizes)


@flags.validator("train", "must be module:function, such as iam_writer.models:article.")
def _is_function(name):
    return name is None or all(name.partition(":"))


@flags.multi_flags_validator(["output", "plot"], "--output and --plot must lie in folders that are there.")
def _can_be_written(values):
    return all(path is None or _path(path).parent.is_dir() for path in values.values())


def _path(value: str) -> pathlib.Path:
    return pathlib.Path(value).expanduser()


WARM_UP = 0.25
"""Of the time that is measured: spent before it, in each round."""


@dataclasses.dataclass(frozen=True)
class Contender:
    """One row of the table."""

    peer: Peer
    corpus: Corpus
    batch_size: int
    threads: int

    @property
    def bytes_of_patch(self) -> int:
        # A start column has four bytes, whatever the patch.
        return 4 if self.peer.key == "starts" else self.corpus.width * self.corpus.height


def our_modes() -> dict[str, Peer]:
    """What the pipeline offers, as contenders."""

    def mode(name: str, key: str, make: Callable, **arguments) -> Peer:
        def batches(corpus: Corpus, batch_size: int, threads: int) -> Iterator:
            from pipelines.patches import iterate

            return iterate(make(corpus, batch_size, threads, **arguments))

        return Peer(name, key, "", lambda: None, lambda *a: in_process(batches, *a))

    def patches(corpus, batch_size, threads, **arguments):
        from pipelines.patches import patches

        return patches(
            corpus.strips,
            patch_width=corpus.width,
            batch_size=batch_size,
            seed=0,
            num_parallel_calls=threads,
            **arguments,
        )

    def starts(corpus, batch_size, threads):
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


def make_images(images: int, mean_width: int, height: int, min_width: int) -> list[bytes]:
    """PNG files of gray lines with something like handwriting on them, of widths from a half to twice the mean."""
    random = np.random.default_rng(0)
    files = []
    # The mean of 2^U(-1,1) is 1.0820.
    for width in (mean_width * 2.0 ** random.uniform(-1, 1, images) / 1.0820).astype(int):
        picture = Image.new("L", (max(min_width, width), height), 255)
        pen = ImageDraw.Draw(picture)
        for x in range(0, width, 30):
            points = [
                (x + dx, y)
                for dx, y in zip(
                    random.normal(15, 12, 6), random.uniform(height / 6, height * 5 / 6, 6), strict=True
                )
            ]
            pen.line(points, fill=int(random.integers(0, 120)), width=3, joint="curve")
        file = io.BytesIO()
        picture.save(file, "PNG")
        files.append(file.getvalue())
    return files


def lay_corpus(files: Sequence[bytes], folder: pathlib.Path, height: int, width: int, total: int) -> Corpus:
    """Lays `total` images into strips, the files again and again; fifty writers, in equal shares."""
    from pipelines.strips import Example, open_or_build

    labels = np.arange(total, dtype=np.int32) * 50 // total
    strips = open_or_build(
        folder / f"strips-{height}x{width}-{total}",
        lambda: (Example(files[k % len(files)], int(label)) for k, label in enumerate(labels)),
        height=height,
        min_width=width,
        source=f"{total} images, {len(files)} different ones of {sum(map(len, files))} bytes",
        total=total,
    )
    return Corpus(files, labels, strips, folder, height, width)


class Measurements:
    """What was seen of one contender, round by round."""

    def __init__(self, contender: Contender, session, seconds_to_first_batch: float, memory: float):
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

    def row(self) -> dict[str, object]:
        median = statistics.median(self.rates)
        return {
            "name": self.contender.peer.name,
            "key": self.contender.peer.key,
            "batch_size": self.contender.batch_size,
            "parallel_calls": self.contender.threads,
            "corpus_megabytes": round(_megabytes(self.contender.corpus)),
            "patches_per_second": median,
            "minimum": min(self.rates),
            "maximum": max(self.rates),
            "bytes_per_second": median * self.contender.bytes_of_patch,
            "cpu_share": statistics.median(self.cpu_shares),
            "memory_megabytes": self.memory,
            "seconds_to_first_batch": self.seconds_to_first_batch,
            "cannot": self.contender.peer.cannot,
        }


def _megabytes(corpus: Corpus) -> float:
    return int(corpus.strips.first_column[-1]) * corpus.height / 1e6


def _processes() -> list[psutil.Process]:
    own = psutil.Process()
    return [own, *own.children(recursive=True)]


def _cpu_seconds() -> float:
    total = 0.0
    for process in _processes():
        with contextlib.suppress(psutil.NoSuchProcess):  # It ended between the listing and the asking.
            times = process.cpu_times()
            total += times.user + times.system
    return total


def _wait_until_idle() -> None:
    """Some peers go on filling their buffers when their turn is over. The next must not suffer from it."""
    for _ in range(100):
        before = _cpu_seconds()
        time.sleep(0.1)
        if _cpu_seconds() - before < 0.02:
            return


def _anonymous_megabytes() -> float:
    """Memory of this process and its children, without what is mapped from files, which all share."""
    total = 0
    for process in _processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            info = process.memory_info()
            total += info.rss - info.shared
    return total / 1e6


def run(contenders: Sequence[Contender], rounds: int, seconds: float) -> list[dict[str, object]]:
    """Measures all of them in interleaved rounds; one row each."""
    with contextlib.ExitStack() as stack:
        measurements = [stack.enter_context(Measurements.of(contender)) for contender in contenders]
        for number in range(rounds):
            for measurement in measurements:
                measurement.measure(seconds)
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
        return [measurement.row() for measurement in measurements]


def train(corpus: Corpus, network: str, batch_size: int, rounds: int, seconds: float) -> dict[str, float]:
    """Trains a network on batches as they come, and on one batch again and again, in turns.

    Returns:
      'patches_per_second', 'repeated_patches_per_second', 'real_over_repeated', and the median wait for a batch in
      microseconds, 'wait_microseconds'.
    """
    import keras
    import tensorflow as tf

    from pipelines.patches import iterate, patches

    module, _, function = network.partition(":")
    classes = int(corpus.strips.labels.max()) + 1
    model = getattr(importlib.import_module(module), function)(classes, corpus.height, corpus.width)
    model.compile(
        "adam",
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=bool(tf.config.list_physical_devices("GPU")),
    )
    batches = iterate(patches(corpus.strips, patch_width=corpus.width, batch_size=batch_size, seed=0))
    repeated = next(batches)
    waits: list[float] = []

    def step(batch_of: Callable) -> None:
        started = time.perf_counter()
        batch = batch_of()
        waits.append(time.perf_counter() - started)
        float(model.train_on_batch(*batch))

    rates: dict[str, list[float]] = {"real": [], "repeated": []}
    real_waits: list[float] = []
    for _ in range(rounds):
        for name, batch_of in (("real", lambda: next(batches)), ("repeated", lambda: repeated)):
            step(batch_of)
            waits.clear()
            started, steps = time.perf_counter(), 0
            while (elapsed := time.perf_counter() - started) < seconds or not steps:
                step(batch_of)
                steps += 1
            rates[name].append(steps * batch_size / elapsed)
            if name == "real":
                real_waits += waits
    real, again = statistics.median(rates["real"]), statistics.median(rates["repeated"])
    return {
        "patches_per_second": real,
        "repeated_patches_per_second": again,
        "real_over_repeated": real / again,
        "wait_microseconds": 1e6 * statistics.median(real_waits),
    }


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"Unknown argument {argv[1]!r}; flags begin with --.")
    values = flags.FLAGS
    if values.ffcv_python:
        os.environ["FFCV_PYTHON"] = str(_path(values.ffcv_python))
    wanted = [peer for peer in PEERS if values.peers is None or peer.key in values.peers]
    missing = {peer.name: why for peer in wanted if (why := peer.missing())}
    modes = our_modes()
    with contextlib.ExitStack() as stack:
        folder = _path(values.folder or stack.enter_context(tempfile.TemporaryDirectory()))
        height, width = values.patch_height, values.patch_width
        files = make_images(values.images, values.mean_width, height, 2 * width)
        corpus = lay_corpus(files, folder, height, width, len(files))
        pairs = lay_corpus(files, folder, height, 2 * width, len(files))
        contenders = []
        for calls in values.parallel_calls:
            for size in values.batch_size:
                contenders += [
                    Contender(modes[key], corpus, size, calls) for key in ("ours", "balanced", "starts")
                ]
                contenders.append(Contender(modes["pairs"], pairs, size, calls))
        calls = max(values.parallel_calls)
        for peer in wanted:
            if peer.name not in missing:
                sizes = values.batch_size if peer.key == "limit" else [values.peers_batch_size]
                contenders += [Contender(peer, corpus, size, calls) for size in sizes]
        for megabytes in values.corpus_megabytes:
            total = max(1, round(float(megabytes) / _megabytes(corpus) * len(files)))
            larger = lay_corpus(files, folder, height, width, total)
            contenders.append(Contender(modes["ours"], larger, values.peers_batch_size, calls))
        rows = run(contenders, values.rounds, values.seconds)
        training = None
        if values.train:
            training = train(corpus, values.train, values.train_batch_size, values.rounds, values.seconds)
    of_one_corpus = [row for row in rows if row["corpus_megabytes"] == rows[0]["corpus_megabytes"]]
    found = ratios(of_one_corpus, values.peers_batch_size)
    print(table(rows, missing))
    for name, ratio in found.items():
        print(f"{name:26}{ratio:8.2f}")
    if training:
        print("training: " + ", ".join(f"{name} {value:,.2f}" for name, value in training.items()))
    print(diagnosis(of_one_corpus, found, training))
    if values.output:
        result = {"rows": rows, "ratios": found, "missing": missing, "training": training}
        _path(values.output).write_text(json.dumps(result, indent=2) + "\n")
    if values.plot:
        draw(rows, _path(values.plot))


if __name__ == "__main__":
    app.run(main)
