"""Augmentation in training, on the device: small changes to a patch. The writer can still be recognised after them."""

import math

import keras
import numpy as np
from keras import layers, ops

from iam_writer.common.names import AUGMENTATIONS

MAX_SCALE = 0.15
"""Natural logarithm of the largest factor by which a patch becomes wider or narrower, and higher or lower."""
MAX_SHEAR = 0.2
"""A row is shifted by this number of columns, at most, for each row between it and the middle."""
MAX_ROTATION = math.radians(3)
MAX_SHIFT = 0.06
"""Largest shift up or down, as a share of the height. No shift left or right is needed: patches start at random columns."""
MAX_THICKNESS = 0.7
"""Largest weight of the patch whose strokes are a pixel thicker, or thinner, on each side. 0 keeps the patch as it is."""
BLUR = 2.0
"""Standard deviation, in pixels, of the Gaussian blur that a patch is blended with."""
MIN_GAIN, MAX_GAIN = 0.6, 1.1
MAX_CURVE = 0.4
"""How much the middle grays are darkened or lightened. Black and paper do not change."""
MAX_BACKGROUND = 0.1
MIN_ERASED, MAX_ERASED = 0.1, 0.4
"""Smallest and largest size of the rectangle that becomes paper, as shares of the width and of the height."""
MAX_NOISE = 0.1
"""Largest change of a pixel, up or down. Each patch draws its own maximum between 0 and this value."""

AFFINE = ("scale", "shear", "rotation", "shift")


