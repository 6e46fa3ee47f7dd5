"""A training run, from the dataset to the table of accuracies. A killed run goes on where it was, bit for bit."""

import contextlib
import dataclasses
import importlib.metadata
import json
import logging
import math
import os
import pathlib
import platform
import signal
import sys
import threading
import time
from collections.abc import Iterator

import keras
import tensorflow as tf
from tqdm import tqdm

from iam_writer import checkpoints, recognizer, scoring
from iam_writer.errors import DivergedError
from iam_writer.files import write_beside
from iam_writer.iam_writer_dataset_builder import prepare, synthetic_config
from iam_writer.models import MODELS
from iam_writer.settings import Settings, check_same_run
from pipelines.patch_order import number_of_positions
from pipelines.patches import gather_columns, patches, start_columns
from pipelines.progress import progress_bar
from pipelines.strips import Strips, strips_of_split
from pipelines.windows import windows

log = logging.getLogger(__name__)

WARM_UP_STEPS = 10
"""Steps at the start of a process that are not timed: they compile, and fill buffers."""

WINDOW_BATCH = 1024

LAST, BEST = "last.keras", "best.keras"
"""Checkpoints in a workdir: the newest, and that of the epoch with the best validation lines."""


@dataclasses.dataclass(frozen=True)
class Data:
    """A dataset ready to train on: its name and origin, its writers' names, its strips by split."""

    name: str
    fingerprint: str
    writers: list[str]
    strips: dict[str, Strips]


@dataclasses.dataclass
class Progress:
    """How far a run has come; saved with every checkpoint."""

    step: int = 0
    best: tuple[float, float] | None = None  # Of validation lines: (top-1, minus cross entropy).
    best_step: int = 0
    history: list[dict[str, float]] = dataclasses.field(default_factory=list)  # One entry an epoch.
    metrics: list[list[float] | float] = dataclasses.field(default_factory=list)  # Of the epoch under way.
    seconds: float = 0.0  # Spent in timed steps, as the next two are counted in.
    waited: float = 0.0
    patches: int = 0

    def speed(self) -> dict[str, object]:
        """Patches a second, and the share of time spent waiting for input; nothing before they are known."""
        if not self.seconds:
            return {}
        return {
            "patches/s": round(self.patches / self.seconds),
            "waiting": f"{self.waited / self.seconds:.1%}",
        }


