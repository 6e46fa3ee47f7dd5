"""Programs for research: run them as `python -m iam_writer.studies.ablate`."""
