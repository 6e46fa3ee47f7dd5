"""What `pipelines.benchmark` measures against, and how it reports."""
