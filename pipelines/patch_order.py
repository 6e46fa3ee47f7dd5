"""Chooses the patches of each batch from the number of its step: a shuffle without a buffer.

A *position* is a column where a patch may start. It is any column of any image from which a whole patch fits into that
image. Positions that are whole rows apart (see `Strips.row_width`; 113 columns for patches of 113) have the same
*phase*. A *pass* is all positions of one phase: their patches tile every image and do not overlap. A *cycle* is one pass
of every phase. From one pass to the next the phase moves by the golden section of a row. Since all patches of a batch
have one phase, they can be gathered as rows of one matrix.

Contract. Batch `step` is a pure function of `(seed, step)`:

- exactly once: with N positions, N consecutive draws that begin at a multiple of N hold each position once. Each pass
  in them is shuffled as a whole, over all images. With `balance='writers'` labels and phases take turns, and each pair
  of a label and a phase is a stream of its own. If a stream has n positions, n consecutive draws of it that begin at a
  multiple of n hold each of these positions once;
- no state: any batch can be made first. So a run can resume at any step, and the batches do not depend on the number
  of threads;
- shardable: `share=(k, n)` gives rows k·B/n … (k+1)·B/n of every batch of B.

The permutation is arithmetic: O(1) memory and 0.1 µs a draw, for any number of positions.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipelines.strips import Strips

BALANCES = ("none", "writers")

SWAP_OR_NOT_ROUNDS = 4
"""After the stride, four rounds are enough to separate neighbours and the patches of an image. More would cost time."""

# 2**31 minus these are the 64 largest primes below it.
_BELOW_2_31 = """
    1 19 61 69 85 99 105 151 159 171 225 249 295 325 379 399 411 469 477 511 525 571 579 589 595 615 619
    697 699 705 711 727 771 775 781 789 829 831 837 847 885 909 951 955 967 985 987 1027 1057 1065 1071
    1141 1147 1167 1231 1239 1281 1287 1299 1305 1321 1357 1375 1411
