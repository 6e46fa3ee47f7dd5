"""A network that is ready to train: its optimizer, its loss, its metrics."""

import keras

from iam_writer.common.devices import gpus, on_jax
from iam_writer.models.networks import MODELS
from iam_writer.training.settings import Settings


def compiled_model(settings: Settings, classes: int, steps: int) -> keras.Model:
    """The model that the settings name, ready to train for `steps` steps."""
    # Not before: who prepares a dataset draws random numbers too, and then the first run would be like no other.
    keras.utils.set_random_seed(settings.seed)
    model = MODELS[settings.model](
        classes, settings.patch_height, settings.patch_width, augment=settings.augment
    )
    # JAX is XLA. TensorFlow's made the article's network four times slower on a CPU, and has no deterministic mode.
    on_one_gpu = bool(gpus()) and settings.strategy == "one"
    automatic = on_jax() or (on_one_gpu and not settings.deterministic)
    model.compile(
        optimizer=_optimizer(settings, steps),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        jit_compile={"auto": automatic, "true": True, "false": False}[settings.jit_compile],
    )
    # Now, not in the first step: a checkpoint needs their variables, and a mirrored step cannot make them.
    model.optimizer.build(model.trainable_variables)
    model._compile_metrics.build(keras.KerasTensor((None,)), model.output)
    return model


def _optimizer(settings: Settings, steps: int) -> keras.optimizers.Optimizer:
    schedules, rate = keras.optimizers.schedules, settings.learning_rate
    warm_up = round(settings.warmup_fraction * steps)
    if settings.learning_rate_schedule == "cosine":
        rise = {"initial_learning_rate": 0.0, "warmup_target": rate, "warmup_steps": warm_up}
        rate = schedules.CosineDecay(
            **(rise if warm_up else {"initial_learning_rate": rate}), decay_steps=steps - warm_up
        )
    elif warm_up:
        rate = schedules.PolynomialDecay(0.0, warm_up, end_learning_rate=rate)  # Rises, and stays there.
    return keras.optimizers.Adam(rate)
