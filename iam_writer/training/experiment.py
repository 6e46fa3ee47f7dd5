"""A training run, from the dataset to the table of accuracies. A killed run goes on where it was, bit for bit."""

import contextlib
import dataclasses
import json
import logging
import math
import os
import pathlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

import filelock
import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from iam_writer.common.datasets import joint_strips, parts, writers
from iam_writer.common.devices import gpus, on_jax
from iam_writer.common.errors import DivergedError, FlagError, OtherRunError, ServiceError
from iam_writer.common.files import write_beside
from iam_writer.common.provenance import provenance
from iam_writer.iam_writer_dataset_builder import prepare, synthetic_config
from iam_writer.models.losses import SmoothedCrossEntropy
from iam_writer.models.networks import MODELS
from iam_writer.recognition import checkpoints, recognizer, scoring
from iam_writer.training.settings import Settings, check_same_run
from pipelines.data_service import service_patches
from pipelines.patch_order import number_of_positions
from pipelines.patches import ahead, gather_columns, iterate, patches, start_columns
from pipelines.strips import Strips
from pipelines.system.progress import progress_bar
from pipelines.windows import windows

log = logging.getLogger(__name__)

WARM_UP_STEPS = 10
"""Steps at the start of a process that are not timed: they compile, and fill buffers."""

WINDOW_BATCH = 1024

AGREEMENT_STEPS = 50
"""Several workers ask each other every so many steps whether to stop or to save."""
NOT_DECAYED = ("bias", "gamma", "beta")
"""Weight decay is of kernels: what these do to a channel is not made simpler by being small."""

LAST, BEST = "last.keras", "best.keras"
"""Checkpoints in a workdir: the newest, and that of the epoch with the best validation lines."""


@dataclasses.dataclass(frozen=True)
class Data:
    """What is there to train on, from one dataset or several: its name and origin, the writers, strips by split."""

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
    total_seconds: float = (
        0.0  # From the start of `run`, whatever it did, in all processes up to their last save.
    )

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
      'validation' and 'test' → what `scoring.accuracies` returns, and so 'test.top50' … of each dataset if there are
      several; also written to `<workdir>/result.json`.

    Raises:
      InputError: of the kinds in `errors`.
      OSError: something cannot be written.
      KeyboardInterrupt: it was told to stop, and has saved a checkpoint.
    """
    began = time.monotonic()
    strategy, precision = set_up_device(settings)
    workdir = pathlib.Path(settings.workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    with alone_in(workdir) if is_chief(strategy) else contextlib.nullcontext():
        return _run(settings, workdir, strategy, precision, began)


@contextlib.contextmanager
def alone_in(workdir: pathlib.Path) -> Iterator[None]:
    """No other program trains in a folder meanwhile: two would write each other's checkpoints.

    Raises:
      OtherRunError: one does.
    """
    lock = filelock.FileLock(workdir / ".lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise OtherRunError(
            f"Another program trains in {workdir}. Wait for its end, or choose another --workdir."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _run(
    settings: Settings,
    workdir: pathlib.Path,
    strategy: tf.distribute.Strategy,
    precision: str,
    began: float,
) -> dict[str, dict[str, float]]:
    data = load(settings)
    positions = number_of_positions(data.strips["train"], settings.patch_width)
    steps_per_epoch = max(1, round(settings.patch_fraction * positions / settings.batch_size))
    origin = {"precision": precision, "writers": data.writers, "fingerprint": data.fingerprint}
    identity = json.loads(json.dumps(settings.decides_weights | origin))

    last = workdir / LAST
    chief = is_chief(strategy)
    progress = Progress()
    if last.exists():
        state = checkpoints.read_state(last)
        check_same_run(state["run"], identity, str(last))
        if state["progress"]["best_step"]:
            check_same_run(checkpoints.read_state(workdir / BEST)["run"], identity, str(workdir / BEST))
        progress = Progress(**state["progress"])
        began -= progress.total_seconds
    if chief:
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

    Trainer(settings, data, model, strategy, progress, steps_per_epoch, identity, began).train()
    wait_for_each_other(strategy)  # The chief may still be writing what all will read.

    checkpoints.restore(model, workdir / BEST)
    results = {}
    for split in ("validation", "test"):
        strips = data.strips[split]
        scanned = scan(model, strips, len(data.writers), settings.window_stride, settings.combine, split)
        results |= scoring.accuracies_of_parts(split, scanned, strips, parts(identity, strips.labels))
    calibration = recognizer.calibrate(model, data.strips)
    minutes = (time.monotonic() - began) / 60
    summary = {"minutes": minutes} | _summary(settings, data, progress, precision, results)
    if chief:
        checkpoints.add_calibration(workdir / BEST, calibration)
        write_beside(workdir / "result.json", json.dumps(summary, indent=2) + "\n")
    return results


def train_function(model: keras.Model, strategy: tf.distribute.Strategy) -> Callable[[Iterator], dict]:
    """A function that takes a batch from an iterator and trains on it; returns loss and accuracy of the epoch so far."""
    if on_jax():
        return lambda batches: model.train_on_batch(*map(_to_jax, next(batches)), return_dict=True)
    if not strategy.extended._in_multi_worker_mode():
        model.make_train_function()
        return model.train_function

    # Keras' own (3.15) averages scalars of several workers along their first axis, which they do not have.
    @tf.function(jit_compile=model.jit_compile)
    def step(batch):
        logs = strategy.run(model.train_step, (batch,))
        return {name: strategy.reduce("MEAN", value, axis=None) for name, value in logs.items()}

    return lambda batches: step(next(batches))


def _to_jax(batch: object) -> object:
    return np.asarray(batch) if isinstance(batch, tf.Tensor) else batch


def wait_for_each_other(strategy: tf.distribute.Strategy) -> None:
    """Returns when all workers have come here."""
    if strategy.extended._in_multi_worker_mode():
        float(strategy.reduce("SUM", strategy.run(lambda: tf.constant(1.0)), axis=None))


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes files: of several workers, which all do the same, one does."""
    resolver = strategy.cluster_resolver
    return (
        resolver is None
        or resolver.task_type in (None, "chief")
        or (resolver.task_type, resolver.task_id) == ("worker", 0)
    )


