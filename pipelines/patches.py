"""Training batches: random patches of a strip file, gathered at the speed of memory.

A patch is `patch_width` neighbouring columns, and columns lie one after the other in the file. So a batch is one
`tf.gather`; nothing is decoded, copied twice, mapped element by element, shuffled in a buffer or unbatched.
"""

import queue
import threading
from collections.abc import Callable, Iterator

import tensorflow as tf

from pipelines.patch_order import number_of_positions, patch_order
from pipelines.strips import Strips

DRAWS_AT_ONCE = 16_384
"""Start columns are drawn for so many patches at once: an op's fixed cost is then none to speak of."""


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
    prefetch: int = 2,
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
    starts = start_columns(
        strips,
        patch_width=patch_width,
        batch_size=batch_size,
        seed=seed,
        first_step=first_step,
        balance=balance,
        share=share,
    )
    columns, gather = strips.columns(), gatherer(strips, patch_width)

    @tf.autograph.experimental.do_not_convert  # There is nothing to convert, and looking for it takes a quarter second.
    def batch(start, label):
        return gather(columns, start), label

    # Deterministic: the order of the steps is part of the promise, also when several are gathered at once.
    batches = starts.map(batch, num_parallel_calls=num_parallel_calls, deterministic=True)
    return batches.prefetch(prefetch).with_options(options())


def iterate(dataset: tf.data.Dataset) -> Iterator:
    """The batches of an endless dataset, on the host, sooner than by `iter`, which asks for each in another thread.

    That costs two wake-ups a batch: a fifth of the time at 256 patches, a twentieth at 1,024.
    """
    iterator = iter(dataset)
    flat = tf.nest.flatten(dataset.element_spec)
    types, shapes = [spec.dtype for spec in flat], [spec.shape for spec in flat]
    while True:
        # No name for the batch: it would be held while the next is made, and push something else out of the cache.
        yield tf.nest.pack_sequence_as(
            dataset.element_spec,
            tf.raw_ops.IteratorGetNextSync(
                iterator=iterator._iterator_resource, output_types=types, output_shapes=shapes
            ),
        )


def ahead(batches: Iterator) -> Iterator:
    """The same endless stream, each batch asked for while the one before is in use; for steps that take some time.

    To hand over a batch that it has, TensorFlow takes 50 µs, and 400 on cores that are at work. From a queue it takes
    less; but where there is nothing else to do, one thread more only costs.

    Raises:
      Exception: what asking for a batch has raised.
    """
    asked, made = queue.SimpleQueue(), queue.SimpleQueue()

    def make():
        while asked.get():
            try:
                made.put((next(batches), None))
            except Exception as error:  # A matter for whoever waits for the batch.
                made.put((None, error))

    asked.put(True)
    threading.Thread(target=make, name="ahead", daemon=True).start()
    try:
        while True:
            batch, error = made.get()
            if error is not None:
                raise error
            asked.put(True)
            yield batch
    finally:
        asked.put(False)


def start_columns(
    strips: Strips,
    *,
    patch_width: int,
    batch_size: int,
    seed: int,
    first_step: int = 0,
    balance: str = "none",
    share: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """What `patches` gathers, for a device that has the columns in its own memory and gathers there.

    Returns:
      Dataset of (int32 or int64 `[batch]`: each patch's first column; int32 `[batch]` labels).
    """
    numbered = numbered_starts(
        strips,
        patch_width=patch_width,
        batch_size=batch_size,
        seed=seed,
        first_step=first_step,
        balance=balance,
        share=share,
    )
    return numbered.map(lambda step, *batch: batch).with_options(options())


def numbered_starts(
    strips: Strips,
    *,
    patch_width: int,
    batch_size: int,
    seed: int,
    first_step: int,
    balance: str,
    share: tuple[int, int] = (0, 1),
    draws_at_once: int = DRAWS_AT_ONCE,
) -> tf.data.Dataset:
    """What `start_columns` gives, after each batch's step; drawn for `draws_at_once` patches at once.

    Returns:
      Dataset of (int64 step; int32 or int64 `[batch]`; int32 `[batch]`).
    """
    order = patch_order(
        strips, patch_width=patch_width, batch_size=batch_size, seed=seed, balance=balance, share=share
    )
    steps_at_once = max(1, min(draws_at_once, number_of_positions(strips, patch_width)) // batch_size)
    firsts = tf.data.Dataset.range(first_step, tf.int64.max - steps_at_once, steps_at_once)

    @tf.autograph.experimental.do_not_convert
    def draw(first):
        steps = first + tf.range(steps_at_once, dtype=tf.int64)
        return steps, *order(steps)

    # One call at a time is enough, but in a thread of its own, so that the gathering never waits for it.
    return firsts.map(draw, num_parallel_calls=1, deterministic=True).unbatch()


def gather_columns(columns: tf.Tensor, start: tf.Tensor, patch_width: int) -> tf.Tensor:
    """Patches by one copy a column, wherever the columns are: on a GPU, which has no use for fewer, larger copies.

    Args:
      columns: uint8 `[columns, height]`.
      start: int32 or int64 `[batch]`.
      patch_width: columns.

    Returns:
      uint8 `[batch, patch_width, height]`.
    """
    return tf.gather(columns, start[:, None] + tf.range(patch_width, dtype=start.dtype))


def gatherer(strips: Strips, patch_width: int) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """The function from columns and start columns, integers `[batch]`, to uint8 `[batch, patch_width, height]`."""
    row_width, height = strips.row_width(patch_width), strips.height

    def by_rows(columns, start):
        # One copy a patch instead of one a column.
        rows_of_patch = tf.range(patch_width // row_width, dtype=tf.int64)
        rows, begin = strips.rows(columns, row_width, start[0])
        row = (start - begin) // row_width
        return tf.reshape(tf.gather(rows, row[:, None] + rows_of_patch), (-1, patch_width, height))

    def gather(columns, start):
        columns = tf.ensure_shape(columns, (strips.num_columns, height))
        if row_width == 1:
            return gather_columns(columns, start, patch_width)
        start = tf.cast(start, tf.int64)
        # Where one pass of the order ends and the next begins, a batch may have patches of two phases.
        one_phase = tf.reduce_all((start - start[0]) % row_width == 0)
        return tf.cond(
            one_phase, lambda: by_rows(columns, start), lambda: gather_columns(columns, start, patch_width)
        )

    return gather


def options() -> tf.data.Options:
    """What tf.data may do with a dataset of patches: what it is told, and nothing else."""
    chosen = tf.data.Options()
    # The parallelism is the caller's word; a tuner would spend the first minutes looking for it.
    chosen.autotune.enabled = False
    # The optimizer has nothing to find here, and would copy the whole corpus to see whether it is a constant.
    chosen.experimental_optimization.apply_default_optimizations = False
    # Hidden buffers would hold batches that nobody asked for.
    chosen.experimental_optimization.inject_prefetch = False
    # Workers are told their share by arithmetic; TensorFlow must not divide the stream once more.
    chosen.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return chosen
