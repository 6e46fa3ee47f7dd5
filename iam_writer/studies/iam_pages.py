"""Pages glued from IAM's sentence images, each at its own place on the form. Does not import TensorFlow."""

import collections
import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from iam_writer.handwriting import iam_index
from iam_writer.studies.glued_pages import MARGIN

Item = tuple[pathlib.Path, int, tuple[int, int, int, int]]
"""The image of a piece of a line, the line's row on the form, and x, y, width and height of the piece on the form."""


def forms(folder: pathlib.Path) -> dict[str, list[Item]]:
    """The forms whose sentences are all in the folder: name of the form → its pieces."""
    boxes = {}
    for row in (folder / "ascii/sentences.txt").read_text().split("\n"):
        if row and not row.startswith("#"):
            fields = row.split()
            boxes[fields[0]] = tuple(map(int, fields[5:9]))
    pieces = iam_index.read_pieces(folder / "ascii/sentences.txt", "sentences").by_id
    rows = iam_index.physical_rows(pieces.values())
    by_form = collections.defaultdict(list)
    for id, piece in pieces.items():
        by_form[piece.form].append(
            (folder / f"sentences/{piece.form[:3]}/{piece.form}/{id}.png", rows[id], boxes[id])
        )
    return {form: items for form, items in by_form.items() if all(path.exists() for path, _, _ in items)}


def glue(items: Sequence[Item]) -> tuple[np.ndarray, np.ndarray]:
    """Does what `glued_pages.glue` does, but each piece lies where it lies on the form, so that lines overlap."""
    right = max(x + w for _, _, (x, _, w, _) in items)
    left = min(x for _, _, (x, _, _, _) in items)
    top = min(y for _, _, (_, y, _, _) in items)
    bottom = max(y + h for _, _, (_, y, _, h) in items)
    page = np.full((bottom - top + 2 * MARGIN, right - left + 2 * MARGIN), 255, np.uint8)
    line = np.zeros(page.shape, np.uint16)
    numbers = {}
    for path, row, (x, y, _, _) in items:
        number = numbers.setdefault(row, len(numbers) + 1)
        pixels = np.asarray(Image.open(path).convert("L"))
        y0, x0 = y - top + MARGIN, x - left + MARGIN
        pixels = pixels[: page.shape[0] - y0, : page.shape[1] - x0]
        place = np.s_[y0 : y0 + pixels.shape[0], x0 : x0 + pixels.shape[1]]
        page[place] = np.minimum(page[place], pixels)
        line[place][pixels < 128] = number
    return page, line
