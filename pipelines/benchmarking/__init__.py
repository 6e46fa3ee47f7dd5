"""The loaders that `pipelines.benchmark` compares with, and how it reports."""
