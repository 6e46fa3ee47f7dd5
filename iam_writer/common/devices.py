"""The devices that Keras' backend computes on."""

import dataclasses

import keras
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Gpu:
    """A GPU.

    Attributes:
      name: such as 'NVIDIA H100 80GB HBM3'; None if it is not known.
      capability: CUDA's compute capability, such as 9.0; 0 if it is not known.
    """

    name: str | None
    capability: float


def on_jax() -> bool:
    """Whether JAX runs the network (KERAS_BACKEND=jax). TensorFlow then makes only the input."""
    return keras.backend.backend() == "jax"


def gpus() -> list[Gpu]:
    """The GPUs that the backend sees."""
    if on_jax():
        import jax  # Installed by the extra `jax`.

        devices = [device for device in jax.devices() if device.platform == "gpu"]
        return [
            Gpu(device.device_kind, float(getattr(device, "compute_capability", 0))) for device in devices
        ]
    found = []
    for device in tf.config.get_visible_devices("GPU"):
        details = tf.config.experimental.get_device_details(device)
        major, minor = details.get("compute_capability", (0, 0))
        found.append(Gpu(details.get("device_name"), major + minor / 10))
    return found