@keras.saving.register_keras_serializable(package="iam_writer")
class Augment(layers.Layer):
    """Changes each patch by its own random amounts.

    Input and output are ink, float `[batch, width, height, 1]`, with x first. In inference the layer returns its input.
    Like dropout, the layer draws from a generator, and checkpoints keep the state of the generator. Pixels are computed in the
    compute dtype of the precision policy, because the bytes that a GPU moves are what an augmentation costs. The random
    amounts and the positions in a patch are float32 under every policy, because bfloat16 is too coarse for positions.

    Attributes:
      names: the changes to make, a part of `names.AUGMENTATIONS`.
      seed: the seed of the generator. None: the seed is drawn from Keras' global generator.
    """

    def __init__(self, names, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        unknown = set(names) - set(AUGMENTATIONS)
        if unknown:
            raise ValueError(
                f"The augmentations {sorted(unknown)} do not exist. Choose from {', '.join(AUGMENTATIONS)}."
            )
        self.names = tuple(names)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, ink, training=False):
        if not (training and self.names):
            return ink
        if set(self.names) & set(AFFINE):
            ink = self._moved(ink)
        for name in ("blur", "thickness", "contrast", "noise", "erase"):
            if name in self.names:
                ink = getattr(self, f"_{name}")(ink)
        return ink

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"names": list(self.names), "seed": self.seed}

    def _draw(self, ink, *ranges, shape=()):
        """Uniform random numbers: for each range (low, high), a float32 `[batch, *shape]`."""
        drawn = keras.random.uniform(
            (len(ranges), ops.shape(ink)[0], *shape), dtype="float32", seed=self.seed_generator
        )
        return [low + (high - low) * drawn[i] for i, (low, high) in enumerate(ranges)]

    def _amounts(self, ink, *ranges):
        """Uniform random numbers that pixels are multiplied by: for each range, `[batch, 1, 1, 1]` in the dtype of `ink`."""
        return [ops.cast(drawn[:, None, None, None], ink.dtype) for drawn in self._draw(ink, *ranges)]

    def _moved(self, ink):
        """Applies one affine transform for all affine changes in `names`. Outside of the patch there is paper."""
        width, height = ink.shape[1:3]
        limits = {"scale": MAX_SCALE, "shear": MAX_SHEAR, "rotation": MAX_ROTATION, "shift": MAX_SHIFT}
        on = {name: limit if name in self.names else 0.0 for name, limit in limits.items()}
        log_x, log_y, shear, angle, shift = self._draw(
            ink, *((-on[name], on[name]) for name in ("scale", "scale", "shear", "rotation", "shift"))
        )
        # The matrix maps the pixel (x, y) of the new patch to its place in the old patch. Both are measured from the middle.
        # The matrix is scale ∘ shear ∘ rotation.
        cos, sin = ops.cos(angle), ops.sin(angle)
        scale_x, scale_y = ops.exp(log_x), ops.exp(log_y)
        xx, xy = scale_x * (cos + shear * sin), scale_x * (shear * cos - sin)
        yx, yy = scale_y * sin, scale_y * cos
        middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
        x0 = middle_x - xx * middle_x - xy * middle_y
        y0 = middle_y - yx * middle_x - yy * middle_y + shift * height
        return affine(ink, xx, xy, x0, yx, yy, y0)

    def _blur(self, ink):
        """Imitates a line that was out of focus and then divided into black and white: small gaps fill, edges become round.

        Lines that are read go through `two_tones`, which removes the gray of a blurred scan. So the patch stays as sharp as
        it was, and only the shapes change.
        """
        (amount,) = self._amounts(ink, (0, 1))
        # Two matrix products, because a convolution of one channel is several times slower on a CPU.
        across, down = (ops.convert_to_tensor(_gaussian(size), ink.dtype) for size in ink.shape[1:3])
        blurred = ops.matmul(across, ops.matmul(ink[..., 0], ops.transpose(down)))[..., None]
        blended = ink + amount * (blurred - ink)
        half = 0.5 * ops.max(blended, axis=(1, 2), keepdims=True)
        # The edges become as steep as they were before the blur.
        steepness = 1 + (2 * BLUR - 1) * amount
        return ops.clip(half + steepness * (blended - half), 0, 2 * half)

    def _thickness(self, ink):
        """Gray dilation or erosion by 3 × 3 pixels. One pass does both: the erosion of ink is the dilation of its negative."""
        (amount,) = self._amounts(ink, (-MAX_THICKNESS, MAX_THICKNESS))
        sign = ops.sign(amount)
        signed = sign * ink
        # Maxima of shifted copies, axis by axis, because a pooling of one channel is several times slower on a CPU.
        across = ops.maximum(signed[:, :-1], signed[:, 1:])
        wide = ops.concatenate(
            [across[:, :1], ops.maximum(across[:, :-1], across[:, 1:]), across[:, -1:]], axis=1
        )
        across = ops.maximum(wide[:, :, :-1], wide[:, :, 1:])
        high = ops.concatenate(
            [across[:, :, :1], ops.maximum(across[:, :, :-1], across[:, :, 1:]), across[:, :, -1:]], axis=2
        )
        return ink + amount * (high - signed)  # |amount| (sign · high - ink)

    def _contrast(self, ink):
        """Makes ink fainter or stronger, middle grays darker or lighter, and paper grayer."""
        gain, curve, background = self._amounts(
            ink, (MIN_GAIN, MAX_GAIN), (-MAX_CURVE, MAX_CURVE), (0, MAX_BACKGROUND)
        )
        return background + ink * ((gain - background) * (1 + curve) - (gain - background) * curve * ink)

    def _noise(self, ink):
        (most,) = self._amounts(ink, (0, MAX_NOISE))
        (noise,) = self._draw(ink, (-1, 1), shape=ink.shape[1:])
        return ink + most * ops.cast(noise, ink.dtype)

    def _erase(self, ink):
        """Turns a rectangle into paper."""
        inside = []
        for size in ink.shape[1:3]:
            share, place = self._draw(ink, (MIN_ERASED, MAX_ERASED), (0, 1))
            length = size * share
            from_start = ops.arange(size, dtype="float32") - (place * (size - length))[:, None]
            inside.append(ops.logical_and(from_start >= 0, from_start < length[:, None]))
        across, down = inside
        inside = ops.logical_and(across[:, :, None], down[:, None, :])[..., None]
        return ops.where(inside, ops.zeros_like(ink), ink)


