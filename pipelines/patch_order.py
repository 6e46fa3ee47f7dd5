"""Step number → which patches. A shuffle without a buffer.

Contract. A *position* is a place where a patch may start: every column of every image such that the patch ends
within that image. They are numbered 0 … N-1, label by label. Batch `step` is a pure function of `(seed, step)`:

- exactly once: N consecutive draws, from a multiple of N on, hold each position once (with `balance='writers'`:
  n consecutive draws *of one label*, from a multiple of n on, where n is how many positions that label has);
- no state: any batch can be had first, so a run resumes at any step, and the stream is the same whatever the
  number of threads;
- shardable: `share=(k, n)` gives rows k·B/n … (k+1)·B/n of every batch of B.

The permutation is TensorFlow's `RandomIndexShuffle`, a block cipher on 0 … N-1: O(1) memory, 0.1 µs a draw.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from pipelines.strips import Strips

BALANCES = ("none", "writers")

PatchOrder = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def permute(index: tf.Tensor, size: tf.Tensor, *seeds: tf.Tensor | int) -> tf.Tensor:
    """Where `index` comes to lie in a pseudo-random permutation of 0 … size-1.

    Args:
      index: int64 `[n]`.
      size: int64, scalar or `[n]`.
      *seeds: at most three integers or int64 `[n]`; each combination is another permutation.

    Returns:
      int64 `[n]`.
    """
    # tf.random.experimental.index_shuffle would pad a matrix of seeds along the wrong axis (seen in TF 2.21).
    padded = [*seeds, 0, 0, 0][:3]
    columns = [tf.broadcast_to(tf.cast(seed, tf.uint32), tf.shape(index)) for seed in padded]
    return tf.raw_ops.RandomIndexShuffle(
        index=index, seed=tf.stack(columns, axis=1), max_index=tf.cast(size, tf.int64) - 1, rounds=4
    )


def number_of_positions(strips: Strips, patch_width: int) -> int:
    """How many patches of `patch_width` columns a split holds; overlapping ones count."""
    return int(_positions_by_image(strips, patch_width).sum())


def patch_order(
    strips: Strips,
    *,
    patch_width: int,
    batch_size: int,
    seed: int,
    balance: str = "none",
    share: tuple[int, int] = (0, 1),
) -> PatchOrder:
    """The order as a function of the step, to be called inside a tf.data graph or out of it.

    Args:
      strips: the images, each at least `patch_width` columns wide.
      patch_width: columns.
      batch_size: rows of a whole batch, over all workers.
      seed: 0 … 2³²-1.
      balance: 'none', every position equally often; or 'writers', every label equally often.
      share: this worker's number and how many workers there are; they must divide `batch_size`.

    Returns:
      step (int64 scalar) → start columns (int32 or int64 `[batch]`), labels (int32 `[batch]`).

    Raises:
      ValueError: an argument is out of range, or an image is narrower than a patch.
    """
    worker, workers = share
    if balance not in BALANCES:
        raise ValueError(f"balance must be one of {BALANCES}, not {balance!r}.")
    if not 0 <= worker < workers or batch_size % workers:
        raise ValueError(f"share={share} must be (k, n) with 0 <= k < n, and n must divide {batch_size=}.")
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed must be in 0 … 2**32-1, not {seed}.")

    # Images sorted by label, so that the positions of one label are neighbours.
    by_label = np.argsort(strips.labels, kind="stable")
    positions = _positions_by_image(strips, patch_width)[by_label]
    first_position = np.cumsum(positions) - positions
    last_position = tf.constant(first_position + positions - 1)
    labels = tf.constant(strips.labels[by_label])
    # A start column is its position plus what is constant within an image.
    column_type = np.int32 if strips.first_column[-1] < 2**31 else np.int64
    shift = tf.constant((strips.first_column[:-1][by_label] - first_position).astype(column_type))

    rows = tf.range(batch_size // workers, dtype=tf.int64) + worker * (batch_size // workers)
    total = int(positions.sum())

    def every_position_equally(step):
        draw = step * batch_size + rows
        return permute(draw % total, total, seed, draw // total)

    present, first_image = np.unique(strips.labels[by_label], return_index=True)
    label_first = tf.constant(first_position[first_image])
    label_size = tf.constant(np.add.reduceat(positions, first_image))

    def every_label_equally(step):
        # Labels take turns, so a batch holds each of them equally often, but for one; a label's r-th draw is in
        # round r. The turns need no shuffling: a gradient does not know the order within its batch.
        draw = step * batch_size + rows
        turn, rounds = draw % len(present), draw // len(present)
        size = tf.gather(label_size, turn)
        return tf.gather(label_first, turn) + permute(rounds % size, size, seed, rounds // size, turn + 1)

    draw_positions = every_label_equally if balance == "writers" else every_position_equally

    def order(step):
        position = draw_positions(tf.cast(step, tf.int64))
        image = tf.searchsorted(last_position, position)
        start = tf.cast(position, column_type) + tf.gather(shift, image)
        return start, tf.gather(labels, image)

    return order


def _positions_by_image(strips: Strips, patch_width: int) -> np.ndarray:
    """int64 `[images]`: how many patches start in each image."""
    positions = np.diff(strips.first_column) - patch_width + 1
    if len(positions) == 0 or positions.min() < 1:
        raise ValueError(
            f"{strips.folder}: an image is narrower than a patch of {patch_width} columns, or there is none. "
            "Build the strips with min_width of at least the patch width."
        )
    return positions
