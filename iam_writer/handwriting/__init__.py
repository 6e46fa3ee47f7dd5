"""Reads handwriting: IAM's files, folders of scans, invented writers. Nothing here imports TensorFlow."""