def run_seeds(settings: Settings) -> dict[str, float | list[float]]:
    """Runs for two or more seeds, each in a folder of its own in the workdir, and writes their figures side by side.

    Args:
      settings: as of `run`, which also says what is raised.

    Returns:
      `validation.line_top1` …, the mean over seeds; `validation.line_top1.std`, the standard deviation (of a sample);
      `validation.line_top1.seeds`, the figure of each. Also written to `<workdir>/result.json`.
    """
    workdir = pathlib.Path(settings.workdir)
    of_seeds = []
    for seed in range(settings.seed, settings.seed + settings.num_seeds):
        log.info("Seed %d.", seed)
        keras.backend.clear_session()  # The network before is not needed any more, and its names begin anew.
        of_seeds.append(
            run(dataclasses.replace(settings, seed=seed, num_seeds=1, workdir=str(workdir / f"seed{seed}")))
        )
    write_beside(workdir / "flags.txt", settings.as_flags())
    summary = {}
    for split, results in of_seeds[0].items():
        for name in results:
            values = [of_seed[split][name] for of_seed in of_seeds]
            if None not in values:
                summary[f"{split}.{name}"] = float(np.mean(values))
                summary[f"{split}.{name}.std"] = float(np.std(values, ddof=1))
                summary[f"{split}.{name}.seeds"] = values
    write_beside(
        workdir / "result.json",
        json.dumps(summary | {"config": dataclasses.asdict(settings)}, indent=2) + "\n",
    )
    return summary


def set_up_device(settings: Settings) -> tuple[tf.distribute.Strategy, str]:
    """Determinism, precision and strategy, which are global to a process.

    Returns:
      The strategy, and the precision that 'auto' stands for here.

    Raises:
      FlagError: a flag does not fit the backend or the number of devices.
    """
    if on_jax():
        if settings.strategy != "one":
            raise FlagError(
                f"--strategy={settings.strategy} is TensorFlow's; with KERAS_BACKEND=jax there is one."
            )
        if (
            settings.deterministic
            and gpus()
            and "xla_gpu_deterministic_ops=true" not in os.environ.get("XLA_FLAGS", "")
        ):
            raise FlagError(
                "--deterministic on a GPU with JAX needs XLA_FLAGS=--xla_gpu_deterministic_ops=true."
            )
        tf.config.set_visible_devices([], "GPU")  # TensorFlow has the input only; the memory is JAX's.
    elif settings.deterministic:
        tf.config.experimental.enable_op_determinism()
    # Several workers must find each other before anything else happens.
    strategy = {
        "one": tf.distribute.get_strategy,
        "mirrored": tf.distribute.MirroredStrategy,
        "multi_worker": tf.distribute.MultiWorkerMirroredStrategy,
    }[settings.strategy]()
    if settings.batch_size % strategy.num_replicas_in_sync:
        raise FlagError(
            f"--batch_size={settings.batch_size} is for all {strategy.num_replicas_in_sync} devices together, and must be "
            "a multiple of their number."
        )
    precision = settings.precision
    if precision == "auto":
        capabilities = [gpu.capability for gpu in gpus()]
        # bfloat16 needs no loss scaling, but tensor cores know it from Ampere (8.0) on only. On a CPU, half
        # precision is slower than float32.
        half = "mixed_bfloat16" if capabilities and min(capabilities) >= 8 else "mixed_float16"
        precision = half if capabilities else "float32"
    keras.config.set_dtype_policy(precision)
    return strategy, precision


