"""A training run, from the dataset to the table of accuracies.

A killed run continues from its last checkpoint, and ends with exactly the weights of a run that was never killed.
"""

import contextlib
import dataclasses
import json
import logging
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import filelock
import keras
import numpy as np
import tensorflow as tf

from iam_writer.common.errors import OtherRunError
from iam_writer.common.files import write_beside
from iam_writer.common.names import DESCRIPTOR
from iam_writer.common.provenance import provenance
from iam_writer.recognition import checkpoints, discriminants, scoring
from iam_writer.recognition.scanning import seeing
from iam_writer.training.compiling import compiled_model
from iam_writer.training.data import Data, load
from iam_writer.training.distribution import is_chief, set_up_device, wait_for_each_other
from iam_writer.training.finishing import Finished, finish_descriptor, finish_network
from iam_writer.training.settings import Settings, check_same_run
from iam_writer.training.trainer import BEST, BEST_DESCRIPTOR, LAST, Progress, Trainer
from pipelines.patch_order import number_of_positions

log = logging.getLogger(__name__)


def run(settings: Settings) -> dict[str, scoring.Accuracies]:
    """Trains, or continues a stopped training, and evaluates the best epoch.

    Args:
      settings: all settings of the run.

    Returns:
      For 'validation' and 'test', what `scoring.accuracies` returns. With several datasets there is also an entry for each
      of them, such as 'test.top50'. The accuracies are also written to `<workdir>/result.json`.

    Raises:
      InputError: one of the kinds in `errors`.
      OSError: a file cannot be written.
      KeyboardInterrupt: the run was told to stop, and has saved a checkpoint.
    """
    began = time.monotonic()
    strategy, precision = set_up_device(settings)
    workdir = pathlib.Path(settings.workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    with alone_in(workdir) if is_chief(strategy) else contextlib.nullcontext():
        return _run(settings, workdir, strategy, precision, began)


@contextlib.contextmanager
def alone_in(workdir: pathlib.Path) -> Iterator[None]:
    """Locks a workdir: two programs that train in one folder would overwrite each other's checkpoints.

    Raises:
      OtherRunError: another program holds the lock.
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
) -> dict[str, scoring.Accuracies]:
    if settings.model == DESCRIPTOR:
        return _run_descriptor(settings, workdir, began)
    data = load(settings)
    positions = number_of_positions(data.strips["train"], settings.patch_width)
    steps_per_epoch = max(1, round(settings.patch_fraction * positions / settings.batch_size))
    identity = _identity(settings, data, precision=precision)

    last = workdir / LAST
    chief = is_chief(strategy)
    progress = Progress()
    if (workdir / BEST_DESCRIPTOR).exists():
        before = checkpoints.read_state(workdir / BEST_DESCRIPTOR)["run"]
        check_same_run(before, identity, str(workdir / BEST_DESCRIPTOR), settings.specs)
    if last.exists():
        state = checkpoints.read_state(last)
        check_same_run(state["run"], identity, str(last), settings.specs)
        if state["progress"]["best_step"]:
            kept = checkpoints.read_state(workdir / BEST)
            check_same_run(kept["run"], identity, str(workdir / BEST), settings.specs)
        progress = Progress(**state["progress"])
        began -= progress.total_seconds
    if chief:
        write_beside(workdir / "flags.txt", settings.as_flags())

    with strategy.scope():
        model = compiled_model(settings, len(data.writers), settings.epochs * steps_per_epoch)
    if last.exists():
        checkpoints.restore(model, last)
        log.info("Continuing from step %d of %s.", progress.step, last)
    log.info(
        "%s: %d training images of %d writers, %d patch positions.",
        ", ".join(data.names),
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
    wait_for_each_other(strategy)  # The chief may still be writing the checkpoint that all workers read next.

    checkpoints.restore(model, workdir / BEST)
    finished = finish_network(data, seeing(model, settings.rule.sizes), settings.rule, settings.fuse)
    if chief:
        checkpoints.add_finish(workdir / BEST, finished.finish)
        trained = _of_training(settings, progress) | {"precision": precision}
        _write_result(settings, data, began, finished, trained)
    return finished.results


def _run_descriptor(settings: Settings, workdir: pathlib.Path, began: float) -> dict[str, scoring.Accuracies]:
    """Learns the hands of the writers by the descriptor. It takes so little time that a killed run begins anew."""
    data = load(settings)
    identity = _identity(settings, data)
    for name in (LAST, BEST, BEST_DESCRIPTOR):
        if (workdir / name).exists():
            before = checkpoints.read_state(workdir / name)["run"]
            check_same_run(before, identity, str(workdir / name), settings.specs)
    write_beside(workdir / "flags.txt", settings.as_flags())
    train = data.strips["train"]
    log.info("%s: %d training images of %d writers.", ", ".join(data.names), len(train), len(data.writers))
    finished = finish_descriptor(data)
    checkpoints.save_descriptor(workdir / BEST_DESCRIPTOR, {"run": identity}, finished.finish)
    learnt = {
        "train.lines": len(train),
        "train.components": discriminants.COMPONENTS,
        "train.shrinkage": discriminants.SHRINKAGE,
    }
    _write_result(settings, data, began, finished, learnt)
    return finished.results


def _identity(settings: Settings, data: Data, **more: str) -> dict[str, Any]:
    """What a checkpoint says of its run; another run must not go on from it."""
    origin = {"writers": data.writers, "fingerprint": data.fingerprints, **more}
    identity: dict[str, Any] = json.loads(json.dumps(settings.decides_weights | origin))
    return identity


def run_seeds(settings: Settings) -> dict[str, float | list[float]]:
    """Runs two or more seeds, each in its own folder in the workdir, and writes their figures side by side.

    Args:
      settings: see `run`, which also lists the exceptions.

    Returns:
      For each figure, such as `validation.line_top1`, the mean over seeds. `validation.line_top1.std` is the standard
      deviation (of a sample), and `validation.line_top1.seeds` lists the figure of each seed. All of this is also written
      to `<workdir>/result.json`.
    """
    workdir = pathlib.Path(settings.workdir)
    of_seeds = []
    for seed in range(settings.seed, settings.seed + settings.num_seeds):
        log.info("Seed %d.", seed)
        keras.backend.clear_session()  # Frees the previous network, and Keras counts layer names from the start.
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


def _of_training(settings: Settings, progress: Progress) -> dict[str, Any]:
    """The entries of result.json about the training of a network."""
    return {
        "train.steps": progress.step,
        "train.patches": progress.step * settings.batch_size,
        "train.best_step": progress.best_step,
        "train.minutes": progress.seconds / 60,
        # Null if the run was too short to be timed.
        "train.patches_per_second": progress.patches / progress.seconds if progress.seconds else None,
        "train.input_wait_fraction": progress.waited / progress.seconds if progress.seconds else None,
        "train.accuracy": progress.history[-1]["train.accuracy"],
    }


def _write_result(
    settings: Settings, data: Data, began: float, finished: Finished, trained: dict[str, Any]
) -> None:
    """Writes result.json: one flat object of the accuracies and of how they were obtained."""
    summary: dict[str, Any] = {"minutes": (time.monotonic() - began) / 60}
    for results in (finished.results, finished.calibration_errors):
        for split, result in results.items():
            summary |= {f"{split}.{name}": value for name, value in result.items()}
    finish = finished.finish
    summary |= trained
    summary |= {
        "dataset": data.names,
        "dataset_fingerprint": data.fingerprints,
        "rule": finish.rule and dataclasses.asdict(finish.rule),
        "fusion": finish.fusion and dataclasses.asdict(finish.fusion),
        "config": dataclasses.asdict(settings),
    }
    summary |= provenance()
    write_beside(pathlib.Path(settings.workdir) / "result.json", json.dumps(summary, indent=2) + "\n")
