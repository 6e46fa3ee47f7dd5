"""The networks. Importing this package registers the layers that checkpoints name."""

from iam_writer.models.augment import Augment
from iam_writer.models.networks import MODELS, Ink, article, compact, deepwriter, half_deepwriter

__all__ = ["MODELS", "Augment", "Ink", "article", "compact", "deepwriter", "half_deepwriter"]
