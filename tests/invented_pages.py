"""Pages by invented writers, as image files."""

import io
import pathlib

import numpy as np
from PIL import Image

from iam_writer.handwriting.synthetic import SyntheticHandwriting


def write_pages(
    folder: pathlib.Path, writers: int = 4, lines: int = 6
) -> tuple[pathlib.Path, list[pathlib.Path]]:
    """Writes two pages for each writer. Returns the folder of the first pages and the paths of the second pages.

    The first page of a writer is known/<writer>/page.png. The second pages are in the order of the writers.
    """
    handwriting = SyntheticHandwriting(writers, 2, lines, seed=9, sessions=1.0)
    pages = {form: page(handwriting, form) for form in dict.fromkeys(line.form for line in handwriting.lines)}
    asked = []
    for form, pixels in pages.items():
        writer, _, number = form.partition("-")
        path = folder / (f"known/{writer}/page.png" if number == "f00" else f"{writer}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        if number != "f00":
            asked.append(path)
    return folder / "known", asked


def page(handwriting: SyntheticHandwriting, form: str) -> np.ndarray:
    """uint8 `[height, width]`: a page with the lines of a form one below the other."""
    images = [
        Image.open(io.BytesIO(handwriting.read(line))) for line in handwriting.lines if line.form == form
    ]
    lines = [np.asarray(image.convert("L")) for image in images]
    height = 200 + sum(len(line) + 40 for line in lines)
    pixels = np.full((height, 200 + max(line.shape[1] for line in lines)), 255, np.uint8)
    top = 100
    for line in lines:
        pixels[top : top + len(line), 100 : 100 + line.shape[1]] = line
        top += len(line) + 40
    return pixels
