"""printed.py: what is printed on a form is left out, and handwriting stays."""

import cv2
import numpy as np
import pytest
from handwriting_pages import drawn_page, printed_page, written_page
from invented_pages import page as invented_page
from PIL import Image, ImageDraw, ImageFont

from iam_writer.handwriting import pages
from iam_writer.handwriting.synthetic import SyntheticHandwriting

pytestmark = pytest.mark.slow  # Each test looks for the lines of whole pages.


def form(signature: bool = False) -> np.ndarray:
    """A form such as IAM's: a printed heading and paragraph, eight written lines, and "Name:"."""
    image = Image.new("L", (1700, 2400), 235)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(34)
    draw.text((180, 60), "Sentence Database", font=font, fill=40)
    draw.text((1300, 60), "A01-007", font=font, fill=40)
    for row in (130, 310, 2280):
        draw.line((140, row, 1560, row), fill=40, width=3)
    printed = (
        "It was said that little light came over the hills and that many people",
        "went home before the end of the day. The council will meet again when",
        "the roads have been cleared and the bridge has been made safe again.",
    )
    for number, text in enumerate(printed):
        draw.text((180, 155 + 46 * number), text, font=font, fill=40)
    draw.text((180, 2300), "Name:", font=font, fill=40)
    page = np.array(image)
    written = drawn_page()[180:2000]
    np.minimum(page[330 : 330 + len(written)], written, out=page[330 : 330 + len(written)])
    if signature:
        x = np.arange(0, 500, 4)
        loops = np.stack([450 + x + 25 * np.sin(x / 17), 2320 + 30 * np.sin(x / 13)], axis=1)
        cv2.polylines(page, [loops.round().astype(np.int32)], False, 30, 4, cv2.LINE_AA)
    return page


def noisy(page: np.ndarray) -> np.ndarray:
    grain = np.random.default_rng(0).normal(0, 8, page.shape)
    return np.clip(30 + cv2.GaussianBlur(page, (0, 0), 0.8) * 0.8 + grain, 0, 255).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("worse", [lambda page: page, noisy], ids=["clean", "noisy"])
def test_of_a_form_only_handwriting_stays(worse):
    found = pages.find_lines(worse(form()))
    assert found.warnings == ["5 lines look printed and were left out"]
    assert [line.box[1] for line in found.lines] == pytest.approx([411 + 200 * i for i in range(8)], abs=12)


def test_a_signature_stays_and_name_goes():
    found = pages.find_lines(form(signature=True))
    assert len(found.lines) == 9
    assert found.lines[-1].box[0] > 400  # "Name:" ends at 290.


def test_printed_lines_above_a_written_page():
    written, extents = written_page(width=1400)
    found = pages.find_lines(np.vstack([printed_page()[:420], written]))
    assert found.warnings == ["4 lines look printed and were left out"]
    assert [line.box[1] for line in found.lines] == pytest.approx([420 + top for top, _ in extents], abs=2)


def test_a_page_number_is_left_out():
    page = drawn_page()
    page[2230:2280, 800:880] = 235
    cv2.putText(page, "112", (800, 2250), cv2.FONT_HERSHEY_SIMPLEX, 2.4, 40, 6)
    found = pages.find_lines(page)
    assert len(found.lines) == 8
    assert found.warnings == ["a page number was left out"]


def test_no_line_of_invented_writers_looks_printed():
    handwriting = SyntheticHandwriting(6, 1, 5, seed=8, sessions=1.0)
    for form_name in dict.fromkeys(line.form for line in handwriting.lines):
        found = pages.find_lines(invented_page(handwriting, form_name))
        assert len(found.lines) == 5
        assert found.warnings == []
