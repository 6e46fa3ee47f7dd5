"""Lines from PAGE-XML and ALTO files: handwriting/layouts.py, layout_files.py, given_lines.py, and who reads pages."""

import os

import numpy as np
import pytest
from handwriting_pages import written_page
from layout_xml import alto, boxes, page_xml
from PIL import Image

from iam_writer.handwriting import cut_pages, given_lines, layout_files, layouts, pages
from iam_writer.handwriting.folder import HandwritingFolder
from iam_writer.recognition import described

PICTURE, EXTENTS = written_page(4, 130)
SIZE = PICTURE.shape[::-1]
LINES = boxes(EXTENTS, SIZE[0])


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "scans/page.png"
    path.parent.mkdir()
    Image.fromarray(PICTURE).save(path, dpi=(300, 300))
    return path


def put(picture, text, name="page.xml"):
    path = picture.parent / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8") if isinstance(text, str) else path.write_bytes(text)
    return path


def given(page):
    return [(line.given.id, line.given.text) for line in page.lines]


NAMES = [(id, text) for id, _, text in LINES]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("page.xml", page_xml(LINES, SIZE)),
        ("page/page.xml", page_xml(LINES, SIZE, version="2013-07-15")),
        ("alto/page.xml", alto(LINES, SIZE)),
        ("page.xml", alto(LINES, SIZE, version=2, unit="mm10", factor=254 / 300, polygons=False)),
        ("page.xml", alto(LINES, SIZE, version=3, unit="inch1200", factor=4)),
    ],
)
def test_the_lines_of_a_file_beside_the_picture(picture, name, text):
    file = put(picture, text, name)
    page = pages.read(picture)
    assert page.layout == str(file) and page.warnings == []
    assert given(page) == NAMES
    own = pages.find_lines(PICTURE)
    for line, other, (_, outline, _) in zip(page.lines, own.lines, LINES, strict=True):
        assert np.abs(np.subtract(line.box, other.box)).max() <= 2
        assert np.abs(line.given.outline - outline).max() < 0.01


def test_the_order_of_the_file_and_only_its_lines(picture):
    put(picture, page_xml(LINES[:3], SIZE, regions=3, order=[2, 0, 1]))
    assert given(pages.read(picture)) == [NAMES[2], NAMES[0], NAMES[1]]


def test_the_order_that_transkribus_writes():
    text = page_xml(LINES, SIZE)
    for number, place in enumerate((3, 0, 2, 1)):
        text = text.replace(f'id="l{number}"', f'id="l{number}" custom="readingOrder {{index:{place};}}"')
    assert [line.id for line in layouts.parse(text.encode()).lines] == ["l1", "l3", "l2", "l0"]


def test_outside_of_a_polygon_is_paper(picture):
    """A line is followed by its neighbour's ink, which its outline leaves out."""
    (top, bottom), (_, below) = EXTENTS[:2]
    upper = [
        (60, top - 5),
        (1140, top - 5),
        (1140, below + 5),
        (900, below + 5),
        (600, bottom + 3),
        (60, bottom + 3),
    ]
    put(picture, page_xml([("a", upper, "")], SIZE))
    (line,) = pages.read(picture).lines
    ink = line.image < 160
    rows = np.arange(line.box[1], line.box[1] + line.box[3])[:, None]
    columns = np.arange(line.box[0], line.box[0] + line.box[2])[None]
    # The lower left of the box belongs to the neighbour: no ink there, while the picture has some.
    lower_left = (rows > bottom + 8) & (columns < 590)
    assert not ink[lower_left].any() and (line.image[lower_left] == 255).all()
    assert (PICTURE[bottom + 8 : below, 60:590] < 128).any()
    assert ink[(rows > bottom + 8) & (columns > 900)].any()


