"""Training steps on the device: one in a call, or many in one compiled loop.

A call takes either a batch of patches, or the start columns of one step or of many, from which the device gathers the
patches. A call of many steps is one loop on the device: gather, augment, forward, backward, update. The host sends 8
bytes for each patch (a start column and a label), and has nothing to do until the loop ends. The batches and the order of
operations are those of single steps, so the weights are the same within rounding.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from iam_writer.common.devices import gpus, on_jax
from iam_writer.common.errors import FlagError
from iam_writer.training.settings import Settings
from pipelines.gather import gather_columns
from pipelines.strips import Strips

STEPS_PER_CALL = 64
"""What --steps_per_call=auto means on a GPU that gathers. The networks of this project then take 0.1 to 0.3 s for a call."""

Logs = dict[str, Any]
"""Loss and accuracy of the epoch so far, as scalars on the device."""


def steps_in_call(settings: Settings, steps_per_epoch: int) -> int:
    """How many steps a call makes.

    'auto' is 1 where the host gathers, and on a CPU, where a call costs nothing. Otherwise it is a number near
    STEPS_PER_CALL that leaves few steps over at the end of an epoch.

    Raises:
      FlagError: the flags ask for many steps in a call where this cannot be.
    """
    can = settings.gather == "device" and (on_jax() or settings.strategy == "one")
    if settings.steps_per_call == "auto":
        if not can or not gpus():
            return 1
        most = min(STEPS_PER_CALL, steps_per_epoch)
        return min(range(most, most // 2, -1), key=lambda steps: steps_per_epoch % steps)
    steps = int(settings.steps_per_call)
    if steps > 1 and not can:
        raise FlagError(
            f"--steps_per_call={steps} needs --gather=device, and with TensorFlow --strategy=one: several steps run without "
            "the host only if the device gathers the patches itself."
        )
    return steps


def planned(step: int, steps_per_epoch: int, steps_per_call: int) -> Iterator[tuple[int, int]]:
    """The first step and the number of steps of each call, without end, beginning at `step`.

    A call begins at a multiple of `steps_per_call` within its epoch. The rest of an epoch is made of single steps, as is what
    a stopped run still has to do until such a multiple. So a run that was stopped makes the same calls as one that was not.
    """
    while True:
        within = step % steps_per_epoch
        whole = within % steps_per_call == 0 and within + steps_per_call <= steps_per_epoch
        yield step, (number := steps_per_call if whole else 1)
        step += number


class JaxSteps:
    """Calls on JAX. While calls are made, the newest weights are here and not in the model: `sync` puts them there."""

    def __init__(
        self, model: keras.Model, strips: Strips, patch_width: int, gathers: bool, donates: bool = True
    ):
        """Copies the columns of all strips to the device if it gathers.

        Args:
          model: compiled, and has all its variables.
          strips: what it trains on.
          patch_width: columns of a patch.
          gathers: whether the device gathers the patches.
          donates: whether a call may write the new state where the old one was. `gpu_ways` measures what this gives.
        """
        import jax

        self._model, self._state = model, None
        self._columns = self._put_whole(strips.columns().numpy()) if gathers else None
        shardings = None
        if keras.distribution.distribution() is not None:
            shardings = (None, [[v.value.sharding for v in part] for part in self._variables()])
        jit = (
            (lambda function: jax.jit(function, donate_argnums=0 if donates else (), out_shardings=shardings))
            if model.jit_compile
            else lambda function: function
        )

        def one(state, images, labels):
            logs, state = model.train_step(state, (images, labels))
            return logs, [list(part) for part in state]

        def gather_one(state, columns, starts, labels):
            # Every start column is in range. Without `mode` JAX would check this for each pixel.
            offsets = np.arange(patch_width)
            return one(state, columns.at[starts[:, None] + offsets].get(mode="promise_in_bounds"), labels)

        def gather_many(state, columns, starts, labels):
            def body(state, batch):
                logs, state = gather_one(state, columns, *batch)
                return state, logs

            if len(starts) == 1:
                return gather_one(state, columns, starts[0], labels[0])
            state, logs = jax.lax.scan(body, state, (starts, labels))
            return {name: values[-1] for name, values in logs.items()}, state

        self._one, self._gather_many = jit(one), jit(gather_many)

    def put(self, batch: Iterable[Any]) -> tuple[Any, ...]:
        """Copies a batch, or start columns and labels `[steps, batch]`, to the device or in equal parts to all devices."""
        import jax

        arrays = [np.from_dlpack(x) if isinstance(x, tf.Tensor) else np.asarray(x) for x in batch]
        distribution = keras.distribution.distribution()
        if distribution is None:
            return tuple(jax.device_put(arrays))
        mesh = distribution.device_mesh.backend_mesh
        of_steps = arrays[-1].ndim == 2
        spec = jax.sharding.PartitionSpec(*[None] * of_steps, distribution.batch_dim_name)
        return tuple(jax.device_put(arrays, jax.sharding.NamedSharding(mesh, spec)))

    def _put_whole(self, array: np.ndarray) -> Any:
        import jax

        distribution = keras.distribution.distribution()
        if distribution is None:
            return jax.device_put(array)
        mesh = distribution.device_mesh.backend_mesh
        return jax.device_put(array, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec()))

    def __call__(self, batch: tuple[Any, ...]) -> Logs:
        """Trains on what `put` returned. The device may still be at work when this returns."""
        if self._state is None:
            self._state = [[v.value for v in part] for part in self._variables()]
        if self._columns is None:
            logs, self._state = self._one(self._state, *batch)
        else:
            logs, self._state = self._gather_many(self._state, self._columns, *batch)
        return logs

    def sync(self) -> None:
        """Puts the weights, the optimizer's state and the metrics into the model, which may then read and change them."""
        if self._state is None:
            return
        for variables, values in zip(self._variables(), self._state, strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        self._state = None

    def _variables(self) -> list[list[Any]]:
        """In the order in which Keras' stateless `train_step` takes and returns them."""
        model = self._model
        return [
            list(model.trainable_variables),
            list(model.non_trainable_variables),
            list(model.optimizer.variables),
            list(model.metrics_variables),
        ]


class TensorFlowSteps:
    """Calls on TensorFlow, which keeps the weights in the model at all times."""

    def __init__(
        self,
        model: keras.Model,
        strips: Strips,
        patch_width: int,
        gathers: bool,
        strategy: tf.distribute.Strategy,
    ):
        """Copies the columns of all strips to the first device if it gathers."""
        if strategy.extended._in_multi_worker_mode():
            # Keras' own train function (3.15) averages the workers' scalars along their first axis. Scalars have no axis.
            @tf.function(jit_compile=model.jit_compile)
            def step(batch):
                logs = strategy.run(model.train_step, (batch,))
                return {name: strategy.reduce("MEAN", value, axis=None) for name, value in logs.items()}

            self._call = step
        elif not gathers:
            model.make_train_function()
            self._call = lambda batch: model.train_function(iter([batch]))
        else:
            columns = tf.identity(strips.columns())
            one = tf.function(model.train_step, jit_compile=model.jit_compile)

            @tf.function(reduce_retracing=True)
            def many(starts, labels):
                logs = one((gather_columns(columns, starts[0], patch_width), labels[0]))
                for step in tf.range(1, tf.shape(starts)[0]):
                    logs = one((gather_columns(columns, starts[step], patch_width), labels[step]))
                return logs

            self._call = lambda batch: many(*batch)

    def __call__(self, batch: Any) -> Logs:
        """Trains on a batch, or on start columns and labels `[steps, batch]`."""
        return self._call(batch)

    def sync(self) -> None:
        """Does nothing: the model has the newest weights."""


def make_steps(
    settings: Settings, model: keras.Model, strips: Strips, strategy: tf.distribute.Strategy
) -> JaxSteps | TensorFlowSteps:
    """What makes calls on Keras' backend, for a compiled model and the strips that it trains on."""
    gathers = settings.gather == "device"
    if on_jax():
        return JaxSteps(model, strips, settings.patch_width, gathers)
    return TensorFlowSteps(model, strips, settings.patch_width, gathers, strategy)
