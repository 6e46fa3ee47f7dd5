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
    Like dropout, the layer draws from a generator, and checkpoints keep the state of the generator. The layer computes in
    float32 under every precision policy, because bfloat16 is too coarse for positions in a patch.

    Attributes:
      names: the changes to make, a part of `names.AUGMENTATIONS`.
      seed: the seed of the generator. None: the seed is drawn from Keras' global generator.
    """

    def __init__(self, names, seed: int | None = None, **kwargs):
        super().__init__(**{"dtype": "float32"} | kwargs)
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
        zero = ops.zeros_like(angle)
        # Keras takes the second axis of an image for x and the first for y. Here x is the first axis.
        transform = ops.stack([yy, yx, y0, xy, xx, x0, zero, zero], axis=1)
        return ops.image.affine_transform(
            ink,
            transform,
            interpolation="bilinear",
            fill_mode="constant",
            fill_value=0.0,
            data_format="channels_last",
        )

    def _blur(self, ink):
        """Imitates a line that was out of focus and then divided into black and white: small gaps fill, edges become round.

        Lines that are read go through `two_tones`, which removes the gray of a blurred scan. So the patch stays as sharp as
        it was, and only the shapes change.
        """
        (amount,) = self._draw(ink, (0, 1))
        amount = amount[:, None, None, None]
        # Two matrix products, because a convolution of one channel is several times slower on a CPU.
        across, down = (_gaussian(size) for size in ink.shape[1:3])
        blurred = ops.matmul(across, ops.matmul(ink[..., 0], down.T))[..., None]
        blended = ink + amount * (blurred - ink)
        half = 0.5 * ops.max(blended, axis=(1, 2), keepdims=True)
        # The edges become as steep as they were before the blur.
        steepness = 1 + (2 * BLUR - 1) * amount
        return ops.clip(half + steepness * (blended - half), 0, 2 * half)

    def _thickness(self, ink):
        """Gray dilation or erosion by 3 × 3 pixels. One pass does both: the erosion of ink is the dilation of its negative."""
        (amount,) = self._draw(ink, (-MAX_THICKNESS, MAX_THICKNESS))
        amount = amount[:, None, None, None]
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
        gain, curve, background = (
            drawn[:, None, None, None]
            for drawn in self._draw(ink, (MIN_GAIN, MAX_GAIN), (-MAX_CURVE, MAX_CURVE), (0, MAX_BACKGROUND))
        )
        return background + ink * ((gain - background) * (1 + curve) - (gain - background) * curve * ink)

    def _noise(self, ink):
        (most,) = self._draw(ink, (0, MAX_NOISE))
        (noise,) = self._draw(ink, (-1, 1), shape=ink.shape[1:])
        return ink + most[:, None, None, None] * noise

    def _erase(self, ink):
        """Turns a rectangle into paper."""
        inside = []
        for size in ink.shape[1:3]:
            share, place = self._draw(ink, (MIN_ERASED, MAX_ERASED), (0, 1))
            length = size * share
            from_start = ops.arange(size, dtype="float32") - (place * (size - length))[:, None]
            inside.append(ops.logical_and(from_start >= 0, from_start < length[:, None]))
        across, down = inside
        return ops.where(ops.logical_and(across[:, :, None], down[:, None, :])[..., None], 0.0, ink)


def _gaussian(size: int) -> np.ndarray:
    """The matrix that blurs a vector by BLUR, float32 `[size, size]`. Nothing beyond its ends is blended in."""
    distance = np.arange(size)[:, None] - np.arange(size)
    weights = np.exp(-((distance / BLUR) ** 2) / 2)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
