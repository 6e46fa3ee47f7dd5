"""Random patches of images at the speed of memory, as a tf.data graph. It knows nothing of handwriting.

Import this before TensorFlow makes its first tensor. It tells TensorFlow to keep the memory of batches for the next ones.
malloc gives blocks of megabytes back to the system, which must then clear each page again. To use malloc all the same,
set TF_CPU_ALLOCATOR_USE_BFC=false in the environment.
"""

import os

os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
# TensorFlow's own limit is 64 GB, and malloc has none. This is a petabyte.
os.environ.setdefault("TF_CPU_BFC_MEM_LIMIT_IN_MB", str(2**30))
