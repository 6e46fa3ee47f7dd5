"""The rows of a visit to a GPU, see `gpu`. No TensorFlow."""

from typing import Any

DEEP = {"learning_rate": 0.0003, "augment": ["scale", "shear", "rotation"]}
COMPACT = {
    "model": "compact",
    "patch_width": 226,
    "learning_rate": 0.002,
    "augment": ["scale", "shear", "rotation", "thickness"],
}

SPEEDS: dict[str, dict[str, Any]] = {
    # The article's network is so fast that the way of the batch to the device counts.
    "article": {"model": "article", "batch_size": 1024},
    "article, host gathers": {"model": "article", "batch_size": 1024, "gather": "host"},
    "half_deepwriter": {"model": "half_deepwriter", **DEEP},
    "deepwriter": {"model": "deepwriter", "patch_width": 226, **DEEP},
    "compact": COMPACT,
    # What each part gives: the same row without it.
    "compact, no augmentation": {**COMPACT, "augment": []},
    "compact, with blur": {**COMPACT, "augment": [*COMPACT["augment"], "blur"]},
    "article, a step a call": {"model": "article", "batch_size": 1024, "steps_per_call": "1"},
    "half_deepwriter, a step a call": {"model": "half_deepwriter", **DEEP, "steps_per_call": "1"},
    "half_deepwriter, no augmentation": {"model": "half_deepwriter", **DEEP, "augment": []},
    "half_deepwriter, batches of 1024": {"model": "half_deepwriter", **DEEP, "batch_size": 1024},
    "half_deepwriter, float32": {"model": "half_deepwriter", **DEEP, "precision": "float32"},
    "compact, batches of 1024": {**COMPACT, "batch_size": 1024},
}
"""Rows that measure the speed of training → what differs from the flags of the command line."""

OF_WAYS = "half_deepwriter"
"""The row that the ways below change."""

WAYS = {
    f"{OF_WAYS}, {way}": way
    for way in ("state not donated", "one array for Adam", "channels first", "eight channels of ink")
}
"""Rows that measure the speed of another way to compute the same → the way, see `gpu_ways`."""

_COSINE = {"learning_rate_schedule": "cosine", "warmup_fraction": 0.03, "window_stride": 16, "epochs": 3}

LEARNING: dict[str, dict[str, Any]] = {
    "learn half_deepwriter": {**SPEEDS["half_deepwriter"], **_COSINE},
    "learn deepwriter": {**SPEEDS["deepwriter"], **_COSINE},
    "learn compact": {**COMPACT, **_COSINE, "balance": "writers", "combine": "log_probabilities"},
}
"""Rows that train for some minutes and measure accuracy."""

NAMES = (
    "matrices",
    "copy",
    *list(SPEEDS)[:5],
    "input",
    *LEARNING,
    *list(SPEEDS)[5:],
    *WAYS,
)
