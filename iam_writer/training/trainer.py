"""The loop of a training run: steps, epochs, checkpoints, and stopping between two steps."""

import contextlib
import dataclasses
import functools
import math
import pathlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, TypedDict

import keras
import tensorflow as tf
from tqdm import tqdm

from iam_writer.common.devices import gpus, on_jax
from iam_writer.common.errors import DivergedError, ServiceError
from iam_writer.recognition import checkpoints
from iam_writer.recognition.rule import Rule
from iam_writer.recognition.scanning import evaluate, seeing
from iam_writer.training.compiling import compiled_model
from iam_writer.training.data import Data
from iam_writer.training.distribution import is_chief, set_up_device
from iam_writer.training.overlap import DeviceClock, copied_ahead
from iam_writer.training.settings import Settings
from iam_writer.training.steps import JaxSteps, Logs, TensorFlowSteps, make_steps, planned, steps_in_call
from pipelines.data_service import service_patches
from pipelines.patch_order import Sampling
from pipelines.patches import iterate, patches, start_columns_of_calls
from pipelines.system.progress import progress_bar

WARM_UP_STEPS = 10
"""The first steps of a process are not timed, because they compile and fill buffers."""


ENDLESS = 2**40
"""Steps of an epoch that never ends."""


AGREEMENT_STEPS = 50
"""Several workers agree once in this number of steps whether to stop or to save."""


LAST, BEST = "last.keras", "best.keras"
"""Checkpoints in a workdir: the newest, and the one of the epoch with the best accuracy of validation lines."""

BEST_DESCRIPTOR = "best.descriptor"
"""The checkpoint of a run of --model=descriptor."""


Speed = TypedDict("Speed", {"patches/s": int, "waiting": str}, total=False)
"""What the progress bar shows of the speed of a run."""


@dataclasses.dataclass
class Progress:
    """How far a run has come; saved with every checkpoint."""

    step: int = 0
    best: tuple[float, float] | None = None  # (top-1, minus cross entropy) of validation lines.
    best_step: int = 0
    history: list[dict[str, float]] = dataclasses.field(default_factory=list)  # One entry for each epoch.
    metrics: list[list[float] | float] = dataclasses.field(
        default_factory=list
    )  # State of the current epoch.
    seconds: float = 0.0  # In the steps that were timed, like the next two fields.
    waited: float = 0.0  # For how long the device had nothing to do.
    patches: int = 0
    total_seconds: float = (
        0.0  # Since the start of `run`, all work included; summed over all processes up to their last save.
    )

    def speed(self) -> Speed:
        """Patches per second, and the share of time in which the device had nothing to do. Empty until a step has been timed."""
        if not self.seconds:
            return {}
        return {
            "patches/s": round(self.patches / self.seconds),
            "waiting": f"{self.waited / self.seconds:.1%}",
        }


def speeds(settings: Settings, data: Data, seconds: float) -> Iterator[float]:
    """Measures the patches/s of a run with these settings, without end. Each measurement takes `seconds` seconds.

    The network is trained for the measurement only, and is not saved.
    """
    strategy, _ = set_up_device(settings)
    with strategy.scope():
        model = compiled_model(settings, len(data.writers), steps=1)
    trainer = Trainer(settings, data, model, strategy, Progress(), ENDLESS, {}, time.monotonic())
    with contextlib.closing(trainer.calls()) as calls:

        def train_some() -> int:
            steps = 0
            while steps < WARM_UP_STEPS:
                made, call = next(calls)
                logs = call()
                steps += made
            float(logs["loss"])  # Waits until the device has finished.
            return steps * settings.batch_size

        train_some()
        while True:
            began, trained, spent = time.perf_counter(), 0, 0.0
            while not spent or spent < seconds:
                trained += train_some()
                spent = time.perf_counter() - began
            yield trained / spent


