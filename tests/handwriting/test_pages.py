"""pages.py: finds the lines of pages whose lines are known."""

import io

import cv2
import iam_pages
import numpy as np
import pytest
from handwriting_pages import cat_photograph, drawn_page, printed_page, written_line, written_page
from PIL import Image

from iam_writer.common.errors import BadImageError
from iam_writer.handwriting import pages, text_lines
from iam_writer.studies import glued_pages


def numbered(page, extents):
    """For each pixel of ink the number of its line."""
    line = np.zeros_like(page)
    for number, (top, bottom) in enumerate(extents, 1):
        line[top:bottom][page[top:bottom] < 128] = number
    return line


@pytest.mark.parametrize("condition", iam_pages.CONDITIONS.values(), ids=iam_pages.CONDITIONS.keys())
def test_each_line_is_found_once(condition):
    page, extents = written_page()
    bad, line = glued_pages.worsen(page, numbered(page, extents), **condition)
    found = pages.find_lines(bad)
    assert (glued_pages.found(found, line), len(found.lines)) == (len(extents), len(extents))
    assert found.warnings == []


@pytest.mark.parametrize("skew", [-5, -2, 0.5, 5])
def test_the_page_is_turned_back(skew):
    bad, _ = glued_pages.worsen(*[written_page()[0]] * 2, skew=skew)
    assert pages.find_lines(bad).angle == pytest.approx(-skew, abs=0.3)


def test_lines_are_cut_to_their_ink_and_keep_all_of_it():
    page, extents = written_page(lines=3)
    for line, (top, bottom) in zip(pages.find_lines(page).lines, extents, strict=True):
        assert abs(line.box[1] - top) <= 2 and abs(line.box[1] + line.box[3] - bottom) <= 2
        left, top, width, height = line.box
        assert line.image.shape == (height, width)
        there = page[top : top + height, left : left + width] < 128
        assert (line.image[there] < 160).mean() > 0.99


def test_rulings_go_and_strokes_that_cross_them_stay():
    page, _ = written_page(lines=3)
    ruled, _ = glued_pages.worsen(page, page, ruled=True)
    plain, found = pages.find_lines(page), pages.find_lines(ruled)
    for before, after in zip(plain.lines, found.lines, strict=True):
        ink = [(line.image < 128).sum() for line in (before, after)]
        assert 0.9 < ink[1] / ink[0] < 1.1


@pytest.mark.parametrize("size", [20, 40, 90])
def test_a_single_line_is_one_line_whatever_its_size_and_slope(size):
    line = written_line(width=25 * size, height=size)
    slanted, _ = glued_pages.worsen(line, line, skew=2)
    for image in (line, slanted):
        found = pages.find_lines(image)
        assert len(found.lines) == 1
        assert (
            found.angle == 0
        )  # A single line is not straightened, because the writer may have written on a slope.


def test_a_single_word_cut_to_its_ink():
    line = written_line(width=130)
    rows, columns = (np.nonzero((line < 128).any(axis=axis))[0] for axis in (1, 0))
    assert len(pages.find_lines(line[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]).lines) == 1


BLANK = {
    "white": np.full((800, 600), 255, np.uint8),
    "black": np.zeros((800, 600), np.uint8),
    "paper with noise": np.random.default_rng(0).normal(220, 8, (800, 600)).astype(np.uint8),
    "a shadow": np.tile(np.linspace(90, 250, 600), (800, 1)).astype(np.uint8),
    "one pixel": np.zeros((1, 1), np.uint8),
    "ruled only": glued_pages.worsen(*[np.full((800, 600), 255, np.uint8)] * 2, ruled=True)[0],
    "a photograph of a cat": cat_photograph(),
}


@pytest.mark.parametrize("image", BLANK.values(), ids=BLANK.keys())
def test_where_nothing_is_written_there_is_no_line_and_a_reason(image):
    found = pages.find_lines(image)
    assert found.lines == []
    assert len(found.warnings) == 1


def test_print_is_told_from_writing():
    assert pages.find_lines(printed_page()).warnings == ["it looks printed, not written by hand"]


@pytest.mark.slow
def test_a_huge_scan_is_scaled_down():
    page, extents = written_page()
    found = pages.find_lines(cv2.resize(page, (5000, 4000), interpolation=cv2.INTER_LINEAR))
    assert max(found.gray.shape) == pages.MAX_SIDE
    assert len(found.lines) == len(extents)


