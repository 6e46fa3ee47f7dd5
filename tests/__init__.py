"""Tests. A package, so that `python -m tests.fuzz` finds its programs here."""