def affine(ink, xx, xy, x0, yx, yy, y0):
    """Moves the pixels of each patch. The new pixel (x, y) is the old one at (xx·x + xy·y + x0, yx·x + yy·y + y0), bilinear.

    Outside of the patch there is paper (0). TensorFlow has one operation for this, which is 2.7 times as fast on a CPU as the
    gathers below. On JAX the gathers are faster than Keras' operation (docs/gpu.md), which also
    interpolates between channels and keeps the positions of all pixels in memory.

    Args:
      ink: float `[batch, width, height, 1]`.
      xx, xy, x0, yx, yy, y0: float32 `[batch]`.

    Returns:
      Patches in the shape and the dtype of `ink`.
    """
    if keras.backend.backend() == "tensorflow":
        zero = ops.zeros_like(xx)
        # Keras takes the second axis of an image for x and the first for y. Here x is the first axis.
        transform = ops.stack([yy, yx, y0, xy, xx, x0, zero, zero], axis=1)
        moved = ops.image.affine_transform(
            ink,
            transform,
            interpolation="bilinear",
            fill_mode="constant",
            fill_value=0.0,
            data_format="channels_last",
        )
        return ops.cast(moved, ink.dtype)
    return _gathered(ink, *(coefficient[:, None, None] for coefficient in (xx, xy, x0, yx, yy, y0)))


def _gathered(ink, xx, xy, x0, yx, yy, y0):
    """What `affine` computes, with four gathers from each patch. The coefficients are `[batch, 1, 1]`."""
    width, height = ink.shape[1:3]
    # One column or row of paper before the patch and two after it. So places beyond them need no case of their own.
    paper = ops.pad(ink[..., 0], ((0, 0), (1, 2), (1, 2)))
    padded_height = height + 3
    pixels = ops.reshape(paper, (-1, (width + 3) * padded_height))
    y = ops.arange(height, dtype="float32")

    def of_columns(x):
        """The new pixels of some columns: float32 `[columns]` → `[batch, columns, height]`."""
        place_x = ops.clip(xx * x[:, None] + xy * y + x0, -1, width)
        place_y = ops.clip(yx * x[:, None] + yy * y + y0, -1, height)
        left, above = ops.floor(place_x), ops.floor(place_y)
        index = ops.cast((left + 1) * padded_height + above + 1, "int32")  # Exact: below 2**24.
        index = ops.reshape(index, (-1, len(x) * height))

        def neighbour(offset):
            # A gather within each patch, so that each of several devices gathers from its own patches only.
            return ops.reshape(ops.take_along_axis(pixels, index + offset, axis=1), (-1, len(x), height))

        share_x, share_y = (ops.cast(share, ink.dtype) for share in (place_x - left, place_y - above))
        near, far = neighbour(0), neighbour(padded_height)
        near = near + share_y * (neighbour(1) - near)
        far = far + share_y * (neighbour(padded_height + 1) - far)
        return near + share_x * (far - near)

    # A loop over the two halves of a patch. XLA would otherwise gather again for each operation that reads the result, up
    # to nine times for `thickness`. It does not move the gathers out of a loop.
    half = -(-width // 2)
    halves = ops.map(of_columns, ops.reshape(ops.arange(2 * half, dtype="float32"), (2, half)))
    moved = ops.reshape(ops.transpose(halves, (1, 0, 2, 3)), (-1, 2 * half, height))
    return moved[:, :width, :, None]


def _gaussian(size: int) -> np.ndarray:
    """The matrix that blurs a vector by BLUR, float32 `[size, size]`. Nothing beyond its ends is blended in."""
    distance = np.arange(size)[:, None] - np.arange(size)
    weights = np.exp(-((distance / BLUR) ** 2) / 2)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
