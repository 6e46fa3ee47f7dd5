"""Random patches of images at the speed of memory, as a tf.data graph. Knows nothing of handwriting.

Import this before TensorFlow makes its first tensor: it tells TensorFlow to keep the memory of batches for those that
follow. malloc gives blocks of megabytes back to the system, which then clears each page anew. Whoever wants malloc sets
TF_CPU_ALLOCATOR_USE_BFC=false in the environment.
"""

import os

os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
# TensorFlow's own limit, 64 GB, would be one that malloc has not. This is a petabyte.
os.environ.setdefault("TF_CPU_BFC_MEM_LIMIT_IN_MB", str(2**30))