def load(settings: Settings) -> Data:
    """Prepares the datasets and their strips, as far as they are not there."""
    same = "num_writers forms_per_writer lines_per_form script test_script fonts_dir text_file".split()
    invented = synthetic_config(
        seed=settings.synthetic_seed, **{name: getattr(settings, name) for name in same}
    )
    builders = {
        config: prepare(
            invented if config == "synthetic" else config,
            data_dir=settings.data_dir,
            manual_dir=manual_dir,
            max_bad_images=settings.max_bad_images,
        )
        for config, manual_dir in settings.datasets.items()
    }
    strips = {
        split: joint_strips(builders, split, settings.patch_height, settings.patch_width)
        for split in ("train", "validation", "test")
    }
    infos = [builder.info for builder in builders.values()]
    return Data(
        ",".join(info.full_name for info in infos),
        ",".join(info.metadata["fingerprint"] for info in infos),
        writers(builders),
        strips,
    )


def compiled_model(settings: Settings, classes: int, steps: int) -> keras.Model:
    """The model that the settings name, ready to train for `steps` steps."""
    # Not before: who prepares a dataset draws random numbers too, and then the first run would be like no other.
    keras.utils.set_random_seed(settings.seed)
    model = MODELS[settings.model](
        classes, settings.patch_height, settings.patch_width, augment=settings.augment
    )
    # JAX is XLA. TensorFlow's made the article's network four times slower on a CPU, and has no deterministic mode.
    on_one_gpu = bool(gpus()) and settings.strategy == "one"
    automatic = on_jax() or (on_one_gpu and not settings.deterministic)
    model.compile(
        optimizer=_optimizer(settings, steps),
        loss=(
            SmoothedCrossEntropy(settings.label_smoothing)
            if settings.label_smoothing
            else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        ),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        jit_compile={"auto": automatic, "true": True, "false": False}[settings.jit_compile],
    )
    # Now, not in the first step: a checkpoint needs their variables, and a mirrored step cannot make them.
    model.optimizer.build(model.trainable_variables)
    model._compile_metrics.build(keras.KerasTensor((None,)), model.output)
    return model


def _optimizer(settings: Settings, steps: int) -> keras.optimizers.Optimizer:
    schedules, rate = keras.optimizers.schedules, settings.learning_rate
    warm_up = round(settings.warmup_fraction * steps)
    if settings.learning_rate_schedule == "cosine":
        rise = {"initial_learning_rate": 0.0, "warmup_target": rate, "warmup_steps": warm_up}
        rate = schedules.CosineDecay(
            **(rise if warm_up else {"initial_learning_rate": rate}), decay_steps=steps - warm_up
        )
    elif warm_up:
        rate = schedules.PolynomialDecay(0.0, warm_up, end_learning_rate=rate)  # Rises, and stays there.
    optimizer = keras.optimizers.Adam(
        rate,
        weight_decay=settings.weight_decay or None,
        use_ema=settings.ema_momentum > 0,
        ema_momentum=settings.ema_momentum or 0.99,  # Must be a momentum even where it is not used.
    )
    if settings.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
    return optimizer


def evaluate(
    model: keras.Model, strips: Strips, classes: int, stride: int, combine: str, description: str
) -> dict[str, float]:
    """Scans the windows of a split, see `scan`, and tells what `scoring.accuracies` does."""
    scanned = scan(model, strips, classes, stride, combine, description)
    return scoring.accuracies(scanned, strips.labels, strips.groups, strips.widths)