@pytest.mark.parametrize("mode", ["L", "1", "RGB", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_any_mode(tmp_path, mode, format):
    if (mode, format) == ("CMYK", "PNG"):
        pytest.skip("PNG has no CMYK")
    page, extents = written_page(lines=2)
    image = (
        Image.fromarray(page.astype(np.uint16) * 257)
        if mode == "I;16"
        else Image.fromarray(page).convert(mode)
    )
    image.save(tmp_path / "page", format)
    assert len(pages.read(tmp_path / "page").lines) == len(extents)


def big_png(side: int) -> bytes:
    """A picture without any content, but large."""
    file = io.BytesIO()
    Image.new("1", (side, side), 1).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"%PDF-1.7 ...", "is a PDF file.* pdftoppm"),
        (b"not an image", "is not an image"),
        (b"", "is empty"),
        (big_png(12_500), "has more than 150,000,000 pixels"),
    ],
)
def test_what_is_no_image_is_refused_with_a_reason(tmp_path, content, why):
    (tmp_path / "page").write_bytes(content)
    with pytest.raises(BadImageError, match=why):
        pages.read(tmp_path / "page")


def test_a_folder_and_a_file_that_is_not_there(tmp_path):
    with pytest.raises(BadImageError, match="is a folder"):
        pages.read(tmp_path)
    with pytest.raises(BadImageError, match="No such file"):
        pages.read(tmp_path / "gone.png")


def test_a_coarse_page_is_enlarged_and_the_resolution_is_told():
    page, extents = written_page(lines=8, pitch=300, width=2600)
    coarse = cv2.resize(page, None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA)
    found = pages.find_lines(coarse)
    assert len(found.lines) == len(extents)
    assert "its resolution is low" in found.warnings[0] and "300 dpi" in found.warnings[0]
    assert found.scale == pytest.approx(2)


def test_a_page_can_be_turned_upside_down():
    page, number_of = written_page()[0], numbered(*written_page())
    found = pages.find_lines(page)
    turned = found.upside_down()
    assert turned.warnings == ["it was upside down, and was turned"]
    for before, after in zip(found.lines, reversed(turned.lines), strict=True):
        assert np.array_equal(before.image[::-1, ::-1], after.image)
        left, top, width, height = after.box
        assert (
            turned.gray[top : top + height, left : left + width]
            == found.gray[::-1, ::-1][top : top + height, left : left + width]
        ).all()
    assert glued_pages.found(turned, number_of) == len(found.lines)


@pytest.mark.iam
@pytest.mark.slow
def test_95_per_cent_of_the_lines_of_real_pages_are_found(iam_dir):
    chosen = list(iam_pages.forms(iam_dir).values())[::90]
    true = hits = given = 0
    for name in ("clean", "all"):
        for items in chosen:
            page, line = glued_pages.worsen(*iam_pages.glue(items), **iam_pages.CONDITIONS[name])
            found = pages.find_lines(page)
            hits, given = hits + glued_pages.found(found, line), given + len(found.lines)
            true += len(np.unique(line)) - 1
    assert hits >= 0.95 * true
    assert given <= 1.05 * true


@pytest.mark.iam
def test_real_line_images_are_one_line(iam_dir):
    images = sorted(iam_dir.glob("sentences/*/*/*.png"))[::200]
    counts = [len(pages.read(path).lines) for path in images]
    assert np.mean(np.array(counts) == 1) >= 0.95


@pytest.mark.parametrize(
    ("rows", "amounts", "bars"),
    [
        (
            [100, 144, 300, 480, 660],
            [900, 9000, 9000, 9000, 9000],
            [0],
        ),  # The bar of a T above the first line.
        ([100, 250, 280, 460, 640], [9000, 900, 9000, 9000, 9000], [1]),
        ([100, 280, 460, 640], [9000, 900, 9000, 9000], []),  # A short line at its place.
        ([100, 144, 300, 480, 660], [5000, 9000, 9000, 9000, 9000], []),  # Too much ink for a bar.
        ([100, 144, 300], [900, 9000, 9000], []),  # The distance of so few lines is not known.
        (
            [100, 112, 300, 480, 660],
            [8000, 9000, 9000, 9000, 9000],
            [0],
        ),  # A word that is crossed out in a zigzag.
    ],
)
def test_a_bar_or_an_accent_near_a_line_is_no_line(rows, amounts, bars):
    middles = np.repeat(np.array(rows, float)[:, None], 5, axis=1)
    assert (
        np.flatnonzero(text_lines._between_lines(middles, np.array(amounts, float), height=50)).tolist()
        == bars
    )


@pytest.mark.slow
@pytest.mark.parametrize(("dpi", "lines"), [(100, 8), (40, 0)])
def test_letters_of_too_few_pixels_are_refused_and_the_reason_is_the_resolution(dpi, lines):
    page = cv2.resize(drawn_page(), None, fx=dpi / 300, fy=dpi / 300, interpolation=cv2.INTER_AREA)
    found = pages.find_lines(page)
    assert len(found.lines) == lines
    assert len(found.warnings) == 1 and found.warnings[0].startswith(
        "its resolution is low: letters are only"
    )
