"""Kills programs at random moments, and fills their disk: `python -m tests.kill --help`."""
