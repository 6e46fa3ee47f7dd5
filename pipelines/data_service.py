r"""Patches from other machines: TensorFlow's tf.data service, where one machine's cores are too few.

One dispatcher, and any number of workers, which may come and go:

  python -m pipelines.serve --role=dispatcher --port=5050
  python -m pipelines.serve --role=worker --dispatcher=first-machine:5050

and `--data_service=grpc://first-machine:5050` for whoever trains. The strips must lie at the same path on all of them.

The dispatcher deals out chunks of steps, and a worker draws and gathers their batches: no position comes twice, since
no step is dealt twice. TensorFlow's own promise ends there: batches come in no particular order, and those that a
worker held when it died are lost. But each batch carries its step, and is a function of it. So whoever reads puts
them in order, and makes the missing ones itself: what comes out is the stream of `patches.patches`, bit for bit,
whatever happens to the workers.
"""

import socket
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import tensorflow as tf

from pipelines.patch_order import patch_order
from pipelines.patches import gatherer, numbered_starts, options
from pipelines.strips import Strips

Batch = TypeVar("Batch")

DRAWS_AT_ONCE = 2048
"""A chunk has so many patches, or one batch: few, since chunks are made side by side and must be put in order."""

PATCHES_AHEAD = 32_768
"""A batch that is missing after so many later patches have come is made here."""

SECONDS_TO_CONNECT = 5


def service_patches(
    strips: Strips,
    service: str,
    *,
    patch_width: int,
    batch_size: int,
    seed: int,
    first_step: int = 0,
    balance: str = "none",
    num_parallel_calls: int = 2,
    prefetch: int = 2,
) -> tf.data.Dataset:
    """As `patches.patches`, the same batches in the same order, gathered by the workers of a tf.data service.

    Args:
      strips: the images; each worker finds them at the same path.
      service: `grpc://host:port` of the dispatcher.
      patch_width: as of `patches.patches`, and all that follow.
      batch_size: patches.
      seed: of the order.
      first_step: where to begin.
      balance: 'none' or 'writers'.
      num_parallel_calls: batches that a worker gathers at once.
      prefetch: batches that are there in advance.

    Returns:
      Dataset of (uint8 `[batch, patch_width, height]`, int32 `[batch]`).

    Raises:
      ConnectionError: nobody listens there.
    """
    _check(service)
    which = {"patch_width": patch_width, "batch_size": batch_size, "seed": seed, "balance": balance}
    numbered = numbered_patches(
        strips,
        **which,
        first_step=first_step,
        num_parallel_calls=num_parallel_calls,
    ).apply(
        tf.data.experimental.service.distribute(
            tf.data.experimental.service.ShardingPolicy.DYNAMIC, service=service
        )
    )
    order, gather, columns = patch_order(strips, **which), gatherer(strips, patch_width), strips.columns()

    def make(step: int) -> tuple[tf.Tensor, tf.Tensor]:
        (start,), (label,) = order(tf.constant([step], tf.int64))
        return gather(columns, start), label

    ahead = max(2, PATCHES_AHEAD // batch_size)
    _, *signature = numbered.element_spec
    in_order = tf.data.Dataset.from_generator(
        lambda: put_in_order(
            ((int(step), tuple(batch)) for step, *batch in numbered), first_step, make, ahead
        ),
        output_signature=tuple(signature),
    )
    return in_order.prefetch(prefetch).with_options(options())


def numbered_patches(
    strips: Strips,
    *,
    patch_width: int,
    batch_size: int,
    seed: int,
    first_step: int,
    balance: str,
    num_parallel_calls: int,
) -> tf.data.Dataset:
    """The batches of `patches.patches`, each with its step, by a graph that holds no tensor of the corpus, only its path.

    Returns:
      Dataset of (int64 step; uint8 `[batch, patch_width, height]`; int32 `[batch]`).
    """
    # It has one source. The service shares out the elements of each source, so of two that belong together no worker
    # would get the right pairs.
    starts = numbered_starts(
        strips,
        patch_width=patch_width,
        batch_size=batch_size,
        seed=seed,
        first_step=first_step,
        balance=balance,
        draws_at_once=DRAWS_AT_ONCE,
    )

    # The file is mapped for the first batch and handed on to the others: each mapping would fault it in anew.
    def attach(columns, numbered):
        columns = tf.cond(tf.shape(columns, tf.int64)[0] == 0, strips.columns, lambda: columns)
        columns = tf.ensure_shape(columns, (None, strips.height))
        return columns, (columns, numbered)

    gather = gatherer(strips, patch_width)
    batches = starts.scan(tf.zeros((0, strips.height), tf.uint8), attach).map(
        lambda columns, numbered: (numbered[0], gather(columns, numbered[1]), numbered[2]),
        num_parallel_calls=num_parallel_calls,
        deterministic=True,
    )
    return batches.with_options(options())


def put_in_order(
    numbered: Iterable[tuple[int, Batch]], first_step: int, make: Callable[[int], Batch], ahead: int
) -> Iterator[Batch]:
    """The batches of all steps from the first on, each once.

    Args:
      numbered: (step, batch), in any order; some steps may be missing, or come twice.
      first_step: of what comes out.
      make: step → batch, of a missing one.
      ahead: how many later batches to wait for before a batch is taken to be missing, and so how many are held.
    """
    step, held = first_step, {}
    for number, batch in numbered:
        if number >= step:
            held[number] = batch
        while step in held or len(held) > ahead:
            yield held.pop(step) if step in held else make(step)
            step += 1


def _check(service: str) -> None:
    """TensorFlow itself would try for an hour."""
    host, _, port = service.partition("://")[2].rpartition(":")
    try:
        socket.create_connection((host, int(port)), SECONDS_TO_CONNECT).close()
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"No tf.data service at {service!r} ({error}). Start one, python -m pipelines.serve "
            "--role=dispatcher --port=5050, and name it as grpc://host:5050."
        ) from error