"""
_PRIMES = 2**31 - np.array(_BELOW_2_31.split(), np.int64)

PatchOrder = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
"""Steps (int64 `[n]`) → start columns (int32 or int64 `[n, batch]`), labels (int32 `[n, batch]`)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sampling:
    """Says which patches the batches hold, and in which order.

    Attributes:
      patch_width: columns of a patch; its height is that of the strips.
      batch_size: patches of a whole batch, over all workers.
      seed: seed of the order, 0 … 2³²-1.
      first_step: number of the first batch. Any number is possible, since no batch depends on an earlier one.
      balance: 'none' draws every position equally often. 'writers' draws every label equally often; a label that has no
        position of a phase is left out of that phase.
      share: this worker's number and how many workers there are; they must divide `batch_size`.

    Raises:
      ValueError: a value is out of range.
    """

    patch_width: int
    batch_size: int
    seed: int
    first_step: int = 0
    balance: str = "none"
    share: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        worker, workers = self.share
        for name in ("patch_width", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.balance not in BALANCES:
            raise ValueError(f"balance must be one of {BALANCES}, not {self.balance!r}.")
        if not 0 <= worker < workers or self.batch_size % workers:
            raise ValueError(
                f"share={self.share} must be (k, n) with 0 <= k < n, and n must divide "
                f"batch_size={self.batch_size}."
            )
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be from 0 to 2**32 - 1, not {self.seed}.")
        if self.first_step < 0:
            raise ValueError(f"first_step must be at least 0, not {self.first_step}.")


def permute(index: tf.Tensor, size: tf.Tensor, seed: int, stream: tf.Tensor, cycle: tf.Tensor) -> tf.Tensor:
    """The place of `index` in a pseudo-random permutation of 0 … size-1.

    A stride prime to the size separates neighbours, and rounds of the swap-or-not shuffle (Hoang, Morris & Rogaway,
    CRYPTO 2012) make the order irregular. TensorFlow's own `RandomIndexShuffle` is a cipher of 16 bits or more that
    runs until it hits the range. It takes 10 µs a draw where the size is 50, as in a stream of one writer and phase.

    Args:
      index: int64 `[n]`, each below its size.
      size: int64 `[n]`, below 2³¹.
      seed: below 2³².
      stream: int64 `[n]`; each combination of seed, stream and cycle is another permutation.
      cycle: int64 `[n]`.

    Returns:
      int64 `[n]`.
    """
    # The arithmetic is modulo 2**64. The high bits of the result are the most random.
    state = ((stream * 0x2545F4914F6CDD1D + cycle) * 0x1B873593CC9E2D51 + seed) * 0x5851F42D4C957F2D
    state = tf.bitwise.bitwise_xor(state, tf.bitwise.right_shift(state, 29)) * 0x1F58476D1CE4E5B9
    state = tf.bitwise.bitwise_xor(state, tf.bitwise.right_shift(state, 32))
    place = (index * tf.gather(_PRIMES, tf.bitwise.bitwise_and(state, 63)) + _high_bits(state)) % size
    for _ in range(SWAP_OR_NOT_ROUNDS):
        state = state * 0x5851F42D4C957F2D + 0x14057B7EF767814F
        # In a round each place has one partner. Both compute the same coin, which says whether they swap.
        partner = tf.bitwise.right_shift(_high_bits(state) * size, 31) - place
        partner = tf.where(partner < 0, partner + size, partner)
        coin = tf.maximum(place, partner) * 0x1E3779B97F4A7C15 + state
        coin = tf.bitwise.bitwise_xor(coin, tf.bitwise.right_shift(coin, 31)) * 0x3F58476D1CE4E5B9
        place = tf.where(coin < 0, partner, place)
    return place


def _high_bits(state: tf.Tensor) -> tf.Tensor:
    return tf.bitwise.bitwise_and(tf.bitwise.right_shift(state, 33), 2**31 - 1)


def number_of_positions(strips: Strips, patch_width: int) -> int:
    """How many patches of `patch_width` columns a split holds, overlapping ones included."""
    return int(_positions_by_image(strips, patch_width).sum())


def patch_order(strips: Strips, sampling: Sampling) -> PatchOrder:
    """The order as a function of the step, to be called inside a tf.data graph or outside.

    Args:
      strips: the images, each at least a patch wide.
      sampling: which patches a batch holds. `first_step` has no influence: the function takes any step.

    Returns:
      See `PatchOrder`. A call for many steps costs less than a call for each.

    Raises:
      ValueError: an image is narrower than a patch.
    """
    patch_width, batch_size, seed = sampling.patch_width, sampling.batch_size, sampling.seed
    worker, workers = sampling.share

    # Images sorted by label, so that the positions of one label and phase are neighbours.
    by_label = np.argsort(strips.labels, kind="stable")
    first_column, labels = strips.first_column[:-1][by_label], strips.labels[by_label]
    positions: NDArray[Any] = _positions_by_image(strips, patch_width)[by_label]
    row_width = strips.row_width(patch_width)
    phases: NDArray[Any] = _phases(row_width)
    images, total = len(labels), int(positions.sum())
    # There are fewer positions than columns.
    number_type: Any = np.int32 if strips.first_column[-1] < 2**31 else np.int64
    firsts, positions, phases = (x.astype(number_type) for x in (first_column, positions, phases))

    # A cell is the positions of one phase in one image. Positions are numbered cell by cell, and so pass by pass.
    offset = (phases[:, None] - firsts) % row_width
    cell_size = (positions - offset + row_width - 1) // row_width
    first_of_cell = np.zeros(cell_size.size, number_type)
    np.cumsum(cell_size.ravel()[:-1], out=first_of_cell[1:])
    cell_first = tf.constant(first_of_cell)

    rows = tf.range(batch_size // workers, dtype=tf.int64) + worker * (batch_size // workers)

    sizes = cell_size.sum(1)
    ends = np.cumsum(sizes)
    pass_first, pass_size, pass_end = (tf.constant(x, tf.int64) for x in (ends - sizes, sizes, ends))

    def every_position_equally(steps: tf.Tensor) -> tf.Tensor:
        draw = tf.reshape(steps[:, None] * batch_size + rows, [-1])
        cycle, draw = draw // total, draw % total
        number = tf.searchsorted(pass_end, draw, side="right", out_type=tf.int64)
        first = tf.gather(pass_first, number)
        return first + permute(draw - first, tf.gather(pass_size, number), seed, number, cycle)

    streams = _Streams.of(cell_size, labels)

    def every_label_equally(steps: tf.Tensor) -> tf.Tensor:
        # Labels take turns, so within a batch their counts differ by at most one. The turns need no shuffle: the
        # gradient does not depend on the order within a batch.
        number = tf.reshape(tf.broadcast_to((steps % row_width)[:, None], (tf.size(steps), len(rows))), [-1])
        draw = tf.reshape((steps // row_width)[:, None] * batch_size + rows, [-1])
        present = tf.gather(streams.present, number)
        turn, rounds = draw % present, draw // present
        stream = tf.gather(streams.first, number) + turn
        size = tf.gather(streams.size, stream)
        return tf.gather(streams.position, stream) + permute(
            rounds % size, size, seed, stream, rounds // size
        )

    draw_positions = every_label_equally if sampling.balance == "writers" else every_position_equally
    first_columns, phase_of_pass, label_of_image = map(tf.constant, (firsts, phases, labels))

    def order(steps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        position = tf.cast(draw_positions(tf.cast(steps, tf.int64)), number_type)
        # An empty cell begins where the next cell begins. So the last of several cells with the same beginning is the
        # one that holds the position.
        cell = tf.searchsorted(cell_first, position, side="right") - 1
        image = cell % images
        first = tf.gather(first_columns, image)
        within = (tf.gather(phase_of_pass, cell // images) - first) % row_width
        start = first + within + (position - tf.gather(cell_first, cell)) * row_width
        shape = (-1, len(rows))
        return tf.reshape(start, shape), tf.reshape(tf.gather(label_of_image, image), shape)

    return order


@dataclasses.dataclass(frozen=True)
class _Streams:
    """The pairs of a phase and a label that have positions, ordered by phase, then label.

    Attributes:
      first: int64 `[phases]`, the first stream of each phase.
      present: int64 `[phases]`, how many labels have positions of each phase.
      position: int64 `[streams]`, the first position of each stream.
      size: int64 `[streams]`, how many positions each stream has.
    """

    first: tf.Tensor
    present: tf.Tensor
    position: tf.Tensor
    size: tf.Tensor

    @classmethod
    def of(cls, cell_size: NDArray[np.integer[Any]], labels: NDArray[np.int32]) -> "_Streams":
        """Makes the streams.

        Args:
          cell_size: integers `[phases, images]`, how many positions each cell has.
          labels: int32 `[images]`, the labels of the images, sorted.
        """
        first_image = np.unique(labels, return_index=True)[1]
        size = np.add.reduceat(cell_size, first_image, axis=1)
        position = np.cumsum(size).reshape(size.shape) - size
        present = (size > 0).sum(1)
        arrays = np.cumsum(present) - present, present, position[size > 0], size[size > 0]
        return cls(*(tf.constant(array, tf.int64) for array in arrays))


def _phases(row_width: int) -> NDArray[np.int64]:
    """int64 `[row_width]`: each phase once; phases that follow each other are far apart."""
    golden = max(1, round(row_width * 0.618))
    stride = next(n for n in range(golden, row_width + 2) if math.gcd(n, row_width) == 1)
    return np.arange(row_width) * stride % row_width


def _positions_by_image(strips: Strips, patch_width: int) -> NDArray[np.int64]:
    """int64 `[images]`: how many patches start in each image."""
    positions = np.diff(strips.first_column) - patch_width + 1
    if len(positions) == 0 or positions.min() < 1:
        raise ValueError(
            f"Cannot cut patches of {patch_width} columns from the strips in {strips.folder}: an image is narrower "
            f"than a patch of {patch_width} columns, or there is no image. Build strips with min_width of at least "
            f"{patch_width}."
        )
    return positions
