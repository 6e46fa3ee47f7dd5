"""conditions.py: a page and the numbers of its lines change alike, and `pages` finds the lines again."""

import cv2
import numpy as np
import pytest
from handwriting_pages import written_line

from iam_writer.handwriting import pages
from iam_writer.studies import conditions, glued_pages


@pytest.mark.parametrize("name", conditions.CONDITIONS)
def test_all_lines_are_found_and_no_others(name):
    # A pen as wide as most: 0.4 mm.
    lines = [cv2.erode(written_line(1500, 60, seed), np.ones((3, 3), np.uint8)) for seed in range(10)]
    page, numbers = conditions.CONDITIONS[name](*glued_pages.glue(lines), np.random.default_rng(0))
    assert page.dtype == np.uint8 and page.shape == numbers.shape
    true = len(np.unique(numbers)) - 1
    assert true == 10 + (name == "form")  # A form has a signature.
    found = pages.find_lines(page)
    assert (glued_pages.found(found, numbers), len(found.lines)) == (true, true)
