"""sheet.py: finds the sheet in its surround, and nothing where there is none."""

import cv2
import numpy as np
import pytest
from handwriting_pages import drawn_page, written_line, written_page

from iam_writer.handwriting import pages, sheet
from iam_writer.studies import glued_pages

pytestmark = pytest.mark.slow  # Each test looks for the lines of whole pages.

MARGIN = 250


def on_plate(page: np.ndarray, gray: int = 12) -> np.ndarray:
    plate = np.pad(page.astype(float), MARGIN, constant_values=gray)
    return np.clip(plate + np.random.default_rng(0).normal(0, 2, plate.shape), 0, 255).astype(np.uint8)


def on_desk(page: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A photograph of a page of 1700 × 2300 pixels on a wooden desk, and where the sheet is, uint8 of the same shape."""
    size = (2300, 3000)
    grain = np.random.default_rng(0).normal(0, 6, size[::-1])
    wood = np.clip(90 + 15 * np.sin(np.arange(size[0]) / 17) + grain, 0, 255)
    corners = np.float32([[0, 0], [1700, 0], [1700, 2300], [0, 2300]])
    matrix = cv2.getPerspectiveTransform(
        corners, np.float32([[330, 300], [1950, 360], [2060, 2750], [220, 2690]])
    )
    covered = cv2.warpPerspective(np.full_like(page, 255), matrix, size)
    picture = np.where(covered > 127, cv2.warpPerspective(page, matrix, size), wood).astype(np.uint8)
    return picture, covered


@pytest.mark.parametrize("gray", [12, 90, 160])
def test_a_plate_is_cut_off_and_no_pixel_of_the_writing_changes(gray):
    page = drawn_page()
    plain, found = pages.find_lines(page), pages.find_lines(on_plate(page, gray))
    assert len(found.lines) == len(plain.lines) == 8
    assert found.warnings == ["only the sheet was looked at, not what it lies on"]
    for before, after in zip(plain.lines, found.lines, strict=True):
        assert np.allclose(before.image.shape, after.image.shape, atol=2)
    # The corner of the sheet lies at (MARGIN, MARGIN) of the picture, and near (0, 0) of the page.
    assert np.allclose(found.matrix @ [MARGIN, MARGIN, 1], [0, 0, 1], atol=20)


def test_a_photograph_on_a_desk_is_straightened():
    picture, covered = on_desk(drawn_page())
    corners = sheet.find(picture)
    filled = cv2.fillConvexPoly(np.zeros_like(picture), np.rint(corners).astype(np.int32), 255)
    assert (filled & covered).sum() > 0.97 * covered.sum()
    assert ((filled > 0) & (covered == 0)).sum() == 0
    found = pages.find_lines(picture)
    assert len(found.lines) == 8
    assert np.ptp([line.box[0] for line in found.lines]) < 40  # They begin below each other again.


@pytest.mark.parametrize("paper", [100, 170, 205])
def test_brown_paper_under_a_white_lid(paper):
    """Without the sheet, its dark border would be lines."""
    found = pages.find_lines(on_plate((drawn_page() / 235 * paper).astype(np.uint8), gray=250))
    assert len(found.lines) == 8
    assert found.warnings == ["only the sheet was looked at, not what it lies on"]


def test_a_dark_picture_on_a_written_page_is_no_sheet():
    page = drawn_page(lines=3)
    page[900:2200, 200:1500] = 120
    assert sheet.find(page) is None


def test_a_sheet_that_leaves_the_picture_on_one_side():
    picture = on_plate(drawn_page())[:, MARGIN + 20 :]
    found = pages.find_lines(picture)
    assert len(found.lines) == 8
    assert max(line.box[0] + line.box[2] for line in found.lines) < 1700


NO_SURROUND = {
    "as scanned": drawn_page(),
    "white": written_page()[0],
    "in a shadow": glued_pages.worsen(*[drawn_page()] * 2, shadow=True)[0],
    "with noise": glued_pages.worsen(*[drawn_page()] * 2, noise=15)[0],
    "half in the shadow of a hand": np.where(np.arange(1700) < 800, drawn_page() * 0.6, drawn_page()).astype(
        np.uint8
    ),
    "a line": written_line(),
    "black": np.zeros((800, 600), np.uint8),
}


@pytest.mark.parametrize("picture", NO_SURROUND.values(), ids=NO_SURROUND.keys())
def test_without_an_edge_there_is_no_sheet(picture):
    assert sheet.find(picture) is None


def test_the_two_pages_of_a_book_are_read_one_after_the_other():
    left, right = drawn_page(lines=6), drawn_page(lines=5, seed=1)
    right = np.roll(right, 60, axis=0)
    both = np.hstack([left, right]).astype(float)
    both *= 1 - 0.6 * np.exp(-np.abs(np.arange(3400) - 1700) / 25)
    for picture in (both.astype(np.uint8), on_plate(both)):
        lines = pages.find_lines(picture).lines
        side = [line.box[0] > picture.shape[1] / 2 - MARGIN for line in lines]
        assert side == [False] * 6 + [True] * 5
        assert max(line.box[2] for line in lines) < 1500
        for of_page in (lines[:6], lines[6:]):
            assert [line.box[1] for line in of_page] == sorted(line.box[1] for line in of_page)


def test_notes_in_the_margin_are_lines_of_their_own():
    page = np.hstack([np.full((2300, 500), 235, np.uint8), drawn_page()])
    notes = cv2.resize(drawn_page(lines=3, seed=5)[:800, 140:], None, fx=0.5, fy=0.6)[:, :420]
    place = page[330 : 330 + len(notes), 60 : 60 + notes.shape[1]]
    np.minimum(place, notes, out=place)
    lines = pages.find_lines(page).lines
    assert len(lines) == 8 + 3
    assert sum(line.box[0] + line.box[2] < 560 for line in lines) == 3
    assert sum(line.box[0] > 560 for line in lines) == 8


def test_numbers_before_the_lines_belong_to_them():
    page = np.hstack([np.full((2300, 300), 235, np.uint8), drawn_page()])
    for i in range(8):
        cv2.putText(page, f"{i + 1}", (100, 300 + 200 * i), cv2.FONT_HERSHEY_SCRIPT_COMPLEX, 2.0, 45, 5)
    lines = pages.find_lines(page).lines
    assert len(lines) == 8
    assert all(line.box[0] < 200 for line in lines)


def test_fingers_at_the_edge_are_no_writing():
    page = drawn_page()
    y, x = np.mgrid[:2300, :1700]
    for middle in (900, 1300):
        page[(x / 120) ** 2 + ((y - middle) / 60) ** 2 < 1] = 140
    lines = pages.find_lines(page).lines
    assert len(lines) == 8
    assert min(line.box[0] for line in lines) > 130


@pytest.mark.parametrize("down", [False, True])
def test_a_ruler_and_a_chart_are_no_lines(down):
    page = drawn_page()
    scan = np.vstack([page, np.full((350, 1700), 255, np.uint8)])
    scan[2330:2470, 60:1640] = 214
    for number in range(125):
        x, length = 90 + 12 * number, 60 if number % 10 == 0 else 30
        scan[2330 : 2330 + length, x : x + 2] = 30
        if number % 10 == 0:
            cv2.putText(scan, str(number // 10), (x - 8, 2440), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 30, 3)
    for number in range(8):
        scan[2500:2620, 80 + 130 * number : 200 + 130 * number] = 20 + 30 * number
    if down:  # The ruler lies beside the page.
        scan = np.hstack([np.full((2300, 350), 255, np.uint8), page])
        for number in range(180):
            scan[60 + 12 * number : 62 + 12 * number, 100 : 160 if number % 10 == 0 else 130] = 30
    lines = pages.find_lines(scan).lines
    assert len(lines) == 8
    assert max(line.box[1] + line.box[3] for line in lines) < 2300
    assert min(line.box[0] for line in lines) > (300 if down else 100)