@dataclasses.dataclass
class Trainer:
    """Trains a compiled model from `progress.step` to the last epoch, and saves checkpoints."""

    settings: Settings
    data: Data
    model: keras.Model
    strategy: tf.distribute.Strategy
    progress: Progress
    steps_per_epoch: int
    identity: dict
    began: float  # On the clock of `time.monotonic`, as if the run had never been stopped.

    def train(self) -> None:
        """Trains to the last epoch. `experiment.run` lists the exceptions."""
        steps = self.settings.epochs * self.steps_per_epoch
        if self._is_finished():
            return
        if self.progress.metrics:
            for variable, value in zip(self.model.metrics_variables, self.progress.metrics, strict=True):
                variable.assign(value)
        folder = str(self._workdir / "tensorboard")
        writes = is_chief(self.strategy)
        scalars = tf.summary.create_file_writer(folder) if writes else tf.summary.create_noop_writer()
        bar = progress_bar(total=steps, initial=self.progress.step, unit=" steps", desc="training")
        # The first steps of a process take longer, so they are not timed.
        warm_up = self.progress.step + WARM_UP_STEPS
        save_at = self._next_save()
        with (
            contextlib.closing(bar),
            scalars.as_default(),
            contextlib.closing(self.clock),
            contextlib.closing(self.calls()) as calls,
            _told_to_stop() as told_to_stop,
        ):
            if self.progress.step == 0:
                self._show_batch()
            while not self._is_finished():
                epoch_end = (self.progress.step // self.steps_per_epoch + 1) * self.steps_per_epoch
                timed = self.progress.step >= warm_up
                until = epoch_end if timed else min(epoch_end, warm_up)
                logs, stop, save = self._train_some(calls, until, save_at, told_to_stop, timed, bar)
                if self.progress.step == epoch_end:
                    self._end_epoch(logs, bar)
                if self.progress.step == epoch_end or stop or save:
                    self._save(LAST)
                    save_at = self._next_save()
                if stop:
                    raise KeyboardInterrupt(
                        f"The run was stopped at step {self.progress.step:,} of {steps:,}. The same command continues it."
                    )

    @functools.cached_property
    def steps(self) -> JaxSteps | TensorFlowSteps:
        return make_steps(self.settings, self.model, self.data.strips["train"], self.strategy)

    @functools.cached_property
    def clock(self) -> DeviceClock:
        """It shows how long the device had nothing to do."""
        asynchronous = on_jax() or bool(gpus())
        return DeviceClock((lambda logs: float(logs["loss"])) if asynchronous else None, bool(gpus()))

    @functools.cached_property
    def _seeing(self) -> keras.Model:
        """The network as validation uses it. It is made once, because its first step compiles."""
        return seeing(self.model)

    def _is_finished(self) -> bool:
        return self.progress.step >= self.settings.epochs * self.steps_per_epoch

    @property
    def _workdir(self) -> pathlib.Path:
        return pathlib.Path(self.settings.workdir)

    def calls(self) -> Generator[tuple[int, Callable[[], Logs]], None, None]:
        """Calls that train, without end, beginning with the step `progress.step`.

        Yields:
          The number of steps that a call makes, and a function that makes it and returns loss and accuracy.
        """
        steps_per_call = steps_in_call(self.settings, self.steps_per_epoch)
        plan = functools.partial(planned, self.progress.step, self.steps_per_epoch, steps_per_call)
        with contextlib.closing(self._batches(plan)) as batches:
            for (_, number), batch in zip(plan(), batches, strict=False):
                yield number, functools.partial(self.steps, batch)

    def _batches(self, plan: Callable[[], Iterator[tuple[int, int]]]) -> Generator[Any, None, None]:
        """What each call needs, on the device: a batch, or the start columns and labels of its steps."""
        batches = self._batches_on_host(plan)
        if on_jax() and gpus():
            batches = copied_ahead(batches, self._put_and_wait)
        elif on_jax():
            batches = map(self.steps.put, batches)
        yield from batches

    def _put_and_wait(self, batch: Any) -> Any:
        on_device = self.steps.put(batch)
        for array in on_device:
            array.block_until_ready()
        return on_device

    def _batches_on_host(self, plan: Callable[[], Iterator[tuple[int, int]]]) -> Iterator:
        settings, strips = self.settings, self.data.strips["train"]
        sampling = Sampling(
            patch_width=settings.patch_width,
            batch_size=settings.batch_size,
            seed=settings.seed,
            first_step=self.progress.step,
            balance=settings.balance,
        )
        calls = settings.parallel_calls
        if settings.strategy != "one" and not on_jax():

            def share(context: tf.distribute.InputContext) -> tf.data.Dataset:
                # Each worker makes its share of every batch. Its devices divide this share.
                share = (context.input_pipeline_id, context.num_input_pipelines)
                dataset = patches(strips, sampling, num_parallel_calls=calls, share=share)
                return dataset.rebatch(
                    settings.batch_size // context.num_replicas_in_sync, drop_remainder=True
                )

            return iter(self.strategy.distribute_datasets_from_function(share))
        if settings.gather == "device":
            dataset = start_columns_of_calls(strips, sampling, plan).prefetch(2)
        elif settings.data_service:
            try:
                dataset = service_patches(strips, sampling, settings.data_service, num_parallel_calls=calls)
            except ConnectionError as error:
                raise ServiceError(str(error)) from error
        else:
            dataset = patches(strips, sampling, num_parallel_calls=calls)
        if tf.config.get_visible_devices("GPU"):
            # Keras does not prefetch to the device. Without it each step first waits for the copy of its batch. This
            # must be the last operation on the dataset.
            return iter(dataset.apply(tf.data.experimental.prefetch_to_device("/GPU:0", 2)))
        return iterate(dataset)

    def _next_save(self) -> float:
        return time.monotonic() + 60 * self.settings.checkpoint_minutes

    def _train_some(
        self,
        calls: Iterator[tuple[int, Callable[[], Logs]]],
        until: int,
        save_at: float,
        told_to_stop: threading.Event,
        timed: bool,
        bar: tqdm,
    ) -> tuple[dict[str, float], bool, bool]:
        """Makes at least one call: up to step `until`, the time to save, or a request to stop.

        Returns:
          Loss and accuracy; whether to stop; whether it is time to save.
        """
        progress, clock = self.progress, self.clock
        clock.restart()
        first, started, idle = progress.step, time.perf_counter(), clock.idle
        while True:
            number, call = next(calls)
            logs = clock.call(call, progress.step + number)
            progress.step += number
            bar.update(number)
            stop, save = self._agreed(told_to_stop.is_set(), time.monotonic() >= save_at)
            done = progress.step >= until or stop or save
            if not done and (time.perf_counter() - started < 1 or clock.latest is None):
                continue
            if done:
                clock.finish()
            # Figures of a call that has ended, because the device would have nothing to do while the host waits for the
            # newest ones.
            seen = self._fetch(*((logs, progress.step) if done else clock.latest))
            if timed:
                progress.seconds += time.perf_counter() - started
                progress.waited += clock.idle - idle
                progress.patches += (progress.step - first) * self.settings.batch_size
            bar.set_postfix(seen | progress.speed(), refresh=False)
            if done:
                self.steps.sync()
                return seen, stop, save
            first, started, idle = progress.step, time.perf_counter(), clock.idle

    def _agreed(self, *wishes: bool) -> list[bool]:
        """For each wish, whether at least one worker has it.

        The workers ask at the same steps, because each waits for the answers of the others.
        """
        if not self.strategy.extended._in_multi_worker_mode():
            return list(wishes)
        if self.progress.step % AGREEMENT_STEPS:
            return [False] * len(wishes)
        own = tf.cast(wishes, tf.float32)
        all_wishes = self.strategy.reduce("SUM", self.strategy.run(lambda: own), axis=None)
        return [bool(wish > 0) for wish in all_wishes]

    def _fetch(self, logs: Logs, step: int) -> dict[str, float]:
        """Loss and accuracy after a step as numbers, means over the epoch so far. They also go to TensorBoard."""
        seen = {name: float(value) for name, value in logs.items()}
        if not math.isfinite(seen["loss"]):
            raise DivergedError(
                f"The loss is {seen['loss']} at step {step}, so training cannot continue. Lower --learning_rate. "
                f"{LAST} in the workdir is older than this step."
            )
        for name, value in seen.items():
            tf.summary.scalar(f"train/{name}", value, step=step)
        return seen

    def _end_epoch(self, logs: dict[str, float], bar: tqdm) -> None:
        """Scores the validation lines, and saves the model as BEST if it is the best so far."""
        progress, settings = self.progress, self.settings
        result = evaluate(
            self._seeing,
            self.data.strips["validation"],
            Rule(settings.validation_stride, settings.combine),
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
def _told_to_stop():
    """An event that Ctrl-C or SIGTERM sets, so that a run stops between two steps. A second signal kills the program."""
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
