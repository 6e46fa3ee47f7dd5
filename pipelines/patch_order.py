"""Step number → which patches. A shuffle without a buffer.

A *position* is a place where a patch may start: every column of every image such that the patch ends within that
image. Positions a whole row apart (see `Strips.row_width`; 113 columns for patches of 113) have the same *phase*. A
pass is all positions of one phase: together they tile every image with patches that do not overlap. One pass after
the other, each shifted by the golden section of a row, makes a cycle. All patches of a batch being of one phase, they
can be gathered as rows of one matrix.

Contract. Batch `step` is a pure function of `(seed, step)`:

- exactly once: with N positions, N consecutive draws, from a multiple of N on, hold each position once; and within
  them each pass, over all images, is shuffled as a whole. With `balance='writers'` labels and phases take turns, and
  each pair of them is a stream of its own: n consecutive draws of it, from a multiple of n on, hold each of its n
  positions once;
- no state: any batch can be had first, so a run resumes at any step, and the stream is the same whatever the
  number of threads;
- shardable: `share=(k, n)` gives rows k·B/n … (k+1)·B/n of every batch of B.

The permutation is arithmetic: O(1) memory, 0.1 µs a draw, whatever the number of positions.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from pipelines.strips import Strips

BALANCES = ("none", "writers")

SWAP_OR_NOT_ROUNDS = 4
"""With the stride before them enough that neither neighbours nor images stay together; more cost time."""

# 2**31 minus these are the 64 largest primes below it.
_BELOW_2_31 = """
    1 19 61 69 85 99 105 151 159 171 225 249 295 325 379 399 411 469 477 511 525 571 579 589 595 615 619
    697 699 705 711 727 771 775 781 789 829 831 837 847 885 909 951 955 967 985 987 1027 1057 1065 1071
    1141 1147 1167 1231 1239 1281 1287 1299 1305 1321 1357 1375 1411
