"""stamps.py: stamps are left out, and what a pen draws stays."""

import cv2
import numpy as np
import pytest
from handwriting_pages import drawn_page
from PIL import Image, ImageDraw, ImageFont

from iam_writer.handwriting import pages

pytestmark = pytest.mark.slow  # Each test looks for the lines of whole pages.


def round_stamp(size: int = 340) -> Image.Image:
    """Two rings, with a text between them, and a year in the middle."""
    image = Image.new("L", (size, size), 0)
    draw, middle = ImageDraw.Draw(image), size // 2
    for radius in (middle - 4, middle - 12, middle - 74):
        box = (middle - radius, middle - radius, middle + radius, middle + radius)
        draw.ellipse(box, outline=255, width=4)
    text = "CITY ARCHIVES * RIVERTOWN * "
    for number, letter in enumerate(text):
        angle = 360 * number / len(text)
        one = Image.new("L", (60, 60), 0)
        ImageDraw.Draw(one).text((15, 5), letter, fill=255, font=ImageFont.load_default(40))
        x, y = (middle - 42) * np.cos(np.deg2rad(angle - 90)), (middle - 42) * np.sin(np.deg2rad(angle - 90))
        one = one.rotate(-angle)
        image.paste(255, (int(middle + x - 30), int(middle + y - 30)), one)
    draw.text((middle - 60, middle - 30), "1897", fill=255, font=ImageFont.load_default(54))
    return image


def stamp_with_corners() -> Image.Image:
    image = Image.new("L", (430, 210), 0)
    draw = ImageDraw.Draw(image)
    draw.rectangle((4, 4, 425, 205), outline=255, width=6)
    for number, text in enumerate(("ARCHIVES", "Rec. 12 MAY 1921", "No. 4711")):
        draw.text((25, 15 + 60 * number), text, fill=255, font=ImageFont.load_default(44))
    return image


def stamped(stamp: Image.Image, x: int, y: int, angle: float = 0, worn: bool = False) -> np.ndarray:
    turned = np.asarray(stamp.rotate(angle, expand=True, resample=Image.Resampling.BILINEAR), float) / 255
    if worn:
        random = np.random.default_rng(0)
        ink = cv2.resize(random.uniform(0.5, 1, (20, 20)), turned.shape[::-1])
        turned = cv2.GaussianBlur(turned * ink * (random.random(turned.shape) > 0.1), (0, 0), 1)
    page = drawn_page()
    place = page[y : y + turned.shape[0], x : x + turned.shape[1]]
    place[:] = np.rint(place * (1 - 0.65 * turned))
    return page


@pytest.mark.parametrize(
    "page",
    [
        stamped(round_stamp(), 1250, 1900),
        stamped(round_stamp(), 1240, 800, angle=17, worn=True),
        stamped(stamp_with_corners(), 1200, 30),
        stamped(stamp_with_corners(), 300, 1900, angle=8, worn=True),
    ],
    ids=["round", "round, worn", "corners", "corners, worn"],
)
def test_a_stamp_is_left_out(page):
    plain, found = pages.find_lines(drawn_page()), pages.find_lines(page)
    assert found.warnings == ["a stamp was left out"]
    assert [line.box for line in found.lines] == [pytest.approx(line.box, abs=3) for line in plain.lines]


def test_two_stamps():
    page = np.minimum(stamped(round_stamp(), 1250, 1900), stamped(stamp_with_corners(), 300, 1900))
    found = pages.find_lines(page)
    assert found.warnings == ["2 stamps were left out"] and len(found.lines) == 8


def test_what_a_pen_has_framed_stays():
    page = drawn_page()
    random = np.random.default_rng(1)
    corners = np.array([[200, 1960], [700, 1950], [720, 2130], [190, 2140]])
    along = np.linspace(0, 1, 60)[:, None]
    sides = [a + (b - a) * along for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)]
    path = np.concatenate(sides)
    path += 7 * np.stack([np.sin(np.arange(240) / 11), np.cos(np.arange(240) / 13)], 1)
    path += random.normal(0, 1, path.shape)
    cv2.polylines(page, [path.round().astype(np.int32)], True, 45, 5, cv2.LINE_AA)
    cv2.putText(page, "amount due", (240, 2070), cv2.FONT_HERSHEY_SCRIPT_COMPLEX, 2.0, 45, 5, cv2.LINE_AA)
    found = pages.find_lines(page)
    assert found.warnings == [] and len(found.lines) == 9


def crossed_out(page: np.ndarray, zigzag: bool) -> np.ndarray:
    """A word is crossed out on every third line: with a line, and a word above it instead; or in a zigzag."""
    for line in pages.find_lines(page).lines[1::3]:
        x, y, width, height = line.box
        first, last = x + width // 4, x + width // 4 + 260
        if zigzag:
            along = np.linspace(0, 1, 80)
            up = 0.45 * height * np.sin(70 * along)
            path = np.stack([first + (last - first) * along, y + height / 2 + up], axis=1)
            cv2.polylines(page, [path.round().astype(np.int32)], False, 40, 4, cv2.LINE_AA)
        else:
            middle = y + height // 2
            cv2.line(page, (first, middle + 5), (last, middle - 8), 40, 5, cv2.LINE_AA)
            font = cv2.FONT_HERSHEY_SCRIPT_COMPLEX
            cv2.putText(page, "summer", (first + 20, y + 5), font, 1.3, 45, 4, cv2.LINE_AA)
    return page


@pytest.mark.parametrize("zigzag", [False, True])
def test_a_word_that_is_crossed_out_is_no_line_of_its_own(zigzag):
    found = pages.find_lines(crossed_out(drawn_page(), zigzag))
    assert found.warnings == []
    middles = [line.box[1] + line.box[3] / 2 for line in found.lines]
    assert middles == pytest.approx([285 + 200 * i for i in range(8)], abs=12)
