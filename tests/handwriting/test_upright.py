"""upright.py and the rest of what turns a page right: skew, quarter turns, white on black, and what is claimed of it."""

import io

import numpy as np
import pytest
from handwriting_pages import drawn_page, hanging_page, printed_page, written_page
from invented_pages import page as invented_page
from PIL import Image

from iam_writer.handwriting import ink, pages
from iam_writer.handwriting.synthetic import SyntheticHandwriting
from iam_writer.handwriting.upright import UPSIDE_DOWN, turned_larger
from iam_writer.studies import glued_pages

pytestmark = pytest.mark.slow  # Each test looks for the lines of whole pages.

DRAWN = drawn_page()


@pytest.mark.parametrize("skew", [-20, -12, -8, 8, 12, 16, 20])
def test_a_skewed_page_is_turned_level(skew):
    found = pages.find_lines(turned_larger(DRAWN, skew, 235)[0])
    assert len(found.lines) == 8
    assert found.angle == pytest.approx(-skew, abs=0.5)
    assert found.warnings == [f"it was skewed by {abs(skew)} degrees"]


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize(
    "page", [DRAWN, written_page()[0], printed_page()], ids=["drawn", "written", "printed"]
)
def test_lines_that_run_down_the_page_are_turned_level(times, page):
    upright, found = pages.find_lines(page), pages.find_lines(np.ascontiguousarray(np.rot90(page, times)))
    assert len(found.lines) == len(upright.lines)
    assert "its lines ran down the page, so it was turned by 90 degrees" in found.warnings
    if times == 3:  # Turned by 90 degrees more it is as it was.
        assert [line.box for line in found.lines] == [line.box for line in upright.lines]


@pytest.mark.parametrize(("skew", "times"), [(3, 0), (-3, 1), (5, 0), (12, 0)])
def test_skewed_rulings_do_not_hide_which_way_the_lines_run(skew, times):
    """Letters that touch ruled lines look five times as high, and rulings are clearer than lines that run across them."""
    handwriting = SyntheticHandwriting(12, 1, 8, seed=4)
    lines = [line for line in handwriting.lines if line.writer == handwriting.lines[6 * 8].writer]
    images = [np.asarray(Image.open(io.BytesIO(handwriting.read(line))).convert("L")) for line in lines]
    page, numbers = glued_pages.worsen(*glued_pages.glue(images), ruled=True, shadow=True, skew=skew)
    page, numbers = (np.ascontiguousarray(np.rot90(picture, times)) for picture in (page, numbers))
    found = pages.find_lines(page)
    assert found.angle == pytest.approx(90 * times - skew, abs=0.5)
    assert (glued_pages.found(found, numbers), len(found.lines)) == (8, 8)


def test_a_page_can_be_both_turned_and_skewed():
    found = pages.find_lines(turned_larger(DRAWN, -105, 235)[0])
    assert len(found.lines) == 8
    assert found.angle == pytest.approx(105, abs=0.5)


def test_the_matrix_says_where_a_point_of_the_picture_is_on_the_page():
    page = DRAWN.copy()
    page[300:340, 1500:1540] = 0  # A mark that is no line.
    for angle in (3, -15, 100):
        picture, moved = turned_larger(page, angle, 235)
        found = pages.find_lines(picture)
        x, y, one = found.matrix @ np.vstack([moved, [0, 0, 1]]) @ [1520, 320, 1]
        assert found.gray[round(y / one), round(x / one)] < 60
        assert np.median(found.gray[round(y / one) - 60 : round(y / one) - 40, round(x / one)]) > 200


@pytest.mark.parametrize("page", [DRAWN, written_page()[0]], ids=["drawn", "written"])
def test_white_on_black_is_inverted(page):
    plain, found = pages.find_lines(page), pages.find_lines(255 - page)
    assert found.warnings == ["it was white on black, and was inverted"]
    assert [line.box for line in found.lines] == [line.box for line in plain.lines]
    assert np.array_equal(found.gray, plain.gray)


def test_what_is_dark_on_light_is_not_negative():
    black_plate = np.pad(DRAWN, 400, constant_values=10)
    for picture in (DRAWN, (DRAWN * 0.4).astype(np.uint8), black_plate, np.zeros((500, 500), np.uint8)):
        assert not ink.is_negative(picture)


def test_upright_pages_of_letters_that_hang_from_a_line_are_not_said_to_be_upside_down():
    for seed in range(10):
        found = pages.find_lines(hanging_page(seed))
        assert len(found.lines) == 9
        assert UPSIDE_DOWN not in found.warnings


@pytest.mark.parametrize("script", ["latin", "greek"])
def test_upright_pages_of_invented_writers_are_not_said_to_be_upside_down(script):
    handwriting = SyntheticHandwriting(6, 1, 4, seed=3, sessions=1.0, script=script)
    for form in dict.fromkeys(line.form for line in handwriting.lines):
        assert pages.find_lines(invented_page(handwriting, form)).warnings == []


def test_upside_down_is_told_where_the_lines_show_it():
    page, _ = written_page()
    assert pages.find_lines(np.ascontiguousarray(page[::-1, ::-1])).warnings == [UPSIDE_DOWN]
