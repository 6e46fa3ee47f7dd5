"""The benchmark's training: how long a network waits for its batches."""

import importlib
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from pipelines.benchmarking.peers import Corpus


def leave_gpus_to_keras() -> None:
    """Hides GPUs from TensorFlow if Keras computes with another backend, which then needs the memory of the GPUs."""
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        tf.config.set_visible_devices([], "GPU")


def train(corpus: Corpus, network: str, batch_size: int, rounds: int, seconds: float) -> dict[str, float]:
    """Trains a network in turns: on batches as they come, and on one batch that is repeated.

    Returns:
      'patches_per_second', 'repeated_patches_per_second', 'real_over_repeated', and 'wait_microseconds', which is the
      median time that training waits for a batch.
    """
    import keras
    import tensorflow as tf

    from pipelines.patches import iterate, patches

    on_tensorflow = keras.backend.backend() == "tensorflow"
    module, _, function = network.partition(":")
    classes = int(corpus.strips.labels.max()) + 1
    model = getattr(importlib.import_module(module), function)(classes, corpus.height, corpus.width)
    model.compile(
        "adam",
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=bool(tf.config.list_physical_devices("GPU")) if on_tensorflow else "auto",
    )
    batches = iterate(patches(corpus.strips, patch_width=corpus.width, batch_size=batch_size, seed=0))
    if not on_tensorflow:  # Other backends of Keras do not take tensors of TensorFlow.
        batches = (tuple(map(np.asarray, batch)) for batch in batches)
    repeated = next(batches)
    waits: list[float] = []

    def step(batch_of: Callable[[], Any]) -> None:
        started = time.perf_counter()
        batch = batch_of()
        waits.append(time.perf_counter() - started)
        float(model.train_on_batch(*batch))

    rates: dict[str, list[float]] = {"real": [], "repeated": []}
    real_waits: list[float] = []
    sources: dict[str, Callable[[], Any]] = {"real": lambda: next(batches), "repeated": lambda: repeated}
    for _ in range(rounds):
        for name, batch_of in sources.items():
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
