"""conditions.py: a page and the numbers of its lines change alike, and `pages` finds the lines again."""

import io

import numpy as np
import pytest
from PIL import Image

from iam_writer.handwriting import pages
from iam_writer.handwriting.synthetic import SyntheticHandwriting
from iam_writer.studies import conditions, glued_pages

pytestmark = pytest.mark.slow  # Each test looks for the lines of whole pages.


@pytest.fixture(scope="module")
def page():
    """Ten lines by an invented writer, and their numbers."""
    handwriting = SyntheticHandwriting(2, 1, 10, seed=4)
    images = [Image.open(io.BytesIO(handwriting.read(line))) for line in handwriting.lines[:10]]
    return glued_pages.glue([np.asarray(image.convert("L")) for image in images])


@pytest.mark.parametrize("name", conditions.CONDITIONS)
def test_all_lines_are_found_and_no_others(page, name):
    changed, numbers = conditions.CONDITIONS[name](*page, np.random.default_rng(0))
    assert changed.dtype == np.uint8 and changed.shape == numbers.shape
    true = len(np.unique(numbers)) - 1
    assert true == 10 + (name == "form")  # A form has a signature.
    found = pages.find_lines(changed)
    assert (glued_pages.found(found, numbers), len(found.lines)) == (true, true)
