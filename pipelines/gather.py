"""Gathers patches from their start columns. Each patch is copied once."""

from collections.abc import Callable

import tensorflow as tf

from pipelines.strips import Strips


def gather_columns(columns: tf.Tensor, start: tf.Tensor, patch_width: int) -> tf.Tensor:
    """Patches from any start columns, with one copy for each column. On a GPU, fewer and larger copies are not faster.

    Args:
      columns: uint8 `[columns, height]`.
      start: int32 or int64 `[batch]`.
      patch_width: columns.

    Returns:
      uint8 `[batch, patch_width, height]`.
    """
    return tf.gather(columns, start[:, None] + tf.range(patch_width, dtype=start.dtype))


def gatherer(strips: Strips, patch_width: int) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """The function from columns and start columns to patches. It makes one copy for each patch if that is possible.

    Args:
      strips: the images.
      patch_width: columns.

    Returns:
      A function: uint8 `[columns, height]`, integers `[batch]` → uint8 `[batch, patch_width, height]`.
    """
    row_width, height = strips.row_width(patch_width), strips.height

    def by_rows(columns: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
        rows_of_patch = tf.range(patch_width // row_width, dtype=tf.int64)
        rows, begin = strips.rows(columns, row_width, start[0])
        row = (start - begin) // row_width
        return tf.reshape(tf.gather(rows, row[:, None] + rows_of_patch), (-1, patch_width, height))

    def gather(columns: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
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