"""
_PRIMES = 2**31 - np.array(_BELOW_2_31.split(), np.int64)

PatchOrder = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def permute(index: tf.Tensor, size: tf.Tensor, seed: int, stream: tf.Tensor, cycle: tf.Tensor) -> tf.Tensor:
    """Where `index` comes to lie in a pseudo-random permutation of 0 … size-1.

    A stride prime to the size tears neighbours apart, and rounds of the swap-or-not shuffle (Hoang, Morris & Rogaway,
    CRYPTO 2012) make the order irregular. TensorFlow's own `RandomIndexShuffle` is a cipher of 16 bits or more that
    is run until it hits the range: 10 µs a draw where the size is 50, as streams of a writer and a phase are.

    Args:
      index: int64 `[n]`, each below its size.
      size: int64 `[n]`, below 2³¹.
      seed: below 2³².
      stream: int64 `[n]`; each combination of seed, stream and cycle is another permutation.
      cycle: int64 `[n]`.

    Returns:
      int64 `[n]`.
    """
    # Arithmetic modulo 2**64, whose high bits are the random ones.
    state = ((stream * 0x2545F4914F6CDD1D + cycle) * 0x1B873593CC9E2D51 + seed) * 0x5851F42D4C957F2D
    state = tf.bitwise.bitwise_xor(state, tf.bitwise.right_shift(state, 29)) * 0x1F58476D1CE4E5B9
    state = tf.bitwise.bitwise_xor(state, tf.bitwise.right_shift(state, 32))
    place = (index * tf.gather(_PRIMES, tf.bitwise.bitwise_and(state, 63)) + _high_bits(state)) % size
    for _ in range(SWAP_OR_NOT_ROUNDS):
        state = state * 0x5851F42D4C957F2D + 0x14057B7EF767814F
        # Each place has one partner in a round, and a coin that both of them see says whether they swap.
        partner = tf.bitwise.right_shift(_high_bits(state) * size, 31) - place
        partner = tf.where(partner < 0, partner + size, partner)
        coin = tf.maximum(place, partner) * 0x1E3779B97F4A7C15 + state
        coin = tf.bitwise.bitwise_xor(coin, tf.bitwise.right_shift(coin, 31)) * 0x3F58476D1CE4E5B9
        place = tf.where(coin < 0, partner, place)
    return place


def _high_bits(state: tf.Tensor) -> tf.Tensor:
    return tf.bitwise.bitwise_and(tf.bitwise.right_shift(state, 33), 2**31 - 1)


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
      balance: 'none', every position equally often; or 'writers', every label equally often (a label of so few
        positions that a phase has none of them sits that phase out).
      share: this worker's number and how many workers there are; they must divide `batch_size`.

    Returns:
      steps (int64 `[n]`) → start columns (int32 or int64 `[n, batch]`), labels (int32 `[n, batch]`). Many steps at
      once cost less than one after the other.

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

    # Images sorted by label, so that the positions of one label and phase are neighbours.
    by_label = np.argsort(strips.labels, kind="stable")
    first_column, labels = strips.first_column[:-1][by_label], strips.labels[by_label]
    positions, images = _positions_by_image(strips, patch_width)[by_label], len(labels)
    row_width = strips.row_width(patch_width)
    phases, total = _phases(row_width), int(positions.sum())
    # There are fewer positions than columns.
    number_type = np.int32 if strips.first_column[-1] < 2**31 else np.int64
    first_column, positions, phases = (x.astype(number_type) for x in (first_column, positions, phases))

    # A cell is what an image holds of a phase. Positions are numbered cell by cell, so pass by pass.
    offset = (phases[:, None] - first_column) % row_width
    cell_size = (positions - offset + row_width - 1) // row_width
    cell_first = np.zeros(cell_size.size, number_type)
    np.cumsum(cell_size.ravel()[:-1], out=cell_first[1:])
    cell_first = tf.constant(cell_first)

    rows = tf.range(batch_size // workers, dtype=tf.int64) + worker * (batch_size // workers)

    pass_size = cell_size.sum(1)
    pass_end = np.cumsum(pass_size)
    pass_first, pass_size, pass_end = (
        tf.constant(x, tf.int64) for x in (pass_end - pass_size, pass_size, pass_end)
    )

    def every_position_equally(steps):
        draw = tf.reshape(steps[:, None] * batch_size + rows, [-1])
        cycle, draw = draw // total, draw % total
        number = tf.searchsorted(pass_end, draw, side="right", out_type=tf.int64)
        first = tf.gather(pass_first, number)
        return first + permute(draw - first, tf.gather(pass_size, number), seed, number, cycle)

    streams = _Streams.of(cell_size, labels)

    def every_label_equally(steps):
        # Labels take turns, so a batch holds each of them equally often, but for one. The turns need no shuffling: a
        # gradient does not know the order within its batch.
        number = tf.reshape(tf.broadcast_to((steps % row_width)[:, None], (tf.size(steps), len(rows))), [-1])
        draw = tf.reshape((steps // row_width)[:, None] * batch_size + rows, [-1])
        present = tf.gather(streams.present, number)
        turn, rounds = draw % present, draw // present
        stream = tf.gather(streams.first, number) + turn
        size = tf.gather(streams.size, stream)
        return tf.gather(streams.position, stream) + permute(
            rounds % size, size, seed, stream, rounds // size
        )

    draw_positions = every_label_equally if balance == "writers" else every_position_equally
    first_column, phases, labels = map(tf.constant, (first_column, phases, labels))

    def order(steps):
        position = tf.cast(draw_positions(tf.cast(steps, tf.int64)), number_type)
        # The last of the cells that begin there: those before it are empty.
        cell = tf.searchsorted(cell_first, position, side="right") - 1
        image = cell % images
        first = tf.gather(first_column, image)
        within = (tf.gather(phases, cell // images) - first) % row_width
        start = first + within + (position - tf.gather(cell_first, cell)) * row_width
        shape = (-1, len(rows))
        return tf.reshape(start, shape), tf.reshape(tf.gather(labels, image), shape)

    return order


@dataclasses.dataclass(frozen=True)
class _Streams:
    """The pairs of a phase and a label that have positions, ordered by phase, then label.

    Attributes:
      first: int64 `[phases]`, a phase's first stream.
      present: int64 `[phases]`, how many labels have positions of a phase.
      position: int64 `[streams]`, a stream's first position.
      size: int64 `[streams]`, how many positions it has.
    """

    first: tf.Tensor
    present: tf.Tensor
    position: tf.Tensor
    size: tf.Tensor

    @classmethod
    def of(cls, cell_size: np.ndarray, labels: np.ndarray) -> "_Streams":
        """From int `[phases, images]`, how many positions each cell has, and the images' labels, sorted."""
        first_image = np.unique(labels, return_index=True)[1]
        size = np.add.reduceat(cell_size, first_image, axis=1)
        position = np.cumsum(size).reshape(size.shape) - size
        present = (size > 0).sum(1)
        arrays = np.cumsum(present) - present, present, position[size > 0], size[size > 0]
        return cls(*(tf.constant(array, tf.int64) for array in arrays))


def _phases(row_width: int) -> np.ndarray:
    """int64 `[row_width]`: each phase once, neighbours far apart."""
    golden = max(1, round(row_width * 0.618))
    stride = next(n for n in range(golden, row_width + 2) if math.gcd(n, row_width) == 1)
    return np.arange(row_width) * stride % row_width


def _positions_by_image(strips: Strips, patch_width: int) -> np.ndarray:
    """int64 `[images]`: how many patches start in each image."""
    positions = np.diff(strips.first_column) - patch_width + 1
    if len(positions) == 0 or positions.min() < 1:
        raise ValueError(
            f"{strips.folder}: an image is narrower than a patch of {patch_width} columns, or there is none. "
            "Build the strips with min_width of at least the patch width."
        )
    return positions