def run(settings: Settings) -> dict[str, dict[str, float]]:
    """Trains, or goes on training, and evaluates the best epoch.

    Args:
      settings: all of them.

    Returns:
      'validation' and 'test' → what `scoring.accuracies` returns; also written to `<workdir>/result.json`.

    Raises:
      InputError: of the kinds in `errors`.
      OSError: something cannot be written.
      KeyboardInterrupt: it was told to stop, and has saved a checkpoint.
    """
    strategy, precision = set_up_device(settings)
    data = load(settings)
    positions = number_of_positions(data.strips["train"], settings.patch_width)
    steps_per_epoch = max(1, round(settings.patch_fraction * positions / settings.batch_size))
    origin = {"precision": precision, "writers": data.writers, "fingerprint": data.fingerprint}
    identity = json.loads(json.dumps(settings.decides_weights | origin))

    workdir = pathlib.Path(settings.workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    last = workdir / LAST
    progress = Progress()
    if last.exists():
        state = checkpoints.read_state(last)
        check_same_run(state["run"], identity, str(last))
        progress = Progress(**state["progress"])
    write_beside(workdir / "flags.txt", settings.as_flags())

    with strategy.scope():
        model = compiled_model(settings, len(data.writers), settings.epochs * steps_per_epoch)
    if last.exists():
        checkpoints.restore(model, last)
        log.info("Going on from step %d of %s.", progress.step, last)
    log.info(
        "%s: %d training images of %d writers, %d patch positions.",
        data.name,
        len(data.strips["train"]),
        len(data.writers),
        positions,
    )
    log.info(
        "%s: %d parameters in %s; %d epochs of %d steps of %d patches.",
        settings.model,
        model.count_params(),
        precision,
        settings.epochs,
        steps_per_epoch,
        settings.batch_size,
    )

    Trainer(settings, data, model, strategy, progress, steps_per_epoch, identity).train()

    checkpoints.restore(model, workdir / BEST)
    results = {
        split: evaluate(model, data.strips[split], len(data.writers), settings.window_stride, split)
        for split in ("validation", "test")
    }
    summary = _summary(settings, data, progress, precision, results)
    checkpoints.add_calibration(workdir / BEST, recognizer.calibrate(model, data.strips))
    write_beside(workdir / "result.json", json.dumps(summary, indent=2) + "\n")
    return results


def set_up_device(settings: Settings) -> tuple[tf.distribute.Strategy, str]:
    """Seeds, determinism, precision and strategy, which are global to a process.

    Returns:
      The strategy, and the precision that 'auto' stands for here.
    """
    gpus = tf.config.list_physical_devices("GPU")
    precision = settings.precision
    if precision == "auto":
        capability = (
            tf.config.experimental.get_device_details(gpus[0]).get("compute_capability") if gpus else None
        )
        # bfloat16 needs no loss scaling, but tensor cores know it from Ampere (8.0) on only. On a CPU, half
        # precision is slower than float32.
        precision = (
            "float32" if not gpus else "mixed_bfloat16" if (capability or (0,))[0] >= 8 else "mixed_float16"
        )
    keras.config.set_dtype_policy(precision)
    keras.utils.set_random_seed(settings.seed)
    if settings.deterministic:
        tf.config.experimental.enable_op_determinism()
    mirrored = settings.strategy == "mirrored"
    return (tf.distribute.MirroredStrategy() if mirrored else tf.distribute.get_strategy()), precision


def load(settings: Settings) -> Data:
    """Prepares the dataset and its strips, as far as they are not there."""
    config = settings.config_name
    if config == "synthetic":
        config = synthetic_config(
            num_writers=settings.num_writers,
            forms_per_writer=settings.forms_per_writer,
            lines_per_form=settings.lines_per_form,
            seed=settings.synthetic_seed,
            fonts_dir=settings.fonts_dir,
            text_file=settings.text_file,
        )
    builder = prepare(
        config,
        data_dir=settings.data_dir,
        manual_dir=settings.manual_dir,
        max_bad_images=settings.max_bad_images,
    )
    strips = {
        split: strips_of_split(
            builder,
            split,
            height=settings.patch_height,
            min_width=settings.patch_width,
            label="writer",
            group="form",
        )
        for split in ("train", "validation", "test")
    }
    metadata = builder.info.metadata
    return Data(
        builder.info.full_name, metadata["fingerprint"], builder.info.features["writer"].names, strips
    )


def compiled_model(settings: Settings, classes: int, steps: int) -> keras.Model:
    """The model that the settings name, ready to train for `steps` steps."""
    model = MODELS[settings.model](classes, settings.patch_height, settings.patch_width)
    rate = settings.learning_rate
    if settings.learning_rate_schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    on_one_gpu = bool(tf.config.list_physical_devices("GPU")) and settings.strategy == "one"
    # XLA made the article's network four times slower on a CPU, and has no deterministic mode.
    automatic = on_one_gpu and not settings.deterministic
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        jit_compile={"auto": automatic, "true": True, "false": False}[settings.jit_compile],
    )
    # Now, not in the first step: a checkpoint needs its variables, and a mirrored step cannot make them.
    model.optimizer.build(model.trainable_variables)
    return model


def evaluate(
    model: keras.Model, strips: Strips, classes: int, stride: int, description: str
) -> dict[str, float]:
    """Scans the windows of a split at a stride of so many columns; see `scoring.accuracies` for what it returns."""
    _, width, _ = model.input_shape
    batches, images = windows(strips, window_width=width, batch_size=WINDOW_BATCH, stride=stride)
    progress = progress_bar(batches, desc=f"scanning {description}", unit=" batches", leave=False)
    scanned = scoring.scan(model.predict_on_batch, progress, images, strips.labels, classes)
    return scoring.accuracies(scanned, strips.labels, strips.groups)


def gathered(starts: tf.data.Dataset, strips: Strips, patch_width: int) -> Iterator:
    """Batches gathered on the device from start columns, the columns being copied into its memory once."""
    columns = tf.identity(strips.columns())  # Onto the default device: the first GPU if there is one.
    gather = tf.function(gather_columns)
    for start, label in starts:
        yield gather(columns, start, patch_width), label


class TimedIterator:
    """An iterator that knows how long it has been waited for."""

    def __init__(self, iterator: Iterator):
        self._iterator = iterator
        self.waited = 0.0

    def __iter__(self):
        return self

    def __next__(self):
        before = time.perf_counter()
        element = next(self._iterator)
        self.waited += time.perf_counter() - before
        return element


