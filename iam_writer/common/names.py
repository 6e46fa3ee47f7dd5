"""The names that flags offer: datasets, networks, augmentations, kinds of precision and the like. No TensorFlow."""

from iam_writer.iam_writer_dataset_builder import Builder

NETWORKS = ("article", "half_deepwriter", "deepwriter", "compact")
DESCRIPTOR = "descriptor"
MODELS = (*NETWORKS, DESCRIPTOR)
FUSIONS = ("auto", "descriptor", "none")
AUGMENTATIONS = ("thickness", "scale", "shear", "rotation", "shift", "blur", "contrast", "erase", "noise")
PRECISIONS = ("auto", "float32", "mixed_float16", "mixed_bfloat16")
SCHEDULES = ("constant", "cosine")
GATHERS = ("host", "device")
STRATEGIES = ("one", "mirrored", "multi_worker")
COMBINATIONS = ("probabilities", "log_probabilities")

SOURCES = {f"iam_writer/{config.name}": config.data for config in Builder.BUILDER_CONFIGS}
"""Dataset → what it is made from, such as 'iam'."""

DATASETS = tuple(SOURCES)

_IAM = [
    config.name for config in Builder.BUILDER_CONFIGS if config.data == "iam" and config.unit == "sentences"
]
_OTHERS = [config.name for config in Builder.BUILDER_CONFIGS if config.data != "iam"]
DATASETS_IN_WORDS = (
    f"iam_writer/ and one of {', '.join(_IAM)} (IAM's sentences; _lines, _words, _forms at the end: of these), "
    f"{', '.join(_OTHERS)}."
)
"""What --help says of `DATASETS`."""
