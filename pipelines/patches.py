"""Training batches: random patches of strips, gathered at the speed of memory.

A patch is `patch_width` neighbouring columns, and columns lie one after the other in the file. So a batch is one
`tf.gather`. Nothing is decoded, copied twice, mapped element by element, shuffled in a buffer or unbatched.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from pipelines.gather import gatherer
from pipelines.patch_order import Sampling, number_of_positions, patch_order
from pipelines.strips import Strips
from pipelines.system.cores import PREFETCHED, calls_at_once

DRAWS_AT_ONCE = 16_384
"""Start columns are drawn for so many patches in one call, so that the fixed cost of its operations does not matter."""


def patches(
    strips: Strips,
    sampling: Sampling | None = None,
    *,
    num_parallel_calls: int | None = None,
    prefetch: int = PREFETCHED,
    **fields: Any,
) -> tf.data.Dataset:
    """An endless stream of batches. Batch t of it is batch `first_step + t` of `patch_order`.

    Args:
      strips: the images.
      sampling: which patches, in which order.
      num_parallel_calls: batches gathered at once. The batches do not depend on it. None: one for each core, as far as
        memory allows, see `cores.calls_at_once`.
      prefetch: batches made in advance.
      **fields: fields of `Sampling`, which replace `sampling` or change it:
        `patches(strips, patch_width=113, batch_size=256, seed=0)`.

    Returns:
      Dataset of (uint8 `[batch, patch_width, height]`: x first, as columns lie in the file; int32 `[batch]` labels).

    Raises:
      ValueError: a field is out of range, or an image is narrower than a patch.
    """
    sampling = dataclasses.replace(sampling, **fields) if sampling else Sampling(**fields)
    columns, gather = strips.columns(), gatherer(strips, sampling.patch_width)

    def batch(start: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return gather(columns, start), label

    # First choose, then copy: a start column has 4 bytes and a patch 12,769, so the shuffle never moves pixels.
    starts = start_columns(strips, sampling)
    # Gather whole batches, never single patches: each patch is copied once, to its place in the batch.
    if num_parallel_calls is None:
        num_parallel_calls = calls_at_once(bytes_of_batch(strips, sampling))
    # Deterministic, so that batches leave in the order of their steps, also when several are gathered at once.
    batches = starts.map(as_it_is(batch), num_parallel_calls=num_parallel_calls, deterministic=True)
    # Prefetch last, so that the batches that wait are ready for use.
    return batches.prefetch(prefetch).with_options(options())


def bytes_of_batch(strips: Strips, sampling: Sampling) -> int:
    """How many bytes the patches of a batch take, or of this worker's share of it."""
    return sampling.batch_size // sampling.share[1] * sampling.patch_width * strips.height


def start_columns(strips: Strips, sampling: Sampling) -> tf.data.Dataset:
    """The start columns of the patches of each batch, for a device that has all columns in its memory and gathers there.

    Returns:
      Dataset of (int32 or int64 `[batch]`: each patch's first column; int32 `[batch]` labels).
    """
    numbered = numbered_starts(strips, sampling)
    return numbered.map(lambda step, *batch: batch).with_options(options())


def start_columns_of_calls(
    strips: Strips, sampling: Sampling, calls: Callable[[], Iterator[tuple[int, int]]]
) -> tf.data.Dataset:
    """Start columns of several batches together, for a device that makes several steps without the host.

    Args:
      strips: the images.
      sampling: which patches, in which order. `first_step` has no influence.
      calls: returns an iterator of (first step, number of steps).

    Returns:
      Dataset of (int32 or int64 `[steps, batch]`: each patch's first column; int32 `[steps, batch]` labels).
    """
    order = patch_order(strips, sampling)
    numbers = tf.data.Dataset.from_generator(calls, output_signature=(tf.TensorSpec((), tf.int64),) * 2)
    drawn = numbers.map(
        as_it_is(lambda first, number: order(first + tf.range(number))),
        num_parallel_calls=1,
        deterministic=True,
    )
    return drawn.with_options(options())


def numbered_starts(
    strips: Strips, sampling: Sampling, draws_at_once: int = DRAWS_AT_ONCE
) -> tf.data.Dataset:
    """The batches of `start_columns`, each with its step. They are drawn for `draws_at_once` patches in one call.

    Returns:
      Dataset of (int64 step; int32 or int64 `[batch]`; int32 `[batch]`).
    """
    order = patch_order(strips, sampling)
    positions = number_of_positions(strips, sampling.patch_width)
    steps_at_once = max(1, min(draws_at_once, positions) // sampling.batch_size)

    def draw(first: tf.Tensor) -> tuple[tf.Tensor, ...]:
        steps = first + tf.range(steps_at_once, dtype=tf.int64)
        return steps, *order(steps)

    # The source is step numbers, not images: a batch is a function of its step, so a run resumes at any step at once.
    firsts = tf.data.Dataset.range(sampling.first_step, tf.int64.max - steps_at_once, steps_at_once)
    # Draw many batches in one call, then hand them out one by one. One call at a time is fast enough. A number of calls
    # is given all the same: it makes a thread of its own, so that gathering does not wait for drawing.
    return firsts.map(as_it_is(draw), num_parallel_calls=1, deterministic=True).unbatch()


def as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    """Marks a function so that TensorFlow does not search it for Python to convert. A search takes a quarter of a second."""
    marked: Callable[..., Any] = tf.autograph.experimental.do_not_convert(function)
    return marked


def iterate(dataset: tf.data.Dataset) -> Iterator[Any]:
    """The batches of an endless dataset, on the host. Each batch is requested in the thread of the caller.

    `iter` requests each batch in another thread, which wakes two threads for each batch. That takes a fifth of the time
    at 256 patches, and a twentieth at 1,024.
    """
    iterator = iter(dataset)
    flat = tf.nest.flatten(dataset.element_spec)
    types, shapes = [spec.dtype for spec in flat], [spec.shape for spec in flat]
    while True:
        # The batch has no name here: a name would keep it in memory while the next is made.
        yield tf.nest.pack_sequence_as(
            dataset.element_spec,
            tf.raw_ops.IteratorGetNextSync(
                iterator=iterator._iterator_resource, output_types=types, output_shapes=shapes
            ),
        )


def options() -> tf.data.Options:
    """The options of a dataset of patches. They switch off everything that tf.data does on its own."""
    chosen = tf.data.Options()
    # The caller chooses the parallelism. A tuner would need the first minutes to find it.
    chosen.autotune.enabled = False
    # The optimizer finds nothing to improve here, but copies the whole corpus to see whether it is a constant.
    chosen.experimental_optimization.apply_default_optimizations = False
    # Hidden buffers would hold batches that the caller has not asked for.
    chosen.experimental_optimization.inject_prefetch = False
    # Each worker computes its share. TensorFlow must not divide the stream again.
    chosen.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return chosen
