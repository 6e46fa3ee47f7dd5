"""Who wrote this? Writer identification on the IAM handwriting database, and on your own scans.

Importing this registers the dataset `iam_writer` with TFDS. It does not load TensorFlow.
"""

from iam_writer.iam_writer_dataset_builder import Builder

__version__ = "0.1.0"
__all__ = ["Builder", "__version__"]