def scan(
    model: keras.Model, strips: Strips, classes: int, stride: int, combine: str, description: str
) -> scoring.Scan:
    """Scans the windows of a split at a stride of so many columns."""
    _, width, _ = model.input_shape
    batches, images = windows(strips, window_width=width, batch_size=WINDOW_BATCH, stride=stride)
    progress = progress_bar(batches, desc=f"scanning {description}", unit=" batches", leave=False)
    return scoring.scan(model.predict_on_batch, progress, images, strips.labels, classes, combine)


def gathered(starts: Iterator, strips: Strips, patch_width: int) -> Iterator:
    """Batches gathered on the device from start columns, the columns being copied into its memory once."""
    if on_jax():
        columns, offsets = keras.ops.convert_to_tensor(strips.columns().numpy()), np.arange(patch_width)
        for start, label in starts:
            yield keras.ops.take(columns, start.numpy()[:, None] + offsets, axis=0), label.numpy()
        return
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


def speeds(settings: Settings, data: Data, seconds: float) -> Iterator[float]:
    """Patches/s of a run with these settings, without end; each is of so many seconds, on a network that nobody keeps."""
    strategy, _ = set_up_device(settings)
    with strategy.scope():
        model = compiled_model(settings, len(data.writers), steps=1)
    batches = Trainer(settings, data, model, strategy, Progress(), 1, {}, time.monotonic()).batches()
    step = train_function(model, strategy)

    def train_some() -> int:
        for _ in range(WARM_UP_STEPS):
            logs = step(batches)
        float(logs["loss"])  # Waits for the device.
        return WARM_UP_STEPS * settings.batch_size

    train_some()
    while True:
        began, trained, spent = time.perf_counter(), 0, 0.0
        while not spent or spent < seconds:
            trained += train_some()
            spent = time.perf_counter() - began
        yield trained / spent


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
    began: float  # By `time.monotonic`, as if the run had never been stopped.

    def train(self) -> None:
        """See `run` for what it raises."""
        steps = self.settings.epochs * self.steps_per_epoch
        if self._is_finished():
            return
        if self.progress.metrics:
            for variable, value in zip(self.model.metrics_variables, self.progress.metrics, strict=True):
                variable.assign(value)
        self._train_step = train_function(self.model, self.strategy)
        batches = TimedIterator(self.batches())
        folder = str(self._workdir / "tensorboard")
        self._profile, self._first_step = contextlib.ExitStack(), self.progress.step
        writes = is_chief(self.strategy)
        scalars = tf.summary.create_file_writer(folder) if writes else tf.summary.create_noop_writer()
        bar = progress_bar(total=steps, initial=self.progress.step, unit=" steps", desc="training")
        # What a process does first takes longer, and is not timed.
        warm_up = self.progress.step + WARM_UP_STEPS
        save_at = self._next_save()
        with self._profile, contextlib.closing(bar), scalars.as_default(), _told_to_stop() as told_to_stop:
            if self.progress.step == 0:
                self._show_batch()
            while not self._is_finished():
                epoch_end = (self.progress.step // self.steps_per_epoch + 1) * self.steps_per_epoch
                timed = self.progress.step >= warm_up
                until = epoch_end if timed else min(epoch_end, warm_up)
                logs, stop, save = self._steps(batches, until, save_at, told_to_stop, timed, bar)
                if self.progress.step == epoch_end:
                    self._end_epoch(logs, bar)
                if self.progress.step == epoch_end or stop or save:
                    self._save(LAST)
                    save_at = self._next_save()
                if stop:
                    raise KeyboardInterrupt(
                        f"Stopped at step {self.progress.step:,} of {steps:,}; the same command goes on from there."
                    )

    def _is_finished(self) -> bool:
        """Whether the last epoch is over, or so many are since the best one that no better is waited for."""
        progress, patience = self.progress, self.settings.early_stopping_epochs
        epochs_since_best = (progress.step - progress.best_step) // self.steps_per_epoch
        stopped_early = bool(patience and progress.history and epochs_since_best >= patience)
        return stopped_early or progress.step >= self.settings.epochs * self.steps_per_epoch

    @property
    def _workdir(self) -> pathlib.Path:
        return pathlib.Path(self.settings.workdir)

    def batches(self) -> Iterator:
        """Batches from `progress.step` on, on the device."""
        settings, strips = self.settings, self.data.strips["train"]
        which = {
            "patch_width": settings.patch_width,
            "batch_size": settings.batch_size,
            "seed": settings.seed,
            "first_step": self.progress.step,
            "balance": settings.balance,
        }
        calls = settings.parallel_calls
        if settings.strategy != "one":

            def share(context: tf.distribute.InputContext) -> tf.data.Dataset:
                # Each worker has its share of every batch, and each of its devices a share of that.
                share = (context.input_pipeline_id, context.num_input_pipelines)
                dataset = patches(strips, num_parallel_calls=calls, share=share, **which)
                return dataset.rebatch(
                    settings.batch_size // context.num_replicas_in_sync, drop_remainder=True
                )

            return iter(self.strategy.distribute_datasets_from_function(share))
        if settings.gather == "device":
            dataset = start_columns(strips, **which).prefetch(2)
        elif settings.data_service:
            try:
                dataset = service_patches(strips, settings.data_service, num_parallel_calls=calls, **which)
            except ConnectionError as error:
                raise ServiceError(str(error)) from error
        else:
            dataset = patches(strips, num_parallel_calls=calls, **which)
        if tf.config.get_visible_devices("GPU"):
            # Keras does not do it, and without it each step begins with the copy of its batch. Must be the last op.
            batches = iter(dataset.apply(tf.data.experimental.prefetch_to_device("/GPU:0", 2)))
        else:
            batches = iterate(dataset)
        if settings.gather == "device":
            batches = gathered(batches, strips, settings.patch_width)
        return ahead(batches)

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
    ) -> tuple[dict[str, float], bool, bool]:
        """Trains up to step `until`, the time to save, or being told to stop; at least one step.

        Returns:
          Loss and accuracy; whether to stop; whether it is time to save.
        """
        progress = self.progress
        first, started, waited = progress.step, time.perf_counter(), batches.waited
        while True:
            with self._profiled():
                logs = self._train_step(batches)
            progress.step += 1
            bar.update()
            stop, save = self._agreed(told_to_stop.is_set(), time.monotonic() >= save_at)
            done = progress.step >= until or stop or save
            if not done and time.perf_counter() - started < 1:
                continue
            seen = self._fetch(logs)  # Waits for the device, so that the time is that of all steps so far.
            if timed:
                progress.seconds += time.perf_counter() - started
                progress.waited += batches.waited - waited
                progress.patches += (progress.step - first) * self.settings.batch_size
            bar.set_postfix(seen | progress.speed(), refresh=False)
            if done:
                return seen, stop, save
            first, started, waited = progress.step, time.perf_counter(), batches.waited

    def _agreed(self, *wishes: bool) -> list[bool]:
        """What any of the workers wishes. They ask at the same steps, since each waits for the others' answer."""
        if not self.strategy.extended._in_multi_worker_mode():
            return list(wishes)
        if self.progress.step % AGREEMENT_STEPS:
            return [False] * len(wishes)
        own = tf.cast(wishes, tf.float32)
        all_wishes = self.strategy.reduce("SUM", self.strategy.run(lambda: own), axis=None)
        return [bool(wish > 0) for wish in all_wishes]

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
        with self._averaged_weights():
            self._score_epoch(logs, bar)

    @contextlib.contextmanager
    def _averaged_weights(self):
        """The model has the moving averages for weights meanwhile, if --ema_momentum asks for them."""
        if not self.settings.ema_momentum:
            yield
            return
        variables = self.model.trainable_variables
        trained = [keras.ops.convert_to_numpy(variable) for variable in variables]
        self.model.optimizer.finalize_variable_values(variables)
        try:
            yield
        finally:
            for variable, value in zip(variables, trained, strict=True):
                variable.assign(value)

    def _score_epoch(self, logs: dict[str, float], bar: tqdm) -> None:
        progress, settings = self.progress, self.settings
        result = evaluate(
            self.model,
            self.data.strips["validation"],
            len(self.data.writers),
            settings.validation_stride,
            settings.combine,
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
        self.progress.total_seconds = time.monotonic() - self.began
        if not is_chief(self.strategy):
            return
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
        tf.summary.image("patches", images.numpy().transpose(0, 2, 1)[..., None], step=0, max_outputs=16)

    @contextlib.contextmanager
    def _profiled(self):
        """Records a profile for TensorBoard from the first to the last of --profile_steps that this process takes."""
        first, last = self.settings.profile_steps or (-1, -1)
        step = self.progress.step
        if step == max(first, self._first_step) and step <= last:
            self._profile.enter_context(tf.profiler.experimental.Profile(str(self._workdir / "tensorboard")))
        yield
        if step == last:
            self._profile.close()


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
    return summary | provenance()
