"""Devices and machines: which devices a training step runs on, and which of several workers writes files."""

import os

import keras
import tensorflow as tf

from iam_writer.common.devices import gpus, on_jax
from iam_writer.common.errors import FlagError
from iam_writer.recognition.scanning import BATCH
from iam_writer.training.settings import Settings


def wait_for_each_other(strategy: tf.distribute.Strategy) -> None:
    """Waits until all workers have called this function."""
    if strategy.extended._in_multi_worker_mode():
        float(strategy.reduce("SUM", strategy.run(lambda: tf.constant(1.0)), axis=None))


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes files. Several workers all do the same work, and only the chief writes files."""
    resolver = strategy.cluster_resolver
    return (
        resolver is None
        or resolver.task_type in (None, "chief")
        or (resolver.task_type, resolver.task_id) == ("worker", 0)
    )


def set_up_device(settings: Settings) -> tuple[tf.distribute.Strategy, str]:
    """Sets determinism, precision and strategy. They are global to a process.

    Returns:
      The strategy, and the precision that 'auto' stands for here.

    Raises:
      FlagError: a flag does not fit the backend or the number of devices.
    """
    if on_jax():
        if settings.strategy == "multi_worker":
            raise FlagError(
                "--strategy=multi_worker works with TensorFlow only. With KERAS_BACKEND=jax, use --strategy=one or mirrored."
            )
        if (
            settings.deterministic
            and gpus()
            and "xla_gpu_deterministic_ops=true" not in os.environ.get("XLA_FLAGS", "")
        ):
            raise FlagError(
                "--deterministic does not work on a GPU with JAX yet. Set XLA_FLAGS=--xla_gpu_deterministic_ops=true in the "
                "environment."
            )
        tf.config.set_visible_devices(
            [], "GPU"
        )  # TensorFlow makes only the input. JAX needs the GPU's memory.
        _divide_among_jax_devices(settings)
    elif settings.deterministic:
        tf.config.experimental.enable_op_determinism()
    # Several workers must find each other before anything else happens. JAX does not use TensorFlow's strategies.
    strategy = {
        "one": tf.distribute.get_strategy,
        "mirrored": tf.distribute.MirroredStrategy,
        "multi_worker": tf.distribute.MultiWorkerMirroredStrategy,
    }["one" if on_jax() else settings.strategy]()
    if settings.batch_size % strategy.num_replicas_in_sync:
        raise FlagError(
            f"--batch_size={settings.batch_size} cannot be divided among {strategy.num_replicas_in_sync} devices. Choose a "
            "multiple of their number."
        )
    precision = settings.precision
    if precision == "auto":
        capabilities = [gpu.capability for gpu in gpus()]
        # bfloat16 needs no loss scaling, but only tensor cores since Ampere (8.0) support it. On a CPU, half precision
        # is slower than float32.
        half = "mixed_bfloat16" if capabilities and min(capabilities) >= 8 else "mixed_float16"
        precision = half if capabilities else "float32"
    keras.config.set_dtype_policy(precision)
    return strategy, precision


def _divide_among_jax_devices(settings: Settings) -> None:
    """Tells Keras to divide each batch among all devices of JAX, or to use one device.

    Each device has a copy of the weights. JAX compiles one program for the whole batch and divides it, so that means over a
    batch, as in batch norm, are over all of it, and dropout is that of a single device.
    """
    import jax

    if settings.strategy == "one":
        keras.distribution.set_distribution(None)
        return
    devices = jax.devices()
    for what, size in (
        ("--batch_size", settings.batch_size),
        ("the number of windows scanned at once", BATCH),
    ):
        if size % len(devices):
            raise FlagError(
                f"{what} is {size}. With --strategy=mirrored it must be a multiple of the number of devices, which is "
                f"{len(devices)}. Change --batch_size, or hide devices from JAX (CUDA_VISIBLE_DEVICES)."
            )
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False)
    )
