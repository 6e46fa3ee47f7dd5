"""Reads what programs get from a user: a checkpoint, a gallery, pages.

It does not load TensorFlow, so that the programs report a wrong argument at once.
"""

import dataclasses
import os
import pathlib
import sys
from collections.abc import Sequence

from iam_writer.common.errors import BadImageError, CheckpointError, GalleryError
from iam_writer.handwriting import images, pages
from iam_writer.handwriting.pages import Page
from iam_writer.recognition import checkpoints
from iam_writer.recognition.calibration import Calibration
from iam_writer.recognition.gallery import Gallery


def open_calibration(path: str | os.PathLike[str]) -> Calibration:
    """The calibration of a checkpoint.

    Raises:
      CheckpointError: there is no such checkpoint, or it is not calibrated.
    """
    path = pathlib.Path(path)
    checkpoints.read_state(path)
    found = checkpoints.read_calibration(path)
    if found is None:
        raise CheckpointError(
            f"{path} is not calibrated, because its training has not ended, or because it is last.keras. Give the training "
            "command again, which continues the run to its end. Then use best.keras."
        )
    return found


def open_gallery(path: str | os.PathLike[str], checkpoint: str | os.PathLike[str]) -> Gallery:
    """The gallery in a file.

    Raises:
      GalleryError: there is none, it is damaged, or it was made with another checkpoint.
    """
    found = Gallery.read(path)
    if found.checkpoint != checkpoints.fingerprint(pathlib.Path(checkpoint)):
        raise GalleryError(
            f"{path} was made with another checkpoint than {checkpoint}, so the two do not fit together. Use the checkpoint "
            "that the gallery was made with, or enroll the writers again."
        )
    return found


def read_pages(paths: Sequence[str]) -> dict[str, Page | BadImageError]:
    """The pages, or what is wrong with a file, by path."""

    def read(path: str) -> Page | BadImageError:
        try:
            page = pages.read(path)
            return dataclasses.replace(page, warnings=[*images.several_pages(path), *page.warnings])
        except BadImageError as error:
            return error

    return {path: read(path) for path in paths}


def written(found: dict[str, Page | BadImageError]) -> dict[str, Page]:
    """The pages that have lines. Says on stderr what is wrong with the others."""
    for path, page in found.items():
        if isinstance(page, BadImageError):
            print(page, file=sys.stderr)
        elif not page.lines:
            print(f"{path}: {'; '.join(page.warnings)}.", file=sys.stderr)
    return {path: page for path, page in found.items() if isinstance(page, Page) and page.lines}
