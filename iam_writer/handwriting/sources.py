"""Which pages a person means: files, folders, patterns, PDF and TIFF files. Does not use TensorFlow."""

import glob
import os
import pathlib
import re
from collections.abc import Iterable

from iam_writer.common.errors import MissingDataError
from iam_writer.handwriting import documents, images


def pages(names: Iterable[str | os.PathLike[str]]) -> list[str]:
    """The pages that names stand for, each once.

    Args:
      names: image files; folders, which stand for the images in them and in their folders; patterns such as 'scans/*.png';
        PDF and TIFF files, which stand for all of their pages.

    Returns:
      Names of pages, in the order of `names`; those of a folder are in the order of their numbers and letters. A file that does not
      exist stays, so that whoever reads it says so.

    Raises:
      MissingDataError: a folder or a pattern has no image.
    """
    found: list[str] = []
    for given in names:
        name = os.fspath(given)
        path = pathlib.Path(name)
        if path.is_dir():
            files = in_folder(path)
        elif not path.exists() and glob.has_magic(name):
            files = sorted(glob.glob(name, recursive=True), key=natural)
        else:
            files = [name]
        if not files:
            raise MissingDataError(f"There is no image in {name}. Name image files, or a folder with images.")
        for file in files:
            found += documents.pages_of(file)
    return list(dict.fromkeys(found))


def in_folder(folder: pathlib.Path) -> list[str]:
    """Image files and PDF files in a folder and in the folders below it, without hidden ones."""
    return sorted(
        (
            str(path)
            for path in folder.rglob("*")
            if path.suffix.lower() in (*images.SUFFIXES, ".pdf")
            and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        ),
        key=natural,
    )


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts page2 before page10."""
    parts = re.split(r"([0-9]+)", name)
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part.casefold()) for part in parts]
