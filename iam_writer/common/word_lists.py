"""Flags that take a list of files, as a shell writes them: `--known a.png b.png`, `--known *.png`, `--known=a.png,b.png`."""

import os
import pathlib
from collections.abc import Collection, Sequence


def gathered(argv: Sequence[str], names: Collection[str]) -> list[str]:
    """Writes each word that belongs to a flag with a list (`flags.DEFINE_multi_string`) as a flag of its own.

    Words that follow such a flag belong to it, up to the next word that begins with --. A word -- ends the list.

    ['verify', '--known', 'a.png', 'b.png'] → ['verify', '--known=a.png', '--known=b.png'].
    """
    found, of = [], None
    for word in argv:
        name, equals, value = word.removeprefix("--").partition("=")
        if word.startswith("--") and name in names:
            of = name
            if equals:
                found.append(f"--{name}={value}")
        elif word.startswith("--"):
            of = None
            if word != "--":
                found.append(word)
        else:
            found.append(f"--{of}={word}" if of else word)
    return found


def split(values: Sequence[str]) -> list[str]:
    """Splits values at commas, and resolves ~. A file whose name has a comma is kept whole."""
    parts: list[str] = []
    for value in values:
        whole = os.path.expanduser(value)
        if pathlib.Path(whole).exists():
            parts.append(whole)
        else:
            parts += [os.path.expanduser(part) for part in value.split(",") if part]
    return parts
