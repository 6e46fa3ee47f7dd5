"""Training batches: random patches of a strip file, gathered at the speed of memory.

A patch is `patch_width` neighbouring columns, and columns lie one after the other in the file. So a batch is one
`tf.gather`; nothing is decoded, copied twice, mapped element by element, shuffled in a buffer or unbatched.
"""

from collections.abc import Callable

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
    order = patch_order(
        strips, patch_width=patch_width, batch_size=batch_size, seed=seed, balance=balance, share=share
    )
    columns, row_width = strips.columns(), strips.row_width(patch_width)
    first_steps, steps_of = _chunks(strips, patch_width, batch_size, first_step)

    # Nearly all batches have one phase, and are gathered as rows of the strips, one copy a patch; those where one pass
    # ends and the next begins column by column. Each kind has a branch of the graph, since a condition in the function
    # that gathers would cost each batch a tenth of its time.
    def branch(kind: int, gather: Callable[..., tf.Tensor]) -> tf.data.Dataset:
        def draw(first):
            steps = steps_of(first)
            return order.draw(tf.boolean_mask(steps, kinds(steps) == kind))

        # One call at a time is enough, but in a thread of its own, so that the gathering never waits for it.
        drawn = first_steps.map(draw, num_parallel_calls=1, deterministic=True).unbatch()
        # Deterministic: the order of the steps is part of the promise, also when several are gathered at once.
        return drawn.map(
            lambda start, label: (gather(start), label),
            num_parallel_calls=num_parallel_calls,
            deterministic=True,
        )

    def kinds(steps):
        by_row = order.has_one_phase(steps) if row_width > 1 else tf.zeros_like(steps, tf.bool)
        return tf.cast(by_row, tf.int64)

    branches = [
        branch(0, lambda start: gather_columns(columns, start, patch_width)),
        branch(1, lambda start: gather_rows(strips, columns, start, patch_width)),
    ]
    kind_of_step = first_steps.map(lambda first: kinds(steps_of(first))).unbatch()
    batches = tf.data.Dataset.choose_from_datasets(branches, kind_of_step)
    return batches.prefetch(prefetch).with_options(options())


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
    order = patch_order(
        strips, patch_width=patch_width, batch_size=batch_size, seed=seed, balance=balance, share=share
    )
    first_steps, steps_of = _chunks(strips, patch_width, batch_size, first_step)
    drawn = first_steps.map(
        lambda first: order.draw(steps_of(first)), num_parallel_calls=1, deterministic=True
    )
    return drawn.unbatch().with_options(options())


def _chunks(
    strips: Strips, patch_width: int, batch_size: int, first_step: int, draws_at_once: int = DRAWS_AT_ONCE
):
    """Dataset of the first step of each chunk of steps; and the function from it to the chunk's steps, int64 `[n]`."""
    steps = max(1, min(draws_at_once, number_of_positions(strips, patch_width)) // batch_size)
    first_steps = tf.data.Dataset.range(first_step, tf.int64.max - steps, steps)
    return first_steps, lambda first: first + tf.range(steps, dtype=tf.int64)


def numbered_patches(
    strips: Strips,
    *,
    patch_width: int,
    batch_size: int,
    seed: int,
    first_step: int,
    balance: str,
    num_parallel_calls: int,
    draws_at_once: int,
) -> tf.data.Dataset:
    """The batches of `patches`, each with its step, by a graph that captures no tensor, and so can be sent away.

    Returns:
      Dataset of (int64 step; uint8 `[batch, patch_width, height]`; int32 `[batch]`).
    """
    order = patch_order(strips, patch_width=patch_width, batch_size=batch_size, seed=seed, balance=balance)
    # One source only: a tf.data service shares out the elements of each source among its workers.
    first_steps, steps_of = _chunks(strips, patch_width, batch_size, first_step, draws_at_once)

    def draw(first):
        steps = steps_of(first)
        return steps, *order.draw(steps)

    numbered = with_columns(strips, first_steps.map(draw, num_parallel_calls=1, deterministic=True).unbatch())
    gather = gatherer(strips, patch_width)
    batches = numbered.map(
        lambda columns, drawn: (drawn[0], gather(columns, drawn[1]), drawn[2]),
        num_parallel_calls=num_parallel_calls,
        deterministic=True,
    )
    return batches.with_options(options())


def with_columns(strips: Strips, dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Pairs each element with the strips' columns, which an iterator maps once and then hands on.

    Returns:
      Dataset of (uint8 `[columns, height]`, element).
    """

    def attach(columns, element):
        columns = tf.cond(tf.shape(columns, tf.int64)[0] == 0, strips.columns, lambda: columns)
        columns = tf.ensure_shape(columns, (None, strips.height))
        return columns, (columns, element)

    return dataset.scan(tf.zeros((0, strips.height), tf.uint8), attach)


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


def gather_rows(strips: Strips, columns: tf.Tensor, start: tf.Tensor, patch_width: int) -> tf.Tensor:
    """The same for patches of one phase, by one copy a patch, or one a row where a patch has several."""
    row_width, start = strips.row_width(patch_width), tf.cast(start, tf.int64)
    rows, begin = strips.rows(columns, row_width, start[0])
    row = (start - begin) // row_width
    of_patch = tf.range(patch_width // row_width, dtype=tf.int64)
    return tf.reshape(tf.gather(rows, row[:, None] + of_patch), (-1, patch_width, strips.height))


def gatherer(strips: Strips, patch_width: int) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """The function from columns and start columns, integers `[batch]`, to uint8 `[batch, patch_width, height]`."""
    row_width = strips.row_width(patch_width)

    def gather(columns, start):
        columns = tf.ensure_shape(columns, (strips.num_columns, strips.height))
        if row_width == 1:
            return gather_columns(columns, start, patch_width)
        one_phase = tf.reduce_all((start - start[0]) % row_width == 0)
        return tf.cond(
            one_phase,
            lambda: gather_rows(strips, columns, start, patch_width),
            lambda: gather_columns(columns, start, patch_width),
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
