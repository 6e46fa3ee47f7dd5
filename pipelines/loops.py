"""The batches of `patches` in other people's training loops: NumPy, JAX, PyTorch, TensorFlow, Grain and Orbax.

A batch is a pure function of its step. So the whole state of an iterator is one integer, the number of its next step.
`Batches` says this integer in the words of each library:

- Grain, and Orbax with Grain's handler: `get_state`, `set_state` (bytes, as the iterator of Grain's DataLoader);
- PyTorch, and torchdata's StatefulDataLoader: `state_dict`, `load_state_dict`;
- TensorFlow: `tf.train.Checkpoint(batches=batches)`;
- anything else: the attribute `step`.

Batches lie in the memory of TensorFlow. The functions `numpy_arrays`, `jax_arrays` and `torch_tensors` pass this memory on
by DLPack and copy nothing. A library is imported only when its function is called.
"""

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipelines.patch_order import Sampling, number_of_positions
from pipelines.patches import iterate, patches
from pipelines.strips import Strips

if TYPE_CHECKING:
    import torch

Convert = Callable[[tf.Tensor], Any]
"""A tensor on the host → an array of another library."""


def numpy_arrays(tensor: tf.Tensor) -> Any:
    """A NumPy array, which can be read only, of the same memory as a tensor on the host."""
    return np.from_dlpack(tensor)


def jax_arrays(tensor: tf.Tensor) -> Any:
    """A JAX array on JAX's default device. On a CPU it has the same memory as the tensor. To a GPU it is copied."""
    import jax

    return jax.device_put(jax.dlpack.from_dlpack(tensor), jax.config.jax_default_device or jax.devices()[0])


def torch_tensors(tensor: tf.Tensor) -> Any:
    """A tensor of PyTorch on the CPU, of the same memory as a tensor on the host."""
    import torch

    return torch.from_dlpack(tensor)


class Batches(tf.train.experimental.PythonState, Iterator[tuple[Any, Any]]):
    """An endless iterator of batches. It can be stopped after any batch, and go on in another process.

    Each element is (uint8 `[batch, patch_width, height]`, x first; int32 `[batch]` labels): what `patches` yields.
    Batches that were made in advance are not part of the state. They are made again.

    Attributes:
      step: the number of the step whose batch comes next. Set it, and the iterator goes on with the batch of that step.
    """

    def __init__(
        self,
        strips: Strips,
        sampling: Sampling,
        *,
        convert: Convert = numpy_arrays,
        **arguments: Any,
    ):
        """Makes the iterator.

        Args:
          strips: the images.
          sampling: which patches, in which order. `first_step` is the first value of `step`.
          convert: what makes an array of each tensor: `numpy_arrays`, `jax_arrays`, `torch_tensors`, or a function of your
            own. `tf.identity` keeps tensors of TensorFlow.
          **arguments: `num_parallel_calls` and `prefetch` of `patches`.

        Raises:
          ValueError: an image is narrower than a patch.
        """
        self._strips, self._sampling, self._convert, self._arguments = strips, sampling, convert, arguments
        self._positions = number_of_positions(strips, sampling.patch_width)
        self._step = sampling.first_step
        self._iterator: Iterator[Any] | None = None

    @property
    def step(self) -> int:
        return self._step

    @step.setter
    def step(self, step: int) -> None:
        # Raises ValueError for a step that cannot be.
        self._sampling = dataclasses.replace(self._sampling, first_step=step)
        self._step, self._iterator = step, None

    def __iter__(self) -> "Batches":
        return self

    def __next__(self) -> tuple[Any, Any]:
        if self._iterator is None:
            self._iterator = iterate(patches(self._strips, self._sampling, **self._arguments))
        images, labels = next(self._iterator)
        self._step += 1
        return self._convert(images), self._convert(labels)

    def state_dict(self) -> dict[str, Any]:
        """The state as PyTorch wants it: the next step, and what the order depends on."""
        sampling = self._sampling
        return {
            "step": self._step,
            "order": {
                "seed": sampling.seed,
                "batch_size": sampling.batch_size,
                "patch_width": sampling.patch_width,
                "balance": sampling.balance,
                "positions": self._positions,
            },
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Goes on from a state. The number of workers (`Sampling.share`) may be another than before.

        Raises:
          ValueError: the state is of another order, in which the step would stand for other patches.
        """
        before, now = state_dict["order"], self.state_dict()["order"]
        if changes := [name for name in now if before.get(name) != now[name]]:
            raise ValueError(
                "The state is of another order of patches: "
                + ", ".join(f"{name} was {before.get(name)}, now {now[name]}" for name in changes)
                + ". Use the strips and the Sampling that the state was saved with, or set the attribute `step`."
            )
        self.step = state_dict["step"]

    def get_state(self) -> bytes:
        """The state as Grain wants it: the same as `state_dict`, in JSON."""
        return json.dumps(self.state_dict()).encode()

    def set_state(self, state: bytes) -> None:
        """Goes on from what `get_state` has returned; see `load_state_dict`."""
        self.load_state_dict(json.loads(state))

    def start_prefetch(self) -> None:
        """Does nothing. Grain's handler calls it after `set_state`; here the first batch that is asked for starts it."""

    def serialize(self) -> bytes:
        """What `tf.train.Checkpoint` saves."""
        return self.get_state()

    def deserialize(self, string_value: bytes) -> None:
        """What `tf.train.Checkpoint` restores; see `load_state_dict`."""
        self.set_state(string_value)


def torch_dataset(
    strips: Strips, sampling: Sampling, **arguments: Any
) -> "torch.utils.data.IterableDataset[tuple[Any, Any]]":
    """The batches as a dataset for PyTorch's DataLoader or torchdata's StatefulDataLoader, with `batch_size=None`.

    The loader needs no workers (`num_workers=0`, the default), since the pipeline has threads of its own. With several
    processes, each trains on its part of every batch: `Sampling(…, share=(rank, world_size))`.

    Args:
      strips: the images.
      sampling: which patches, in which order.
      **arguments: `num_parallel_calls` and `prefetch` of `patches`.

    Returns:
      A dataset of (uint8 tensor `[batch, patch_width, height]`; int32 tensor `[batch]`). StatefulDataLoader saves and loads
      the state of its iterator.
    """
    import torch

    class Patches(torch.utils.data.IterableDataset[tuple[Any, Any]]):
        def __iter__(self) -> Batches:
            if torch.utils.data.get_worker_info() is not None:
                raise RuntimeError(
                    "Each worker of the loader would make every batch again. Set num_workers=0: the pipeline has "
                    "threads of its own."
                )
            return Batches(strips, sampling, convert=torch_tensors, **arguments)

    return Patches()
