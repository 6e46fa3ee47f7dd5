"""Training batches: random patches of a strip file, gathered at the speed of memory.

A patch is `patch_width` neighbouring columns, and columns lie one after the other in the file. So a batch is one
`tf.gather`; nothing is decoded, copied twice, mapped element by element, shuffled in a buffer or unbatched.
"""

import tensorflow as tf

from pipelines.patch_order import patch_order
from pipelines.strips import Strips


def patches(
    strips: Strips,
    *,
    patch_width: int,
    batch_size: int,
    seed: int,
    first_step: int = 0,
    balance: str = "none",
    share: tuple[int, int] = (0, 1),
    num_parallel_calls: int = 2,
    prefetch: int = 4,
) -> tf.data.Dataset:
    """An endless stream of batches; batch t of it is batch `first_step + t` of `patch_order`.

    Args:
      strips: the images.
      patch_width: columns of a patch; its height is that of the strips.
      batch_size: patches of a whole batch, over all workers.
      seed: of the order, see `patch_order`, which also says what it raises.
      first_step: where to begin. Resuming costs nothing, since no batch depends on an earlier one.
      balance: 'none' or 'writers', see `patch_order`.
      share: which rows of each batch this worker gets, see `patch_order`.
      num_parallel_calls: batches gathered at once. Does not change what comes out.
      prefetch: batches made in advance.

    Returns:
      Dataset of (uint8 `[batch, patch_width, height]`: x first, as columns lie in the file; int32 `[batch]` labels).
    """
    order = patch_order(
        strips, patch_width=patch_width, batch_size=batch_size, seed=seed, balance=balance, share=share
    )
    columns = strips.columns()
    offsets = tf.range(patch_width)

    def gather(step):
        start, label = order(step)
        return tf.gather(columns, start[:, None] + tf.cast(offsets, start.dtype)), label

    # One map, so that a batch is made by one thread from the order to the pixels; several threads make several
    # batches. Deterministic: the order of the steps is part of the promise.
    steps = tf.data.Dataset.range(first_step, tf.int64.max)
    dataset = steps.map(gather, num_parallel_calls=num_parallel_calls, deterministic=True)
    return dataset.prefetch(prefetch).with_options(_options())


def _options() -> tf.data.Options:
    options = tf.data.Options()
    # The parallelism is the caller's word; a tuner would spend the first minutes looking for it.
    options.autotune.enabled = False
    # Hidden buffers would hold batches that nobody asked for.
    options.experimental_optimization.inject_prefetch = False
    # Workers are told their share by arithmetic; TensorFlow must not divide the stream once more.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return options
