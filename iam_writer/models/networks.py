"""The networks. They use Keras layers and `keras.ops` only, so that they run on any of Keras' backends.

Every model takes patches as the pipeline delivers them, uint8 `[batch, width, height]` with x first, and gives
float32 logits `[batch, classes]`. The layer before the logits is named `embedding`. It describes a hand, also the hand
of a writer whom the network was not trained on. Each function makes an uncompiled model for a number of writers, the
height and width of a patch, and the names of augmentations (see `augment.Augment`).
"""

import functools
from collections.abc import Callable, Sequence

import keras
from keras import layers, ops

from iam_writer.models.augment import Augment


def _channels_last(layer: type[layers.Layer]) -> Callable[..., layers.Layer]:
    """The layer for images `[batch, x, y, channels]`, also where the user's keras.json sets another order of axes."""
    return functools.partial(layer, data_format="channels_last")


_AveragePooling2D = _channels_last(layers.AveragePooling2D)
_Conv2D = _channels_last(layers.Conv2D)
_Flatten = _channels_last(layers.Flatten)
_GlobalAveragePooling2D = _channels_last(layers.GlobalAveragePooling2D)
_MaxPooling2D = _channels_last(layers.MaxPooling2D)
_Resizing = _channels_last(layers.Resizing)
_ZeroPadding2D = _channels_last(layers.ZeroPadding2D)


@keras.saving.register_keras_serializable(package="iam_writer")
class Ink(layers.Layer):
    """Turns bytes into ink on the device: uint8 `[batch, width, height]` → float `[batch, width, height, 1]`.

    Paper (255) becomes 0 and black becomes 1, so that zero padding is paper. The axes are not swapped, because swapping
    costs time and a network learns equally well whether x or y comes first.
    """

    def call(self, patches):
        return 1 - ops.cast(ops.expand_dims(patches, -1), self.compute_dtype) / 255

    def compute_output_shape(self, input_shape):
        return (*input_shape, 1)


def article(classes: int, height: int, width: int, augment: Sequence[str] = ()) -> keras.Model:
    """The network of "Handwriting recognition using Tensorflow and Keras": 827,698 parameters for 50 writers."""
    patches = keras.Input((width, height), dtype="uint8", name="patches")
    x = _ink(patches, augment)
    x = _ZeroPadding2D(1)(x)
    x = _Resizing(width // 2, height // 2)(x)
    x = _Conv2D(32, 5, strides=2, padding="same", activation="relu")(x)
    x = _MaxPooling2D(2)(x)
    x = _Conv2D(64, 3, padding="same", activation="relu")(x)
    x = _MaxPooling2D(2)(x)
    x = _Conv2D(128, 3, padding="same", activation="relu")(x)
    x = _MaxPooling2D(2)(x)
    x = _Flatten()(x)
    x = layers.Dropout(0.5)(x)
    x = layers.Dense(512, activation="relu")(x)
    x = layers.Dropout(0.5)(x)
    x = layers.Dense(256, activation="relu", name="embedding")(x)
    x = layers.Dropout(0.5)(x)
    return keras.Model(patches, _logits(classes)(x), name="article")


def half_deepwriter(classes: int, height: int, width: int, augment: Sequence[str] = ()) -> keras.Model:
    """Half DeepWriter (Xing & Qiao 2016, arXiv 1606.06472, its section of that name).

    It has 13.9 M parameters for patches of 113 × 113. The paper does not state the padding. Here convolutions pad with
    `same` and pooling with `valid`. With `valid` everywhere there would be 5.5 M parameters.
    """
    patches = keras.Input((width, height), dtype="uint8", name="patches")
    x = _ink(patches, augment)
    for layer in _half_deepwriter_layers():
        x = layer(x)
    return keras.Model(patches, _logits(classes)(x), name="half_deepwriter")


def deepwriter(classes: int, height: int, width: int, augment: Sequence[str] = ()) -> keras.Model:
    """DeepWriter (Xing & Qiao 2016, arXiv 1606.06472, its section of that name).

    Half DeepWriter runs on two neighbouring patches, and the two outputs of its layer FC7 are summed. The two patches come
    as one window of twice their width, which is cut here.

    Raises:
      ValueError: the width is odd.
    """
    if width % 2:
        raise ValueError(
            f"width is {width}. It must be even, because a window of DeepWriter is two patches wide."
        )
    patches = keras.Input((width, height), dtype="uint8", name="patches")
    x = _ink(patches, augment)
    halves = [x[:, : width // 2], x[:, width // 2 :]]
    for layer in _half_deepwriter_layers(last="fc7"):
        halves = [layer(half) for half in halves]
    x = layers.Add(name="embedding")(halves)
    return keras.Model(patches, _logits(classes)(x), name="deepwriter")


def compact(classes: int, height: int, width: int, augment: Sequence[str] = ()) -> keras.Model:
    """A fast network of this project, for a CPU: a few convolutions with batch norm, and their mean over the patch.

    It has 0.33 M parameters for 50 writers, for every size of a patch. Most choices make it faster. The image is halved
    first, because strokes are several pixels wide. Batch norm and ReLU come after pooling, where only a quarter of the
    values is left. Convolutions with many channels see maps of 14 rows at most.
    """

    def normalized(x, name=None):
        x = layers.BatchNormalization(momentum=0.97)(x)
        return layers.ReLU(name=name)(x)

    def convolution(channels, size, strides=1):
        return _Conv2D(
            channels, size, strides, padding="same", use_bias=False, kernel_initializer="he_normal"
        )

    patches = keras.Input((width, height), dtype="uint8", name="patches")
    x = _ink(patches, augment)
    x = _AveragePooling2D(2)(x)
    x = normalized(_MaxPooling2D(2)(convolution(32, 5, strides=2)(x)))
    for channels in (64, 128):
        x = normalized(_MaxPooling2D(2)(convolution(channels, 3)(x)))
        x = layers.Add()([x, normalized(convolution(channels, 3)(x))])
    x = _GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.25)(x)
    x = normalized(layers.Dense(256, use_bias=False)(x), name="embedding")
    x = layers.Dropout(0.25)(x)
    return keras.Model(patches, _logits(classes)(x), name="compact")


def _half_deepwriter_layers(last: str = "embedding") -> list[layers.Layer]:
    """All layers of Half DeepWriter between ink and logits. Its layer FC7 gets the name `last`."""
    return [
        _Conv2D(96, 5, strides=2, padding="same", activation="relu"),
        _MaxPooling2D(3, strides=2),
        _Conv2D(256, 3, padding="same", activation="relu"),
        _MaxPooling2D(3, strides=2),
        _Conv2D(384, 3, padding="same", activation="relu"),
        _Conv2D(384, 3, padding="same", activation="relu"),
        _Conv2D(256, 3, padding="same", activation="relu"),
        _MaxPooling2D(3, strides=2),
        _Flatten(),
        layers.Dense(1024, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(1024, activation="relu", name=last),
        layers.Dropout(0.5),
    ]


def _ink(patches: keras.KerasTensor, augment: Sequence[str]) -> keras.KerasTensor:
    x = Ink()(patches)
    return Augment(augment)(x) if augment else x


def _logits(classes: int) -> layers.Layer:
    # float32 under every precision policy, because a softmax over hundreds of writers needs its precision.
    return layers.Dense(classes, dtype="float32", name="logits")


MODELS = {model.__name__: model for model in (article, half_deepwriter, deepwriter, compact)}
