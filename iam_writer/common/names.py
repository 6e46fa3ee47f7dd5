"""The names that flags offer: networks, augmentations, kinds of precision and the like. No TensorFlow."""

MODELS = ("article", "half_deepwriter", "deepwriter", "compact")
AUGMENTATIONS = ("thickness", "scale", "shear", "rotation", "shift", "blur", "contrast", "erase", "noise")
PRECISIONS = ("auto", "float32", "mixed_float16", "mixed_bfloat16")
SCHEDULES = ("constant", "cosine")
GATHERS = ("host", "device")
STRATEGIES = ("one", "mirrored", "multi_worker")
COMBINATIONS = ("probabilities", "log_probabilities")