def test_words_and_pages_of_alto():
    text = alto(LINES, SIZE).replace("</Layout>", '<Page ID="q" WIDTH="10" HEIGHT="20"/></Layout>')
    assert layouts.parse(text.encode(), 2) == layouts.Layout("ALTO", (10, 20), True, "", ())
    with pytest.raises(layouts.LayoutError, match="has no page 3"):
        layouts.parse(text.encode(), 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_coordinates_are_those_of_the_stored_picture(picture, orientation):
    """A camera stores a picture as its sensor lies, and says how to turn it."""
    turn = np.linalg.inv(given_lines.turning(orientation, SIZE if orientation < 5 else SIZE[::-1]))
    stored = [(id, given_lines.at(np.array(points), turn), text) for id, points, text in LINES]
    methods = [None, None, *(Image.Transpose(number) for number in (0, 3, 1, 5, 2, 6, 4))]
    image = Image.fromarray(PICTURE)
    image = image.transpose(methods[orientation]) if methods[orientation] is not None else image
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(picture, exif=exif)
    put(picture, page_xml(stored, image.size))
    page = pages.read(picture)
    assert given(page) == NAMES and page.picture == image.size
    boxes_of = [line.box for line in page.lines]
    if orientation > 4:  # The same lines, measured on the picture as it is shown.
        put(picture, page_xml(LINES, SIZE))
        shown = pages.read(picture)
        assert [line.box for line in shown.lines] == boxes_of
        assert np.abs(shown.lines[0].given.outline - stored[0][1]).max() < 0.01
    (picture.parent / "page.xml").unlink()
    own = pages.read(picture)
    for line, box in zip(own.on_picture(), stored, strict=True):  # Boxes lie inside of the outlines.
        assert (line.outline.min(axis=0) >= np.min(box[1], axis=0) - 2).all()
        assert (line.outline.max(axis=0) <= np.max(box[1], axis=0) + 2).all()


def test_a_smaller_copy_of_the_picture_and_a_skewed_page(picture):
    """Outlines scale with the picture; a page is turned level together with them."""
    half = [(id, np.array(points) / 2, text) for id, points, text in LINES]
    put(picture, page_xml(half, (SIZE[0] // 2, SIZE[1] // 2)))
    page = pages.read(picture)
    assert given(page) == NAMES and page.warnings == []
    matrix = np.array([[np.cos(0.2), -np.sin(0.2), 150], [np.sin(0.2), np.cos(0.2), 10], [0, 0, 1]])
    larger = Image.fromarray(PICTURE).transform(
        (1300, 1000),
        Image.Transform.AFFINE,
        np.linalg.inv(matrix)[:2].ravel(),
        Image.Resampling.BICUBIC,
        fillcolor=255,
    )
    larger.save(picture)
    put(
        picture,
        page_xml(
            [(id, given_lines.at(np.array(points), matrix), text) for id, points, text in LINES], larger.size
        ),
    )
    turned = pages.read(picture)
    assert (
        turned.angle == pytest.approx(np.degrees(0.2), abs=0.5)
        and "turned by 11 degrees" in turned.warnings[0]
    )
    assert given(turned) == NAMES
    for line, (_, other) in zip(turned.lines, EXTENTS, strict=True):
        assert line.box[3] < 1.3 * 100, other


BAD = {
    "<PcGts><Page>": "is no complete XML file",
    '<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><PcGts>&b;</PcGts>': "has a DOCTYPE",
    page_xml([], SIZE): "has no text lines",
    page_xml(LINES, (SIZE[0], SIZE[1] // 2)): "is about a picture of 1200 × 360, and this one has 1200 × 720",
    page_xml(LINES, (600, 360), picture="other.png"): "is about other.png, which has another size",
    page_xml([("a", [(5000, 1), (6000, 1), (6000, 90)], "")], SIZE): "has no line inside of the picture",
    page_xml([("a", [(5, 5), (90, 5), (90, 50), (5, 50)], "")], SIZE): "there is no ink inside",
    page_xml([("a", [(5, 5), (90, 5)], "")], SIZE): "has no line with an outline",
    page_xml(LINES, SIZE).replace('points="60', 'points="6x'): "where a number is needed",
    page_xml(LINES, SIZE).replace('points="60', 'points="nan'): "which is larger than any picture",
    alto(LINES, SIZE, unit="ell"): "measures in ell",
    "<PcGts/>": "has no page 1",
}


@pytest.mark.parametrize(("text", "why"), BAD.items(), ids=BAD.values())
def test_a_file_that_cannot_be_used_is_named(picture, text, why):
    """The program finds the lines itself, and says so."""
    put(picture, text)
    page = pages.read(picture)
    (warning,) = page.warnings
    assert warning.startswith(
        "page.xml was not used, and the program found the lines itself, because page.xml"
    )
    assert why in warning and page.layout == "" and len(page.lines) == 4


def test_some_lines_cannot_be_used(picture):
    away = ("x", [(5000, 1), (6000, 1), (6000, 90)], "")
    put(picture, page_xml([*LINES, away, ("y", [(1, 1)], "")], SIZE, picture="scan.png"))
    page = pages.read(picture)
    assert given(page) == NAMES
    assert page.warnings == [
        "page.xml is about scan.png, which has the same size",
        "page.xml has 1 line outside of the picture, left out here",
        "page.xml has 1 line without an outline, left out here",
    ]


def test_other_xml_is_not_looked_at(picture):
    put(picture, "<TEI/>")
    assert pages.read(picture).warnings == []
    assert layout_files.find(picture) is None


def test_a_workspace_of_ocr_d(tmp_path):
    """mets.xml says which files are about a page. The last one with lines counts."""
    for folder in ("IMG", "SEG", "LINE", "EMPTY"):
        (tmp_path / folder).mkdir()
    Image.fromarray(PICTURE).save(tmp_path / "IMG/IMG_1.png")
    for folder, lines in (("SEG", LINES[:1]), ("LINE", LINES), ("EMPTY", [])):
        (tmp_path / f"{folder}/{folder}_1.xml").write_text(page_xml(lines, SIZE, picture="IMG/IMG_1.png"))
    names = {"IMG": "png", "SEG": "xml", "LINE": "xml", "EMPTY": "xml"}
    files = "".join(
        f'<fileGrp USE="{name}"><file ID="{name}_1"><FLocat xlink:href="{name}/{name}_1.{suffix}"/></file></fileGrp>'
        for name, suffix in names.items()
    )
    pointers = "".join(f'<fptr FILEID="{name}_1"/>' for name in ("LINE", "IMG", "EMPTY", "SEG"))
    (tmp_path / "mets.xml").write_text(
        '<mets xmlns="http://www.loc.gov/METS/" xmlns:xlink="http://www.w3.org/1999/xlink"><fileSec>'
        f'{files}</fileSec><structMap TYPE="PHYSICAL"><div><div ID="PHYS_1">{pointers}</div></div></structMap></mets>'
    )
    page = pages.read(tmp_path / "IMG/IMG_1.png")
    assert page.layout == os.path.realpath(tmp_path / "LINE/LINE_1.xml") and given(page) == NAMES
    (tmp_path / "mets.xml").write_text("<mets>")
    assert "mets.xml was not used" in pages.read(tmp_path / "IMG/IMG_1.png").warnings[0]


def test_counts_are_kept_until_the_file_changes(picture, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    alone = described.describe(picture)
    file = put(picture, page_xml(LINES[:2], SIZE))
    page = described.describe(picture)
    monkeypatch.setattr(described, "_described", None)  # The second time nothing is counted.
    again = described.describe(picture)
    assert (alone.lines, page.lines, again.lines) == (4, 2, 2)
    assert alone.layout == "" and page.layout == again.layout == str(file)
    assert page.layout_sha256 == again.layout_sha256 != ""
    assert [line.text for line in again.on_picture] == ["line number 0", "line number 1"]
    assert np.array_equal(again.on_picture[1].outline, page.on_picture[1].outline)
    assert [line.id for line in alone.on_picture] == [""] * 4
    file.unlink()
    assert described.describe(picture).lines == 4


def test_a_folder_is_cut_again_when_a_file_changes(tmp_path):
    for writer in ("ada", "bob"):
        (tmp_path / writer).mkdir()
        Image.fromarray(PICTURE).save(tmp_path / writer / "page.png")
    file = put(tmp_path / "ada/page.png", page_xml(LINES[:1], SIZE))
    before = HandwritingFolder(tmp_path)
    assert [line.id for line in before.lines] == ["ada/page-01", *(f"bob/page-0{i}" for i in range(1, 5))]
    assert before.warnings[0] == "The lines of 1 of 2 pages are from PAGE-XML or ALTO files beside them."
    assert HandwritingFolder(tmp_path).fingerprint == before.fingerprint
    file.write_text(page_xml(LINES[:3], SIZE))
    after = HandwritingFolder(tmp_path)
    assert [line.id for line in after.lines if line.writer == "ada"] == [
        f"ada/page-0{i}" for i in range(1, 4)
    ]
    assert after.fingerprint != before.fingerprint
    (cut,) = cut_pages.cut([str(tmp_path / "ada/page.png")], tmp_path / ".lines").values()
    assert cut.layout == str(file) and len(cut.sizes) == 3
