"""Evaluation windows: all windows of all lines, from left to right, each once."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipelines.gather import gather_columns
from pipelines.patches import options
from pipelines.strips import Strips
from pipelines.system.cores import calls_at_once


def window_starts(
    strips: Strips, *, window_width: int, stride: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The start columns of the windows, and the images that they lie in.

    Args:
      strips: the images.
      window_width: columns of a window.
      stride: columns from one window to the next; 1 is every window.

    Returns:
      int64 `[windows]` start columns, ascending; int64 `[windows]` image numbers.
    """
    starts = [
        np.arange(first, end - window_width + 1, stride)
        for first, end in zip(strips.first_column[:-1], strips.first_column[1:], strict=True)
    ]
    return np.concatenate(starts), np.repeat(np.arange(len(starts)), [len(s) for s in starts])


def windows(
    strips: Strips,
    *,
    window_width: int,
    batch_size: int,
    stride: int = 1,
    num_parallel_calls: int | None = None,
) -> tuple[tf.data.Dataset, NDArray[np.int64]]:
    """Every window, in order. All batches have one shape, so that a model is compiled only once.

    Args:
      strips: the images.
      window_width: columns of a window.
      batch_size: windows.
      stride: columns from one window to the next.
      num_parallel_calls: batches gathered at once. None: one for each core, as far as memory allows.

    Returns:
      Dataset of uint8 `[batch_size, window_width, height]`, x first. The last window is repeated to fill the last batch.
      And int64 `[windows]`, the image number of each window. Scores beyond its length belong to repeated windows.
    """
    starts, images = window_starts(strips, window_width=window_width, stride=stride)
    filled = np.pad(starts, (0, -len(starts) % batch_size), mode="edge")
    columns = strips.columns()
    if num_parallel_calls is None:
        num_parallel_calls = calls_at_once(batch_size * window_width * strips.height)
    dataset = tf.data.Dataset.from_tensor_slices(filled.reshape(-1, batch_size)).map(
        lambda start: gather_columns(columns, start, window_width), num_parallel_calls=num_parallel_calls
    )
    return dataset.prefetch(2).with_options(options()), images
