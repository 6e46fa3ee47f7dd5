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
    # In float32 under every precision policy: a softmax over hundreds of writers needs the digits.
    logits = layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(patches, logits, name="article")


MODELS = {"article": article}
