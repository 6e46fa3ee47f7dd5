"""The networks. Keras layers and `keras.ops` only, so that they run on any of Keras' backends.

Every model takes patches as the pipeline delivers them, uint8 `[batch, width, height]` with x first, and gives
float32 logits `[batch, classes]`. The layer before the logits is named `embedding`: what the network sees of a hand,
whoever's it is.
"""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="iam_writer")
class Ink(layers.Layer):
    """Turns bytes into ink on the device: uint8 `[batch, width, height]` → float `[batch, width, height, 1]`.

    Paper (255) becomes 0 and black becomes 1, so that zero padding is paper. The axes stay as they are: to a
    network that learns its kernels it is all one whether x comes first or y, and turning batches costs time.
    """

    def call(self, patches):
        return 1 - ops.cast(ops.expand_dims(patches, -1), self.compute_dtype) / 255

    def compute_output_shape(self, input_shape):
        return (*input_shape, 1)


def article(classes: int, height: int, width: int) -> keras.Model:
    """The network of "Handwriting recognition using Tensorflow and Keras": 827,698 parameters for 50 writers.

    Args:
      classes: number of writers.
      height: of a patch.
      width: of a patch.

    Returns:
      An uncompiled model.
    """
    patches = keras.Input((width, height), dtype="uint8", name="patches")
    x = Ink()(patches)
    x = layers.ZeroPadding2D(1)(x)
    x = layers.Resizing(width // 2, height // 2)(x)
    x = layers.Conv2D(32, 5, strides=2, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(64, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(128, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(0.5)(x)
    x = layers.Dense(512, activation="relu")(x)
    x = layers.Dropout(0.5)(x)
    x = layers.Dense(256, activation="relu", name="embedding")(x)
    x = layers.Dropout(0.5)(x)
    return keras.Model(patches, _logits(classes)(x), name="article")


def half_deepwriter(classes: int, height: int, width: int) -> keras.Model:
    """Half DeepWriter (Xing & Qiao 2016, arXiv 1606.06472, its section on Half DeepWriter): 13.9 M parameters for patches of 113 × 113.

    The paper does not state the padding. Here convolutions have `same` and pooling `valid`; with `valid`
    throughout it would be 5.5 M.

    Args:
      classes: number of writers.
      height: of a patch.
      width: of a patch.

    Returns:
      An uncompiled model.
    """
    patches = keras.Input((width, height), dtype="uint8", name="patches")
    x = Ink()(patches)
    for layer in _half_deepwriter_layers():
        x = layer(x)
    return keras.Model(patches, _logits(classes)(x), name="half_deepwriter")


def deepwriter(classes: int, height: int, width: int) -> keras.Model:
    """DeepWriter (arXiv 1606.06472, its section on DeepWriter): two neighbouring patches through one Half DeepWriter, FC7 summed.

    The two patches come as one window of twice their width, and are cut apart here.

    Args:
      classes: number of writers.
      height: of a window.
      width: of a window, an even number.

    Returns:
      An uncompiled model.

    Raises:
      ValueError: an odd width.
    """
    if width % 2:
        raise ValueError(f"A window of DeepWriter is two patches wide, so its width is even, not {width}.")
    patches = keras.Input((width, height), dtype="uint8", name="patches")
    x = Ink()(patches)
    halves = [x[:, : width // 2], x[:, width // 2 :]]
    for layer in _half_deepwriter_layers(last="fc7"):
        halves = [layer(half) for half in halves]
    x = layers.Add(name="embedding")(halves)
    return keras.Model(patches, _logits(classes)(x), name="deepwriter")


def _half_deepwriter_layers(last: str = "embedding") -> list[layers.Layer]:
    """All of Half DeepWriter between ink and logits; FC7 is named `last`."""
    return [
        layers.Conv2D(96, 5, strides=2, padding="same", activation="relu"),
        layers.MaxPooling2D(3, strides=2),
        layers.Conv2D(256, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(3, strides=2),
        layers.Conv2D(384, 3, padding="same", activation="relu"),
        layers.Conv2D(384, 3, padding="same", activation="relu"),
        layers.Conv2D(256, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(3, strides=2),
        layers.Flatten(),
        layers.Dense(1024, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(1024, activation="relu", name=last),
        layers.Dropout(0.5),
    ]


def _logits(classes: int) -> layers.Layer:
    # In float32 under every precision policy: a softmax over hundreds of writers needs the digits.
    return layers.Dense(classes, dtype="float32", name="logits")


MODELS = {model.__name__: model for model in (article, half_deepwriter, deepwriter)}
