"""Who wrote this? Writer identification on the IAM handwriting database, and on your own scans.

Importing this registers the dataset `iam_writer` with TFDS. It does not load TensorFlow.
"""

import os

from iam_writer.iam_writer_dataset_builder import Builder

# Else TensorFlow keeps oneDNN's convolutions for processors with AVX-512 VNNI or newer. On one with AVX2 networks train
# 1.5 to 1.9 times as fast with them.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__version__ = "0.2.0"
__all__ = ["Builder", "__version__"]
