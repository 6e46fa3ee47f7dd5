"""The loss."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="iam_writer")
class SmoothedCrossEntropy(keras.losses.Loss):
    """Cross entropy of a truth that has 1 - smoothing for the writer and shares out the rest among all, evenly.

    Szegedy et al. 2016, arXiv 1512.00567, section 7. Keras has it for one-hot labels only, `[batch, classes]`
    floats, which nobody else here needs.

    Args:
      smoothing: from 0, plain cross entropy, to below 1.
    """

    def __init__(self, smoothing: float, name: str = "smoothed_cross_entropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.smoothing = smoothing

    def call(self, labels, logits):
        """Integers `[batch]` or `[batch, 1]`, float `[batch, classes]` → float `[batch]`, in nats."""
        of_each = -ops.log_softmax(logits, axis=-1)
        of_writer = ops.take_along_axis(of_each, ops.reshape(ops.cast(labels, "int32"), (-1, 1)), axis=-1)[
            :, 0
        ]
        return (1 - self.smoothing) * of_writer + self.smoothing * ops.mean(of_each, axis=-1)

    def get_config(self):
        return super().get_config() | {"smoothing": self.smoothing}
