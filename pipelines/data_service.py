r"""Patches from other machines, by TensorFlow's tf.data service, for when the cores of one machine are not enough.

There is one dispatcher and any number of workers, which may start and stop at any time:

  python -m pipelines.serve --role=dispatcher --port=5050
  python -m pipelines.serve --role=worker --dispatcher=first-machine:5050

A training reads from them by `--data_service=grpc://first-machine:5050`. The strips must lie at the same path on all
machines.

The dispatcher gives chunks of steps to the workers, and a worker draws and gathers the batches of its steps. Each step is
given out once, so no position comes twice. Beyond that TensorFlow guarantees nothing: batches come in any order, and the
batches of a worker that dies are lost. But each batch carries its step, and is a function of this step. So the reader
puts the batches in order, and makes the missing ones itself. The result is the stream of `patches.patches`, bit for
bit, whatever happens to the workers.
"""

import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import tensorflow as tf

from pipelines.gather import gatherer
from pipelines.patch_order import Sampling, patch_order
from pipelines.patches import bytes_of_batch, numbered_starts, options
from pipelines.strips import Strips
from pipelines.system.cores import PREFETCHED, calls_at_once

Batch = TypeVar("Batch")

DRAWS_AT_ONCE = 2048
"""A chunk has so many patches, but at least one batch. The number is small, since workers make chunks at the same time,
and the reader must put them in order."""

PATCHES_AHEAD = 32_768
"""A batch is taken to be lost, and made here, when so many patches of later batches have come."""

SECONDS_TO_CONNECT = 5


def service_patches(
    strips: Strips,
    sampling: Sampling,
    service: str,
    *,
    num_parallel_calls: int | None = None,
    prefetch: int = PREFETCHED,
) -> tf.data.Dataset:
    """The batches of `patches.patches`, in the same order, gathered by the workers of a tf.data service.

    Args:
      strips: the images; each worker finds them at the same path.
      sampling: which patches, in which order.
      service: `grpc://host:port` of the dispatcher.
      num_parallel_calls: batches that a worker gathers at once. None: one for each core of this machine, as far as memory
        allows.
      prefetch: batches made in advance.

    Returns:
      Dataset of (uint8 `[batch, patch_width, height]`, int32 `[batch]`).

    Raises:
      ConnectionError: no service answers at this address.
      ValueError: an image is narrower than a patch.
    """
    _check(service)
    if num_parallel_calls is None:
        num_parallel_calls = calls_at_once(bytes_of_batch(strips, sampling))
    numbered = numbered_patches(strips, sampling, num_parallel_calls=num_parallel_calls).apply(
        tf.data.experimental.service.distribute(
            tf.data.experimental.service.ShardingPolicy.DYNAMIC, service=service
        )
    )
    order, gather = patch_order(strips, sampling), gatherer(strips, sampling.patch_width)
    columns = strips.columns()

    def make(step: int) -> tuple[tf.Tensor, ...]:
        (start,), (label,) = order(tf.constant([step], tf.int64))
        return gather(columns, start), label

    later = max(2, PATCHES_AHEAD // sampling.batch_size)
    _, *signature = numbered.element_spec
    in_order = tf.data.Dataset.from_generator(
        lambda: put_in_order(
            ((int(step), tuple(batch)) for step, *batch in numbered), sampling.first_step, make, later
        ),
        output_signature=tuple(signature),
    )
    return in_order.prefetch(prefetch).with_options(options())


def numbered_patches(strips: Strips, sampling: Sampling, *, num_parallel_calls: int) -> tf.data.Dataset:
    """The batches of `patches.patches`, each with its step. The graph holds the path of the corpus, not the corpus.

    Returns:
      Dataset of (int64 step; uint8 `[batch, patch_width, height]`; int32 `[batch]`).
    """
    # The graph must have one source. The service divides the elements of every source among the workers, so elements of
    # two sources that belong together would go to different workers.
    starts = numbered_starts(strips, sampling, DRAWS_AT_ONCE)

    # The file is mapped for the first batch and passed on to the next ones. Each new mapping would have to be filled
    # with the file's pages again.
    def attach(columns: tf.Tensor, numbered: Any) -> Any:
        columns = tf.cond(tf.shape(columns, tf.int64)[0] == 0, strips.columns, lambda: columns)
        columns = tf.ensure_shape(columns, (None, strips.height))
        return columns, (columns, numbered)

    gather = gatherer(strips, sampling.patch_width)
    batches = starts.scan(tf.zeros((0, strips.height), tf.uint8), attach).map(
        lambda columns, numbered: (numbered[0], gather(columns, numbered[1]), numbered[2]),
        num_parallel_calls=num_parallel_calls,
        deterministic=True,
    )
    return batches.with_options(options())


def put_in_order(
    numbered: Iterable[tuple[int, Batch]], first_step: int, make: Callable[[int], Batch], later: int
) -> Iterator[Batch]:
    """The batches of all steps from the first on, each once.

    Args:
      numbered: (step, batch), in any order; some steps may be missing, or come twice.
      first_step: of the batches that are returned.
      make: step → batch, for a missing one.
      later: a batch is taken to be missing when more than so many later batches have come. At most so many batches are
        held in memory.
    """
    step = first_step
    held: dict[int, Batch] = {}
    for number, batch in numbered:
        if number >= step:
            held[number] = batch
        while step in held or len(held) > later:
            yield held.pop(step) if step in held else make(step)
            step += 1


def _check(service: str) -> None:
    """Raises ConnectionError if no service answers. TensorFlow itself would try for an hour."""
    host, _, port = service.partition("://")[2].rpartition(":")
    try:
        socket.create_connection((host, int(port)), SECONDS_TO_CONNECT).close()
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"No tf.data service answers at {service!r} ({error}). Start one by python -m pipelines.serve "
            "--role=dispatcher --port=5050, and give its address as grpc://host:5050."
        ) from error
