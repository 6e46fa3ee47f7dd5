"""From a folder of whole pages to a trained, calibrated network that names the writer of another page, as a person does it."""

import collections
import io
import json
import pathlib

import numpy as np
import pytest
from conftest import png, run_module
from PIL import Image

from iam_writer.handwriting.synthetic import SyntheticHandwriting
from iam_writer.studies.glued_pages import glue

SMALL = "--patch_height=32 --patch_width=40 --batch_size=64 --epochs=4 --patch_fraction=0.8 --window_stride=8".split()


@pytest.fixture(scope="module")
def pages_of_writers(tmp_path_factory):
    """A folder of pages by three invented writers, six pages each, and beside it a seventh page by each writer."""
    folder = tmp_path_factory.mktemp("pages")
    handwriting = SyntheticHandwriting(num_writers=3, forms_per_writer=7, lines_per_form=3)
    of_form = collections.defaultdict(list)
    for line in handwriting.lines:
        image = Image.open(io.BytesIO(handwriting.read(line)))
        of_form[line.writer, line.form].append(np.asarray(image))
    for (writer, form), lines in of_form.items():
        path = folder / ("new" if form.endswith("f06") else "scans") / writer / f"{form}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(glue(lines)[0]))
    return folder


@pytest.mark.slow
def test_one_command_from_pages_to_a_checkpoint_that_knows_new_pages(pages_of_writers, tmp_path):
    done = run_module(
        "train",
        "--dataset=iam_writer/folder",
        f"--manual_dir={pages_of_writers / 'scans'}",
        f"--data_dir={tmp_path / 'tfds'}",
        f"--workdir={tmp_path / 'run'}",
        *SMALL,
    )
    assert done.returncode == 0, done.stderr
    assert "folder uses 54 images of 3 writers on 18 forms" in done.stderr
    assert not list((pages_of_writers / "scans").rglob(".*"))  # The program leaves no files among the scans.
    new = sorted((pages_of_writers / "new").rglob("*.png"))
    assert len(new) == 3
    done = run_module("identify", f"--checkpoint={tmp_path / 'run/best.keras'}", "--json", *new)
    assert done.returncode in (0, 2), done.stderr
    answers = [json.loads(row) for row in done.stdout.splitlines()]
    told = [answer["top5"][0]["writer"] for answer in answers]
    assert told == [pathlib.Path(answer["file"]).parent.name for answer in answers]


def test_too_few_pages_are_told_in_words(tmp_path):
    handwriting = SyntheticHandwriting(num_writers=2, forms_per_writer=1, lines_per_form=2)
    for line in handwriting.lines:
        path = tmp_path / "scans" / line.writer / f"only-{line.id.rpartition('-')[2]}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(handwriting.read(line))
    done = run_module(
        "train",
        "--dataset=iam_writer/folder",
        f"--manual_dir={tmp_path / 'scans'}",
        f"--data_dir={tmp_path / 'tfds'}",
        f"--workdir={tmp_path / 'run'}",
    )
    assert done.returncode == 1
    assert "no image for validation and test" in done.stderr and "Add pages" in done.stderr
    assert "Traceback" not in done.stderr
