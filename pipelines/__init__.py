"""Random patches of images at the speed of memory, as a tf.data graph. Knows nothing of handwriting."""
