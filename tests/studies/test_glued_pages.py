"""glued_pages.py: lines in, a page out on which the line of every pixel of ink is known."""

import dataclasses

import numpy as np
from handwriting_pages import written_line

from iam_writer.handwriting import pages
from iam_writer.studies import glued_pages
from iam_writer.studies.glued_pages import GAP, MARGIN


def test_lines_lie_one_below_the_other_on_their_own_paper():
    lines = [np.full((10, 30), 200, np.uint8), np.full((20, 50), 200, np.uint8)]
    lines[0][2, 3] = 0
    lines[1][4, 5] = 90
    page, number_of = glued_pages.glue(lines)
    assert page.shape == number_of.shape == (10 + GAP + 20 + 2 * MARGIN, 50 + 2 * MARGIN)
    second = MARGIN + 10 + GAP
    ink = {(MARGIN + 2, MARGIN + 3): (0, 1), (second + 4, MARGIN + 5): (90, 2)}
    for place, (gray, number) in ink.items():
        assert (page[place], number_of[place]) == (gray, number)
    assert (page == 200).sum() == page.size - 2
    assert (number_of > 0).sum() == 2


def test_the_numbers_turn_with_the_page():
    page, number_of = glued_pages.glue([written_line(seed=seed) for seed in range(3)])
    for condition in ({"skew": 3}, {"upside_down": True}, {"ruled": True, "shadow": True, "noise": 5}):
        worse, turned = glued_pages.worsen(page, number_of, **condition)
        assert worse.shape == turned.shape == page.shape
        on_ink = worse[turned > 0].mean()
        assert on_ink < 0.5 * np.median(worse), condition
    upside_down = glued_pages.worsen(page, number_of, upside_down=True)[1]
    rows = [np.nonzero(upside_down == number)[0].mean() for number in (1, 2, 3)]
    assert rows == sorted(rows, reverse=True)


def test_a_line_counts_where_it_is_found_and_once():
    page, number_of = glued_pages.glue([written_line(seed=seed) for seed in range(3)])
    found = pages.find_lines(page)
    assert glued_pages.found(found, number_of) == 3
    without_one = dataclasses.replace(found, lines=found.lines[1:])
    assert glued_pages.found(without_one, number_of) == 2
    one_twice = dataclasses.replace(found, lines=found.lines[:1] * 3)
    assert glued_pages.found(one_twice, number_of) == 1
