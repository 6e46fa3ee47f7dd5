"""From the image of a line to its writer, as a TensorFlow graph. So the SavedModel needs nothing of this package.

The graph computes what `pipelines.two_tones`, `strips.lay` and `scoring.scan` compute with numpy and Pillow. Its windows
are the same, byte for byte. Integers are counted and summed in float64, which is exact.
"""

from collections.abc import Callable

import tensorflow as tf

from iam_writer.recognition.rule import LOWEST, PROBABILITIES, Rule
from pipelines.building.laying import MAX_ENLARGEMENT
from pipelines.gather import gather_columns
from pipelines.two_tones import BLACK, DARKEST, LEAST_CONTRAST, SMALL_SHARE, WHITE

FIXED_POINT = 2.0**22
"""Pillow resamples 8-bit pixels with weights that are multiples of 1 / FIXED_POINT."""


def probabilities_of_line(
    probabilities: Callable[[tf.Tensor], tf.Tensor],
    gray: tf.Tensor,
    *,
    height: int,
    width: int,
    rule: Rule,
) -> tf.Tensor:
    """The answer for one line, before calibration. If no window has ink, all windows vote.

    Args:
      probabilities: uint8 `[windows, width, height]` → float32 `[windows, classes]`.
      gray: uint8 `[rows, columns]`, of any size, dark on light.
      height: height of a window in pixels.
      width: width of a window in pixels.
      rule: the answer rule.

    Returns:
      float32 `[classes]`.
    """
    columns = lay(gray, height, width)
    windows = gather_columns(columns, tf.range(0, tf.shape(columns)[0] - width + 1, rule.stride), width)
    ink = tf.reduce_sum(tf.cast(windows < rule.dark, tf.float64), axis=(1, 2)) / (width * height)
    votes = ink >= rule.least_ink
    says = probabilities(tf.boolean_mask(windows, votes | ~tf.reduce_any(votes)))
    if rule.combine == PROBABILITIES:
        return tf.reduce_mean(says, axis=0)
    return tf.nn.softmax(tf.reduce_mean(tf.math.log(tf.maximum(says, LOWEST)), axis=0))


def lay(gray: tf.Tensor, height: int, min_width: int) -> tf.Tensor:
    """Does the same as `strips.lay` with `black_on_white`: uint8 `[rows, columns]` → uint8 `[columns, height]`."""
    shape = tf.cast(tf.shape(gray), tf.float64)
    scale = tf.minimum(height / shape[0], MAX_ENLARGEMENT)
    size = tf.cast(tf.maximum(tf.round(shape * scale), 1), tf.int32)
    # Scale the width first, then the height, and round to bytes in between, as Pillow does.
    across = _scaled(tf.transpose(two_tones(gray)), size[1])
    pixels = tf.transpose(_scaled(tf.transpose(across), size[0]))
    missing_columns, missing_rows = tf.maximum(min_width - size[1], 0), height - size[0]
    above = missing_rows // 2
    padding = [[0, missing_columns], [above, missing_rows - above]]
    return tf.ensure_shape(tf.pad(pixels, padding, constant_values=_median(pixels)), (None, height))


def two_tones(gray: tf.Tensor) -> tf.Tensor:
    """Does the same as `pipelines.two_tones`: uint8 `[rows, columns]` → the same shape and dtype."""
    grays = tf.range(256, dtype=tf.float64)
    counts = _histogram(gray)
    threshold = _otsu(counts)
    dark = tf.where(grays <= threshold, counts, 0)
    ink = _first_beyond(dark, DARKEST * tf.reduce_sum(dark), strictly=False)
    not_white = tf.where((grays > threshold) & (grays < WHITE), counts, 0)
    has_paper = tf.reduce_sum(not_white) > SMALL_SHARE * tf.reduce_sum(counts)
    paper = tf.where(has_paper, tf.cast(tf.argmax(not_white), tf.float64), WHITE)
    is_black = (tf.cast(gray, tf.float64) <= (ink + paper) / 2) & (paper - ink >= LEAST_CONTRAST)
    return tf.where(is_black, tf.constant(BLACK, tf.uint8), tf.constant(WHITE, tf.uint8))


def _otsu(counts: tf.Tensor) -> tf.Tensor:
    """Otsu's threshold, as in `pipelines.two_tones`: float64 counts `[256]` → float64 scalar."""
    below = tf.cumsum(counts)[:-1]
    mass = tf.cumsum(counts * tf.range(256, dtype=tf.float64))
    total, total_mass = tf.reduce_sum(counts), mass[-1]
    both = tf.maximum(below * (total - below), 1)
    return tf.cast(tf.argmax((total_mass * below - total * mass[:-1]) ** 2 / both), tf.float64)


def _scaled(pixels: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Scales along the first axis, as BILINEAR in Pillow does.

    Each pixel is a mean that is weighted by a triangle. The triangle is as wide as two pixels of the coarser grid.

    Args:
      pixels: uint8 `[n, m]`.
      size: int32 scalar, the new length of the first axis.

    Returns:
      uint8 `[size, m]`.
    """
    number = tf.cast(tf.shape(pixels)[0], tf.float64)
    step = number / tf.cast(size, tf.float64)
    reach = tf.maximum(step, 1)
    middle = (tf.range(tf.cast(size, tf.float64), dtype=tf.float64)[:, None] + 0.5) * step
    first = tf.maximum(tf.floor(middle - reach + 0.5), 0)
    index = first + tf.range(2 * tf.math.ceil(reach) + 1, dtype=tf.float64)
    weight = tf.maximum(1 - tf.abs((index - middle + 0.5) * (1 / reach)), 0)
    weight = tf.where(index < tf.minimum(tf.floor(middle + reach + 0.5), number), weight, 0)
    weight = tf.floor(weight / tf.reduce_sum(weight, axis=1, keepdims=True) * FIXED_POINT + 0.5)
    near = tf.gather(pixels, tf.cast(tf.minimum(index, number - 1), tf.int32))
    sums = tf.einsum("st,stm->sm", weight, tf.cast(near, tf.float64))
    return tf.cast(tf.floor(sums / FIXED_POINT + 0.5), tf.uint8)


def _median(pixels: tf.Tensor) -> tf.Tensor:
    """The median of uint8 pixels, as a uint8 scalar. It is the mean of the middle two pixels, rounded down."""
    counts = _histogram(pixels)
    last = tf.reduce_sum(counts) - 1
    low, high = (
        _first_beyond(counts, rank, strictly=True) for rank in (tf.floor(last / 2), last - tf.floor(last / 2))
    )
    return tf.cast(tf.floor((low + high) / 2), tf.uint8)


def _first_beyond(counts: tf.Tensor, number: tf.Tensor, *, strictly: bool) -> tf.Tensor:
    """The first gray for which the count of all grays up to it exceeds a number; float64 scalar.

    If not `strictly`, the count may also equal the number.
    """
    up_to = tf.cumsum(counts)
    return tf.reduce_sum(tf.cast(up_to <= number if strictly else up_to < number, tf.float64))


def _histogram(pixels: tf.Tensor) -> tf.Tensor:
    """How many pixels have each gray: uint8 → float64 `[256]`."""
    every = tf.cast(tf.reshape(pixels, [-1]), tf.int32)
    return tf.cast(tf.math.bincount(every, minlength=256, maxlength=256), tf.float64)
