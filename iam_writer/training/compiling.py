"""A network that is ready to train: its optimizer, its loss, its metrics."""

import keras

from iam_writer.common.devices import gpus, on_jax
from iam_writer.models.networks import MODELS
from iam_writer.training.settings import Settings


def compiled_model(settings: Settings, classes: int, steps: int) -> keras.Model:
    """The model that the settings name, for `classes` writers, ready to train for `steps` steps."""
    # The seed is set here and not earlier, because preparing a dataset draws random numbers too. Only a first run prepares
    # the dataset, so a first run would differ from all later ones.
    keras.utils.set_random_seed(settings.seed)
    model = MODELS[settings.model](
        classes, settings.patch_height, settings.patch_width, augment=settings.augment
    )
    ready(model, settings, _optimizer(settings, steps))
    return model


def ready(model: keras.Model, settings: Settings, optimizer: keras.optimizers.Optimizer) -> None:
    """Compiles a network for training, and makes all variables that a step needs."""
    # JAX always compiles with XLA. With TensorFlow on a CPU, XLA made the article's network four times slower. TensorFlow's
    # XLA has no deterministic mode.
    on_one_gpu = bool(gpus()) and settings.strategy == "one"
    automatic = on_jax() or (on_one_gpu and not settings.deterministic)
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        jit_compile={"auto": automatic, "true": True, "false": False}[settings.jit_compile],
    )
    # The variables of the optimizer and the metrics are made here and not in the first step. A checkpoint needs these
    # variables, and a step of a mirrored strategy cannot make them.
    model.optimizer.build(model.trainable_variables)
    model._compile_metrics.build(keras.KerasTensor((None,)), model.output)


def _optimizer(settings: Settings, steps: int) -> keras.optimizers.Optimizer:
    schedules, rate = keras.optimizers.schedules, settings.learning_rate
    warm_up = round(settings.warmup_fraction * steps)
    if settings.learning_rate_schedule == "cosine":
        rise = {"initial_learning_rate": 0.0, "warmup_target": rate, "warmup_steps": warm_up}
        rate = schedules.CosineDecay(
            **(rise if warm_up else {"initial_learning_rate": rate}), decay_steps=steps - warm_up
        )
    elif warm_up:
        rate = schedules.PolynomialDecay(
            0.0, warm_up, end_learning_rate=rate
        )  # The rate rises, then stays constant.
    return keras.optimizers.Adam(rate)
