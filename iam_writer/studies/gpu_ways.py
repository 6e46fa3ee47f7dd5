"""Other ways to compute the same training step, to measure what each choice of the product gives on a GPU."""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from iam_writer.training.compiling import ready
from iam_writer.training.settings import Settings

NOT_DONATED = "state not donated"
"""Each call keeps the old state beside the new one."""

CHANNELS = 8
"""The matrix units take channels in groups of this number. The first convolution has one channel only."""


class OneArrayAdam(keras.optimizers.Adam):
    """Adam that updates all weights as one array: one operation instead of one for each weight matrix."""

    def build(self, variables):
        if self.built:
            return
        super(keras.optimizers.Adam, self).build(variables)  # Without Adam's two arrays for each variable.
        size = sum(math.prod(variable.shape) for variable in variables)
        self._mean, self._square = (
            self.add_variable((size,), initializer="zeros", name=name) for name in ("mean", "square")
        )

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        gradient = ops.concatenate([ops.reshape(grad, -1) for grad in grads])
        step = ops.cast(self.iterations + 1, gradient.dtype)
        correction = ops.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
        self._mean.assign(self._mean + (1 - self.beta_1) * (gradient - self._mean))
        self._square.assign(self._square + (1 - self.beta_2) * (ops.square(gradient) - self._square))
        change = learning_rate * correction * self._mean / (ops.sqrt(self._square) + self.epsilon)
        first = 0
        for variable in trainable_variables:
            last = first + math.prod(variable.shape)
            variable.assign(variable - ops.reshape(change[first:last], variable.shape))
            first = last


def channels_first(model: keras.Model) -> keras.Model:
    """A chain of layers again, but with images `[batch, channels, x, y]` from the first convolution on."""

    def change(config: dict[str, Any]) -> dict[str, Any]:
        return config | ({"data_format": "channels_first"} if "data_format" in config else {})

    return _again(model, lambda ink: ops.transpose(ink, (0, 3, 1, 2)), change)


def eight_channels(model: keras.Model) -> keras.Model:
    """A chain of layers again, but the ink has seven channels of zeros beside it."""

    def pad(ink: Any) -> Any:
        return ops.pad(ink, ((0, 0), (0, 0), (0, 0), (0, CHANNELS - 1)))

    return _again(model, pad, dict)


def changed(model: keras.Model, settings: Settings, way: str | None) -> keras.Model:
    """The compiled network with one of `gpu_rows.WAYS`; None changes nothing."""
    if way == "one array for Adam":
        ready(model, settings, OneArrayAdam.from_config(model.optimizer.get_config()))
    elif way in _AGAIN:
        optimizer = keras.optimizers.Adam.from_config(model.optimizer.get_config())
        model = _AGAIN[way](model)
        ready(model, settings, optimizer)
    return model


_AGAIN = {"channels first": channels_first, "eight channels of ink": eight_channels}


def _again(
    model: keras.Model, before: Callable[[Any], Any], change: Callable[[dict[str, Any]], dict[str, Any]]
) -> keras.Model:
    """The same chain of new layers, with `before` before the first convolution."""
    x = patches = keras.Input(model.input_shape[1:], dtype="uint8")
    convolved = False
    for layer in model.layers[1:]:
        if isinstance(layer, layers.Conv2D) and not convolved:
            x, convolved = before(x), True
        x = type(layer).from_config(change(layer.get_config()))(x)
    return keras.Model(patches, x)
