"""A network that looks at each patch at several sizes. A hand writes larger on one page than on another."""

from collections.abc import Sequence

import keras
from keras import layers, ops


class Resized(layers.Layer):
    """The same writing, smaller or larger, in a patch of the same size.

    Input and output are uint8 `[batch, width, height]`. The middle stays where it is. A smaller picture gets paper around
    it; what a larger one has beyond the patch is cut off.

    Attributes:
      size: by how much it becomes larger; 0.88 makes it 12 % smaller.
    """

    def __init__(self, size: float, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.size = size

    def call(self, patches):
        shape = patches.shape[1:]
        scaled = [max(1, round(length * self.size)) for length in shape]
        ink = 255 - ops.cast(ops.expand_dims(patches, -1), "float32")
        ink = ops.image.resize(ink, scaled, interpolation="bilinear", data_format="channels_last")[..., 0]
        spare = [length - new for length, new in zip(shape, scaled, strict=True)]
        if self.size < 1:
            ink = ops.pad(ink, ((0, 0), *((some // 2, some - some // 2) for some in spare)))
        else:
            x, y = (-some // 2 for some in spare)
            ink = ink[:, x : x + shape[0], y : y + shape[1]]
        # Not exactly a half, because runtimes would then round the many ties differently.
        return ops.cast(255 - ops.floor(ink + 0.501), "uint8")

    def compute_output_spec(self, patches):
        return keras.KerasTensor(patches.shape, "uint8")


def at_sizes(model: keras.Model, sizes: Sequence[float]) -> keras.Model:
    """A network of the same weights that looks at each patch at each size.

    Args:
      model: uint8 patches `[batch, width, height]` → one or more outputs.
      sizes: see `Resized`; 1 is the patch itself.

    Returns:
      uint8 patches → the means of its outputs over the sizes; `model` itself if it looks at the patch itself only. The mean
      of logits stands for the mean of log probabilities: after the softmax they are the same.
    """
    if tuple(sizes) == (1,):
        return model
    patches = keras.Input(model.input_shape[1:], dtype="uint8", name="patches")
    looks = [model(patches if size == 1 else Resized(size)(patches)) for size in sizes]
    mean = keras.tree.map_structure(lambda *outputs: sum(outputs[1:], outputs[0]) / len(outputs), *looks)
    return keras.Model(patches, mean)
