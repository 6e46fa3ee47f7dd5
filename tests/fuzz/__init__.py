"""Gives damaged input to everything that reads files: `python -m tests.fuzz --help`."""
