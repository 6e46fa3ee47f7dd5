"""A training run: what it is told, what it prepares, the loop."""
