"""An image file → its columns at the height of a patch."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.two_tones import two_tones

MAX_ENLARGEMENT = 8
"""An image is enlarged by no more than this. If it is still too low, it is padded to the height. Otherwise an image of
a few pixels' height would become megabytes."""


def lay(image: bytes, height: int, min_width: int, black_on_white: bool = False) -> NDArray[np.uint8]:
    """Scales an image to `height` rows and turns it into columns.

    An image narrower than `min_width` is padded on its right. An image that would have to be enlarged more than
    MAX_ENLARGEMENT times is padded above and below. The padding is the background, which is taken to be the median gray.

    Args:
      image: a file that Pillow can read.
      height: rows.
      min_width: the least number of columns that come out.
      black_on_white: whether to reduce it to two tones first, see `two_tones`.

    Returns:
      uint8 `[columns, height]`.
    """
    with Image.open(io.BytesIO(image)) as picture:
        gray = picture.convert("L")
    if black_on_white:
        gray = Image.fromarray(two_tones(np.asarray(gray)))
    scale = min(height / gray.height, MAX_ENLARGEMENT)
    size = (max(1, round(gray.width * scale)), max(1, round(gray.height * scale)))
    pixels: NDArray[Any] = np.asarray(gray.resize(size, Image.Resampling.BILINEAR)).T
    missing_columns, missing_rows = max(0, min_width - size[0]), height - size[1]
    if missing_columns or missing_rows:
        above = missing_rows // 2
        background = int(np.median(pixels))
        padding = ((0, missing_columns), (above, missing_rows - above))
        pixels = np.pad(pixels, padding, constant_values=background)
    return np.ascontiguousarray(pixels)
