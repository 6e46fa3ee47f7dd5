"""A training run: its settings, its data, and its loop."""
