"""Files that are whole or absent. No TensorFlow."""

import pathlib


def write_beside(path: pathlib.Path, text: str) -> None:
    """Writes a file so that it is whole or absent."""
    beside = path.with_name(f".{path.name}.incomplete")
    beside.write_text(text)
    beside.replace(path)