@dataclasses.dataclass
class Trainer:
    """Trains a compiled model from `progress.step` to the last epoch, keeping the checkpoints up to date."""

    settings: Settings
    data: Data
    model: keras.Model
    strategy: tf.distribute.Strategy
    progress: Progress
    steps_per_epoch: int
    identity: dict

    def train(self) -> None:
        """See `run` for what it raises."""
        steps = self.settings.epochs * self.steps_per_epoch
        if self.progress.step >= steps:
            return
        for variable, value in zip(self.model.metrics_variables, self.progress.metrics, strict=False):
            variable.assign(value)
        self.model.make_train_function()
        batches = TimedIterator(self._batches())
        scalars = tf.summary.create_file_writer(str(self._workdir / "tensorboard"))
        bar = progress_bar(total=steps, initial=self.progress.step, unit=" steps", desc="training")
        # What a process does first takes longer, and is not timed.
        warm_up = self.progress.step + WARM_UP_STEPS
        save_at = self._next_save()
        with contextlib.closing(bar), scalars.as_default(), _told_to_stop() as told_to_stop:
            if self.progress.step == 0:
                self._show_batch()
            while self.progress.step < steps:
                epoch_end = (self.progress.step // self.steps_per_epoch + 1) * self.steps_per_epoch
                timed = self.progress.step >= warm_up
                until = epoch_end if timed else min(epoch_end, warm_up)
                logs = self._steps(batches, until, save_at, told_to_stop, timed, bar)
                if self.progress.step == epoch_end:
                    self._end_epoch(logs, bar)
                if self.progress.step == epoch_end or told_to_stop.is_set() or time.monotonic() >= save_at:
                    self._save(LAST)
                    save_at = self._next_save()
                if told_to_stop.is_set():
                    raise KeyboardInterrupt(
                        f"Stopped at step {self.progress.step:,} of {steps:,}; the same command goes on from there."
                    )

    @property
    def _workdir(self) -> pathlib.Path:
        return pathlib.Path(self.settings.workdir)

    def _batches(self) -> Iterator:
        """Batches from `progress.step` on, on the device."""
        settings, strips = self.settings, self.data.strips["train"]
        which = {
            "patch_width": settings.patch_width,
            "batch_size": settings.batch_size,
            "seed": settings.seed,
            "first_step": self.progress.step,
            "balance": settings.balance,
        }
        if settings.gather == "device":
            dataset = start_columns(strips, **which).prefetch(2)
        else:
            dataset = patches(strips, num_parallel_calls=settings.parallel_calls, **which)
        if settings.strategy == "mirrored":
            dataset = self.strategy.experimental_distribute_dataset(dataset)
        elif tf.config.list_physical_devices("GPU"):
            # Keras does not do it, and without it each step begins with the copy of its batch. Must be the last op.
            dataset = dataset.apply(tf.data.experimental.prefetch_to_device("/GPU:0", 2))
        return (
            gathered(dataset, strips, settings.patch_width) if settings.gather == "device" else iter(dataset)
        )

    def _next_save(self) -> float:
        return time.monotonic() + 60 * self.settings.checkpoint_minutes

    def _steps(
        self,
        batches: TimedIterator,
        until: int,
        save_at: float,
        told_to_stop: threading.Event,
        timed: bool,
        bar: tqdm,
    ) -> dict[str, float]:
        """Trains up to step `until`, the time to save, or being told to stop; at least one step."""
        progress = self.progress
        first, started, waited = progress.step, time.perf_counter(), batches.waited
        while True:
            with self._profiled():
                logs = self.model.train_function(batches)
            progress.step += 1
            bar.update()
            done = progress.step >= until or told_to_stop.is_set() or time.monotonic() >= save_at
            if not done and time.perf_counter() - started < 1:
                continue
            seen = self._fetch(logs)  # Waits for the device, so that the time is that of all steps so far.
            if timed:
                progress.seconds += time.perf_counter() - started
                progress.waited += batches.waited - waited
                progress.patches += (progress.step - first) * self.settings.batch_size
            bar.set_postfix(seen | progress.speed(), refresh=False)
            if done:
                return seen
            first, started, waited = progress.step, time.perf_counter(), batches.waited

    def _fetch(self, logs: dict) -> dict[str, float]:
        """Loss and accuracy, means over the epoch so far, as numbers; also for TensorBoard."""
        seen = {name: float(value) for name, value in logs.items()}
        if not math.isfinite(seen["loss"]):
            raise DivergedError(
                f"The loss is {seen['loss']} at step {self.progress.step}. Lower --learning_rate; {LAST} in the "
                "workdir is from before."
            )
        for name, value in seen.items():
            tf.summary.scalar(f"train/{name}", value, step=self.progress.step)
        return seen

    def _end_epoch(self, logs: dict[str, float], bar: tqdm) -> None:
        """Scores the validation lines, and keeps the model if it is the best so far."""
        progress, settings = self.progress, self.settings
        result = evaluate(
            self.model,
            self.data.strips["validation"],
            len(self.data.writers),
            settings.validation_stride,
            "validation",
        )
        entry = {"step": progress.step, **{f"train.{name}": value for name, value in logs.items()}}
        entry |= {f"validation.{name}": result[name] for name in ("patch_top1", "line_top1", "form_top1")}
        progress.history.append(entry)
        for name, value in entry.items():
            tf.summary.scalar(name.replace(".", "/"), value, step=progress.step)
        epoch = progress.step // self.steps_per_epoch
        bar.write(
            f"epoch {epoch}: loss {logs['loss']:.3f}, accuracy {logs['accuracy']:.1%}; validation patches "
            f"{result['patch_top1']:.1%}, lines {result['line_top1']:.1%}, forms {result['form_top1']:.1%}",
            file=sys.stderr,
        )
        self.model.reset_metrics()
        score = (result["line_top1"], -result["line_cross_entropy"])
        if progress.best is None or score > tuple(progress.best):
            progress.best, progress.best_step = score, progress.step
            self._save(BEST)

    def _save(self, name: str) -> None:
        self.progress.metrics = [keras.ops.convert_to_numpy(v).tolist() for v in self.model.metrics_variables]
        state = {"run": self.identity, "progress": dataclasses.asdict(self.progress)}
        checkpoints.save(self.model, self._workdir / name, state)

    def _show_batch(self) -> None:
        images, _ = next(
            iter(
                patches(
                    self.data.strips["train"],
                    patch_width=self.settings.patch_width,
                    batch_size=16,
                    seed=self.settings.seed,
                )
            )
        )
        tf.summary.image("patches", tf.transpose(images, (0, 2, 1))[..., None], step=0, max_outputs=16)

    @contextlib.contextmanager
    def _profiled(self):
        """Records a profile for TensorBoard from the first to the last of --profile_steps."""
        first, last = self.settings.profile_steps or (-1, -1)
        if self.progress.step == first:
            tf.profiler.experimental.start(str(self._workdir / "tensorboard"))
        yield
        if self.progress.step == last:
            tf.profiler.experimental.stop()


@contextlib.contextmanager
def _told_to_stop():
    """An event that is set by Ctrl-C or a polite kill, so that a run stops between two steps. A second one kills."""
    told = threading.Event()

    def tell(number, frame):
        told.set()
        for name, handler in handlers.items():
            signal.signal(name, handler)

    if threading.current_thread() is not threading.main_thread():  # Only the main thread may handle signals.
        yield told
        return
    handlers = {name: signal.signal(name, tell) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    finally:
        for name, handler in handlers.items():
            signal.signal(name, handler)


def _summary(
    settings: Settings, data: Data, progress: Progress, precision: str, results: dict[str, dict[str, float]]
) -> dict[str, object]:
    """One flat object: everything that a reader of the accuracies needs to believe them."""
    summary = {
        f"{split}.{name}": value for split, result in results.items() for name, value in result.items()
    }
    summary |= {
        "train.steps": progress.step,
        "train.patches": progress.step * settings.batch_size,
        "train.best_step": progress.best_step,
        "train.minutes": progress.seconds / 60,
        # Null if the run was too short to be timed.
        "train.patches_per_second": progress.patches / progress.seconds if progress.seconds else None,
        "train.input_wait_fraction": progress.waited / progress.seconds if progress.seconds else None,
        "train.accuracy": progress.history[-1]["train.accuracy"],
        "dataset": data.name,
        "dataset_fingerprint": data.fingerprint,
        "precision": precision,
        "config": dataclasses.asdict(settings),
    }
    for package in ("iam_writer", "tensorflow", "tensorflow-datasets", "keras", "numpy"):
        summary[f"versions.{package}"] = _version(package)
    return summary | {
        "versions.python": platform.python_version(),
        "machine.cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "machine.gpus": len(tf.config.list_physical_devices("GPU")),
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # Run from a checkout without installing.
        return None
