"""Likelihood ratios of handwriting: how they are made, measured and reported. No TensorFlow."""
