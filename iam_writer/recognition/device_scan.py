"""Looks at windows that a GPU gathers itself from their start columns: the host sends 8 bytes for a window."""

import collections
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

import keras
import numpy as np

from iam_writer.common.devices import on_jax
from iam_writer.recognition.rule import Rule
from pipelines.gather import gather_columns
from pipelines.strips import Strips

WINDOWS = 2048
"""Windows that a GPU looks at together."""

AHEAD = 2
"""Calls that the GPU has to do while the host adds up the votes of an earlier one."""


class Looked(NamedTuple):
    """What a network says of windows.

    Attributes:
      logits: float32 `[windows, classes]`.
      embeddings: float `[windows, embedding]`.
      has_ink: bool `[windows]`, as `Rule.has_ink`.
    """

    logits: np.ndarray
    embeddings: np.ndarray
    has_ink: np.ndarray


def looks(
    model: keras.Model, strips: Strips, starts: np.ndarray, rule: Rule
) -> Generator[Looked, None, None]:
    """Looks at windows in order, WINDOWS at a time. The last start is repeated to fill the last batch.

    Args:
      model: what `scanning.seeing` returns.
      strips: the images. A copy of all their columns lies on the device until the end.
      starts: int64 `[windows]`, the start columns.
      rule: says what ink is.
    """
    _, width, _ = model.input_shape
    filled = np.pad(starts, (0, -len(starts) % WINDOWS), mode="edge").reshape(-1, WINDOWS)
    look = (_look_on_jax if on_jax() else _look_on_tensorflow)(model, strips, width, rule)
    pending: collections.deque[Any] = collections.deque()
    for batch in filled:
        pending.append(look(batch))  # The device may still be at work when this returns.
        if len(pending) > AHEAD:
            yield Looked(*map(np.asarray, pending.popleft()))
    while pending:
        yield Looked(*map(np.asarray, pending.popleft()))


def _share_of_ink(windows: Any, rule: Rule) -> Any:
    """bool `[n]`, see `Rule.has_ink`. The count is of integers: a mean in half precision would be too coarse."""
    _, width, height = windows.shape
    dark = keras.ops.sum(keras.ops.cast(windows < rule.dark, "int32"), axis=(1, 2))
    return dark >= int(np.ceil(rule.least_ink * width * height - 1e-9))  # 0.07 * 100 is more than 7.


def _look_on_jax(model: keras.Model, strips: Strips, width: int, rule: Rule) -> Callable[[np.ndarray], Any]:
    import jax

    distribution = keras.distribution.distribution()
    columns = strips.columns().numpy()
    if distribution is None:
        columns = jax.device_put(columns)
    else:  # On every device, as the weights.
        whole = jax.sharding.PartitionSpec()
        columns = jax.device_put(
            columns, jax.sharding.NamedSharding(distribution.device_mesh.backend_mesh, whole)
        )
    weights = [[v.value for v in part] for part in (model.trainable_variables, model.non_trainable_variables)]

    @jax.jit
    def look(weights: Any, columns: Any, starts: Any) -> Any:
        offsets = np.arange(width)
        windows = columns.at[starts[:, None] + offsets].get(mode="promise_in_bounds")
        (logits, embeddings), _ = model.stateless_call(*weights, windows, training=False)
        return logits, embeddings.astype("float32"), _share_of_ink(windows, rule)

    return lambda starts: look(weights, columns, starts)


def _look_on_tensorflow(
    model: keras.Model, strips: Strips, width: int, rule: Rule
) -> Callable[[np.ndarray], Any]:
    import tensorflow as tf

    columns = tf.identity(strips.columns())  # On the first GPU.

    @tf.function(jit_compile=model.jit_compile is not False and bool(tf.config.get_visible_devices("GPU")))
    def look(starts: Any) -> Any:
        windows = gather_columns(columns, starts, width)
        logits, embeddings = model(windows, training=False)
        return logits, tf.cast(embeddings, tf.float32), _share_of_ink(windows, rule)

    return lambda starts: look(tf.constant(starts))
