"""The work of `gpu`: measures row by row, and writes each row at once."""

import contextlib
import dataclasses
import json
import logging
import pathlib
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from iam_writer.common.devices import gpus, on_jax
from iam_writer.common.provenance import provenance
from iam_writer.studies import gpu_ways, tables
from iam_writer.studies.gpu_rows import LEARNING, OF_WAYS, SPEEDS, WAYS
from iam_writer.training import experiment
from iam_writer.training.compiling import compiled_model
from iam_writer.training.data import Data, load
from iam_writer.training.distribution import set_up_device
from iam_writer.training.settings import Settings
from iam_writer.training.steps import JaxSteps
from iam_writer.training.trainer import ENDLESS, Progress, Trainer
from pipelines.patch_order import number_of_positions

log = logging.getLogger(__name__)

Row = dict[str, Any]

MATRIX = 8192
"""Rows and columns of the matrices whose product measures the rate of the chip. On a CPU they have 512."""


@dataclasses.dataclass
class Visit:
    """Measures rows until the time is over.

    Attributes:
      base: what a row changes.
      minutes: after which no row is begun.
      seconds: of measuring a speed.
      learning_minutes: of training in a row that measures accuracy.
      folder: where rows.jsonl and the training runs go.
    """

    base: Settings
    minutes: float
    seconds: float
    learning_minutes: float
    folder: pathlib.Path

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.file = self.folder / "rows.jsonl"

    def run(self, names: Sequence[str]) -> list[Row]:
        """Measures the rows that are not in the file yet.

        A row that fails has its error in `error`. It is measured again in the next visit.

        Returns:
          All rows of the file that have not failed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            if name in {row["row"] for row in self._measured()}:
                continue
            if self._left() <= 0:
                log.warning("The time is over before row %s. The same command goes on with it.", name)
                break
            started = time.monotonic()
            try:
                row = self._measure(name)
            except Exception:  # Whatever it is, the other rows are still worth measuring.
                row = {"error": traceback.format_exc(limit=-4)}
                log.warning("Row %s has failed:\n%s", name, row["error"])
            spent = {"row_seconds": round(time.monotonic() - started, 1)}
            where = provenance()
            machine = {key: where[key] for key in ("machine.gpu", "machine.cores", "backend")}
            with open(self.file, "a") as file:
                file.write(json.dumps({"row": name, **row, **spent, **machine}) + "\n")
            log.info("%s: %s", name, {key: value for key, value in row.items() if key != "error"})
        return self._measured()

    def _measured(self) -> list[Row]:
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        rows = []
        for line in lines:
            with contextlib.suppress(
                json.JSONDecodeError
            ):  # The program was killed while it wrote the last line.
                rows.append(json.loads(line))
        return [row for row in rows if "error" not in row]

    def _left(self) -> float:
        """Seconds until the end of the visit."""
        return 60 * self.minutes - (time.monotonic() - self.began)

    def _measure(self, name: str) -> Row:
        keras.backend.clear_session()
        if name in SPEEDS:
            return self._speed(self._settings(SPEEDS[name]))
        if name in WAYS:
            return self._speed(self._settings(SPEEDS[OF_WAYS]), WAYS[name])
        if name in LEARNING:
            return self._learn(name, self._settings(LEARNING[name]))
        measures: dict[str, Callable[[], Row]] = {
            "matrices": matrices,
            "copy": copy,
            "input": self._input,
        }
        return measures[name]()

    def _settings(self, changes: dict[str, Any]) -> Settings:
        return dataclasses.replace(self.base, **{"gather": "device", **changes})

    def _data(self, settings: Settings) -> Data:
        return load(settings)

    def _speed(self, settings: Settings, way: str | None = None) -> Row:
        """The speed of training, the idle share by the meter, and the speed on one call's input that is repeated.

        The repeated input lies on the device, so its speed is that of a device that never waits. The two ways to find the
        idle share must agree.
        """
        data = self._data(settings)
        strategy, precision = set_up_device(settings)
        with strategy.scope():
            model = gpu_ways.changed(compiled_model(settings, len(data.writers), steps=1), settings, way)
        trainer = Trainer(settings, data, model, strategy, Progress(), ENDLESS, {}, time.monotonic())
        if way == gpu_ways.NOT_DONATED:
            trainer.steps = JaxSteps(
                model, data.strips["train"], settings.patch_width, gathers=True, donates=False
            )
        clock, began = trainer.clock, time.perf_counter()
        with contextlib.closing(clock), contextlib.closing(trainer.calls()) as calls:
            number, call = next(calls)
            clock.call(call, 1)
            clock.finish()
            first_call = time.perf_counter() - began
            rates: dict[str, list[float]] = {"real": [], "repeated": []}
            idle = 0.0
            for _ in range(2):  # In turns, because the clock of a chip changes as it becomes warm.
                for kind in rates:
                    clock.restart()
                    idle_before, began, steps = clock.idle, time.perf_counter(), 0
                    while time.perf_counter() - began < self.seconds / 4:
                        if kind == "real":
                            number, call = next(calls)
                        clock.call(call, 1)
                        steps += number
                    clock.finish()
                    elapsed = time.perf_counter() - began
                    rates[kind].append(steps * settings.batch_size / elapsed)
                    if kind == "real":
                        idle += (clock.idle - idle_before) / elapsed / 2
        operations = 6 * multiply_adds(
            model
        )  # Forward once and backward twice, each a multiplication and an addition.
        rate = float(np.mean(rates["real"]))
        return {
            "patches_per_second": rate,
            "repeated_patches_per_second": float(np.mean(rates["repeated"])),
            "idle": idle,
            "teraflops": rate * operations / 1e12,
            "first_call_seconds": first_call,
            "steps_per_call": number,
            "precision": precision,
        }

    def _learn(self, name: str, settings: Settings) -> Row:
        """Trains for some minutes, by the speed that was measured before, and measures accuracy."""
        data = self._data(settings)
        known = {row["row"]: row for row in self._measured()}
        speed = known.get(name.removeprefix("learn "), {}).get("patches_per_second")
        speed = speed or self._speed(settings)["patches_per_second"]
        keras.backend.clear_session()
        positions = number_of_positions(data.strips["train"], settings.patch_width)
        fraction = 60 * self.learning_minutes * speed / (settings.epochs * positions)
        workdir = self.folder / name.replace(" ", "_")
        results = experiment.run(dataclasses.replace(settings, patch_fraction=fraction, workdir=str(workdir)))
        summary = json.loads((workdir / "result.json").read_text())
        figures = ("patch_top1", "line_top1", "form_top1")
        return {
            **{figure: results["test"][figure] for figure in figures},
            "train_minutes": summary["train.minutes"],
            "minutes": summary["minutes"],
            "patches_per_second": summary["train.patches_per_second"],
            "idle": summary["train.input_wait_fraction"],
        }

    def _input(self) -> Row:
        """The input alone, and the limit of the machine, by the benchmark in a process of its own."""
        output = self.folder / "benchmark.json"
        flags = ["--peers=none", "--batch_size=1024", "--rounds=3", f"--seconds={self.seconds / 6}"]
        done = subprocess.run(
            [sys.executable, "-m", "pipelines.benchmark", *flags, f"--output={output}"],
            capture_output=True,
            text=True,
            timeout=max(60, self._left()),
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        result = json.loads(output.read_text())
        rates = {row["key"]: row["patches_per_second"] for row in result["rows"]}
        return {"rates": rates, "parallel_calls": result["rows"][0]["parallel_calls"], **result["ratios"]}


def multiply_adds(model: keras.Model) -> int:
    """Multiplications of a forward pass of one patch in convolutions and dense layers. A layer that is used twice counts twice."""
    total = 0
    for layer in model.layers:
        kernel = getattr(layer, "kernel", None)
        if kernel is None:
            continue
        for node in layer._inbound_nodes:
            places = int(np.prod(node.output_tensors[0].shape[1:-1])) if len(kernel.shape) == 4 else 1
            total += places * int(np.prod(kernel.shape))
    return total


def _seconds(work: Callable[[], Any], wait: Callable[[Any], Any], times: int) -> float:
    """The time of one call, of several that follow each other."""
    wait(work())
    began = time.perf_counter()
    for _ in range(times):
        result = work()
    wait(result)
    return (time.perf_counter() - began) / times


def matrices() -> Row:
    """What the chip's matrix units do with bfloat16 numbers that are not zeros."""
    size = MATRIX if gpus() else 512
    a, b = (keras.ops.cast(keras.random.normal((size, size), seed=seed), "bfloat16") for seed in (1, 2))
    product = _compiled(keras.ops.matmul)
    spent = _seconds(
        lambda: product(a, b), lambda x: np.asarray(x[0, :1].astype("float32") if on_jax() else x[0, :1]), 20
    )
    return {"teraflops": 2 * size**3 / spent / 1e12}


