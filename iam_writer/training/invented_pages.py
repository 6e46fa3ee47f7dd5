"""Pages by invented writers, so that a new user has pages to ask a freshly trained network about."""

import io
import pathlib
import shlex

import numpy as np
from PIL import Image

from iam_writer.common.files import write_beside
from iam_writer.common.names import DESCRIPTOR
from iam_writer.handwriting import pages, splits
from iam_writer.handwriting.line import Line
from iam_writer.handwriting.synthetic import SyntheticHandwriting
from iam_writer.recognition import inputs, recognizer
from iam_writer.training.settings import Settings
from iam_writer.training.trainer import BEST, BEST_DESCRIPTOR

NUMBER = 3
"""How many pages are written. Each is by another writer."""

MARGIN, GAP = 100, 40
"""Pixels of paper around the lines of a page (MARGIN) and between two lines (GAP)."""


def ask(settings: Settings) -> str:
    """Writes a few test pages beside a finished run, names the writer of the first, and says how to ask about the next.

    Args:
      settings: the settings of the run. One of its datasets must be of invented writers.

    Returns:
      The text to print.
    """
    workdir = pathlib.Path(settings.workdir)
    written = write(settings, workdir / "pages")
    best = workdir / (BEST_DESCRIPTOR if settings.model == DESCRIPTOR else BEST)
    network = recognizer.load(best, inputs.open_calibration(best))
    page = pages.read(written[0])
    verdict = network.verdict(str(written[0]), page, network.scan(page))
    command = f"iam-writer identify --checkpoint={shlex.quote(str(best))} {shlex.quote(str(written[1]))}"
    return (
        f"The folder {workdir / 'pages'} holds pages that were not trained on. The name of a file begins with the "
        f"writer. The answer about the first page:\n{verdict.as_text()}\n\nAsk about the next page:\n  {command}"
    )


def write(settings: Settings, folder: pathlib.Path) -> list[pathlib.Path]:
    """Writes the first test page of some of the invented writers as `<writer>-<form>.png`, and returns the paths."""
    same = "num_writers forms_per_writer lines_per_form script test_script fonts_dir text_file".split()
    handwriting = SyntheticHandwriting(
        seed=settings.synthetic_seed, **{name: getattr(settings, name) for name in same}
    )
    forms: dict[str, list[Line]] = {}
    for line in splits.split_by_form(handwriting.lines)[splits.TEST]:
        forms.setdefault(line.form, []).append(line)
    of_writer = {lines[0].writer: form for form, lines in reversed(forms.items())}
    folder.mkdir(exist_ok=True)
    written = []
    for writer in sorted(of_writer)[:NUMBER]:
        form = of_writer[writer]
        file = io.BytesIO()
        Image.fromarray(composed(handwriting, forms[form])).save(file, "PNG")
        written.append(folder / f"{form}.png")
        write_beside(written[-1], file.getvalue())
    return written


def composed(handwriting: SyntheticHandwriting, lines: list[Line]) -> np.ndarray:
    """A page with the lines one below the other: uint8 `[height, width]`."""
    images = []
    for line in lines:
        with Image.open(io.BytesIO(handwriting.read(line))) as picture:
            images.append(np.asarray(picture.convert("L")))
    height = 2 * MARGIN + sum(len(image) + GAP for image in images)
    page = np.full((height, 2 * MARGIN + max(image.shape[1] for image in images)), 255, np.uint8)
    top = MARGIN
    for image in images:
        page[top : top + len(image), MARGIN : MARGIN + image.shape[1]] = image
        top += len(image) + GAP
    return page
