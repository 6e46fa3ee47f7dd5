"""The names that flags offer: datasets, networks, augmentations, kinds of precision and the like. No TensorFlow."""

from iam_writer.iam_writer_dataset_builder import Builder

MODELS = ("article", "half_deepwriter", "deepwriter", "compact")
AUGMENTATIONS = ("thickness", "scale", "shear", "rotation", "shift", "blur", "contrast", "erase", "noise")
PRECISIONS = ("auto", "float32", "mixed_float16", "mixed_bfloat16")
SCHEDULES = ("constant", "cosine")
GATHERS = ("host", "device")
STRATEGIES = ("one", "mirrored", "multi_worker")
COMBINATIONS = ("probabilities", "log_probabilities")

SOURCES = {f"iam_writer/{config.name}": config.data for config in Builder.BUILDER_CONFIGS}
"""Dataset → what it is made from, such as 'iam'."""

DATASETS = tuple(SOURCES)