def copy() -> Row:
    """How many bytes a second go from memory of the host to the device: batches of 1,024 patches, one thread."""
    batch = np.random.default_rng(0).integers(0, 256, (1024, 113, 113), np.uint8)
    if on_jax():
        import jax

        spent = _seconds(lambda: jax.device_put(batch.copy()), lambda x: x.block_until_ready(), 20)
    else:
        spent = _seconds(lambda: keras.ops.convert_to_tensor(batch.copy()), lambda x: x[0, 0, :1].numpy(), 20)
    return {"gigabytes_per_second": batch.nbytes / spent / 1e9}


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    if on_jax():
        import jax

        compiled: Callable[..., Any] = jax.jit(function)
        return compiled
    import tensorflow as tf

    return tf.function(function)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    alignment = ("---", *["---:"] * (len(head) - 1))
    return tables.markdown([head, alignment, *rows]).rstrip()


def page(rows: Sequence[Row]) -> str:
    """The rows as Markdown tables."""
    found = {row["row"]: row for row in rows}
    chip = found.get("matrices", {}).get("teraflops")
    lines = []
    if rows:
        gpu = rows[-1]["machine.gpu"] or "a CPU"
        lines += [f"On {gpu}, {rows[-1]['machine.cores']} cores, Keras on {rows[-1]['backend']}.", ""]
    if chip:
        lines += [f"- Products of bfloat16 matrices: {chip:,.3g} TFLOP/s."]
    if "copy" in found:
        lines += [f"- Copies to the device, one thread: {found['copy']['gigabytes_per_second']:.1f} GB/s."]
    if "input" in found:
        row = found["input"]
        rates = ", ".join(f"{name} {rate:,.0f}" for name, rate in row["rates"].items())
        lines += [f"- Input alone with {row['parallel_calls']} batches at once, patches/s: {rates}."]
    for network in ("compact", "half_deepwriter"):
        with_, without = (found.get(name) for name in (network, f"{network}, no augmentation"))
        if with_ and without:
            share = 1 - with_["patches_per_second"] / without["patches_per_second"]
            lines += [f"- Augmentation takes {share:.0%} of a step of {network}."]
    speeds = [
        (
            name,
            f"{row['patches_per_second']:,.0f}",
            f"{row['teraflops']:.3g}",
            f"{row['teraflops'] / chip:.0%}" if chip else "",
            f"{row['idle']:.1%}",
            f"{1 - row['patches_per_second'] / row['repeated_patches_per_second']:.1%}",
            f"{row['steps_per_call']}",
        )
        for name in (*SPEEDS, *WAYS)
        if (row := found.get(name))
    ]
    if speeds:
        head = (
            "training",
            "patches/s",
            "TFLOP/s",
            "of the chip",
            "idle",
            "slower than a repeated batch",
            "steps a call",
        )
        lines += ["", _table(head, speeds)]
    learnt = [
        (
            name.removeprefix("learn "),
            f"{row['train_minutes']:.2f}",
            f"{row['minutes']:.1f}",
            *(f"{row[figure]:.1%}" for figure in ("patch_top1", "line_top1", "form_top1")),
        )
        for name in LEARNING
        if (row := found.get(name))
    ]
    if learnt:
        head = ("network", "minutes of training", "minutes in all", "test patches", "lines", "forms")
        lines += ["", _table(head, learnt)]
    return "\n".join(lines) + "\n"
