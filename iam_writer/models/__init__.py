"""Networks. Importing this registers the layers that checkpoints name."""

from iam_writer.models.networks import MODELS, article, compact, deepwriter, half_deepwriter

__all__ = ["MODELS", "article", "compact", "deepwriter", "half_deepwriter"]
