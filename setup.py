"""All of the package's metadata is in pyproject.toml; this file is for tools that still look for a setup.py."""

import setuptools

setuptools.setup()
