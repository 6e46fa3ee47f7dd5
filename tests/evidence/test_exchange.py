"""The hand of each line in other formats: evidence/line_hands.py and exchange.py, and what scribes writes."""

import csv
import json
import pathlib
import shutil

import numpy as np
import pytest
from handwriting_pages import written_page
from layout_xml import alto, boxes, page_xml
from PIL import Image

from iam_writer.common.errors import FlagError, MissingDataError
from iam_writer.evidence import exchange, hand_files, line_hands, scribes_report
from iam_writer.evidence.scribes import Region, Scribes
from iam_writer.handwriting import layouts
from iam_writer.recognition import described

etree = pytest.importorskip("lxml.etree", reason="lxml is not installed")
SCHEMAS = pathlib.Path(__file__).parents[1] / "schemas"
NS = {"t": exchange.TEI, "p": exchange.PAGE}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Three pages: lines of a PAGE-XML file, lines of an ALTO file, lines that the program finds. All have four lines."""
    folder = tmp_path_factory.mktemp("pages")
    picture, extents = written_page(4, 130)
    size = picture.shape[::-1]
    lines = [(id, outline, f"{text} &amp; ä") for id, outline, text in boxes(extents, size[0])]
    for name in ("1 ä.png", "2.png", "3.png"):
        Image.fromarray(picture).save(folder / name)
    text = page_xml(lines, size, picture="1 ä.png", version="2013-07-15", regions=2, order=[1, 0])
    text = text.replace('id="l0"', 'id="l0" custom="structure {type:heading;} hand {id:A;}"')
    (folder / "1 ä.xml").write_text(text.replace("<Page ", "<!-- kept --><Page "))
    (folder / "2.xml").write_text(alto(lines, size, picture="2.png"))
    return [described.describe(path) for path in sorted(folder.glob("*.png"))]


@pytest.fixture(scope="module")
def found(pages):
    """Hand 1 wrote the first two lines of each page, hand 2 the others; page 3 is hand 1's."""
    places = [(0, range(2), 0), (0, range(2, 4), 1), (1, range(2), 0), (1, range(2, 4), 1), (2, range(4), 0)]
    regions = tuple(Region(page, lines, hand, 0.9, False) for page, lines, hand in places)
    return Scribes(regions, 2, (2, 2), np.zeros((5, 5)), np.zeros((0, 4)), 0.0)


@pytest.fixture(scope="module")
def hands(found, pages):
    return line_hands.of(found, pages)


def test_the_table_of_lines(hands):
    rows = list(csv.DictReader(line_hands.as_csv(hands).splitlines()))
    assert [row["hand"] for row in rows] == ["hand 1", "hand 1", "hand 2", "hand 2"] * 2 + ["hand 1"] * 4
    assert [row["id"] for row in rows[:5]] == ["l2", "l3", "l0", "l1", "l0"] and rows[8]["id"] == ""
    assert rows[2]["hand_in_file"] == "A" and rows[2]["text"] == "line number 0 & ä"
    assert (rows[2]["left"], rows[2]["width"]) == ("60", "1080")
    assert [page.name for page in hands] == ["1_a", "2", "3"]


def test_page_xml_is_valid_and_is_read_as_it_was_written(hands, pages):
    schema = etree.XMLSchema(etree.parse(SCHEMAS / "page.xsd"))
    for page in hands:
        text = exchange.as_page_xml(page)
        # The schema of 2019 allows what that of 2013 does, under another namespace.
        schema.assertValid(etree.fromstring(text.replace("2013-07-15", "2019-07-15").encode()))
        again = layouts.parse(text.encode())
        assert again.size == page.page.picture
        for line, one in zip(again.lines, page.lines, strict=True):
            assert line.hand == line_hands.id_of(one.hand) and line.text == one.line.text
            assert np.abs(line.outline - one.line.outline).max() <= 0.5
            assert one.line.id in ("", line.id) or page.name == "2"


def test_a_page_xml_file_keeps_what_it_holds(hands):
    text = exchange.as_page_xml(hands[0])
    assert 'custom="structure {type:heading;} hand {id:hand-2; certainty:0.90;}"' in text
    assert "<!-- kept -->" in text and "pagecontent/2013-07-15" in text and "ReadingOrder" in text
    assert "hand {id:A" not in text and "ns0" not in text


def test_a_file_that_has_changed_since(pages, found, tmp_path):
    shutil.copytree(pathlib.Path(pages[0].path).parent, tmp_path / "copy")
    page = described.describe(tmp_path / "copy" / "1 ä.png")
    (one,) = line_hands.of(Scribes(found.regions[:2], 2, (2, 2), found.log10_odds, found.steps, 0.0), [page])
    pathlib.Path(page.layout).write_text("<PcGts/>")
    with pytest.raises(MissingDataError, match="has changed while the program was running"):
        exchange.as_page_xml(one)


def test_tei_is_valid_and_tells_each_change(hands):
    text = exchange.as_tei(hands, 2)
    root = etree.fromstring(text.encode())
    etree.RelaxNG(etree.parse(SCHEMAS / "tei_subset.rng")).assertValid(root)
    notes = root.findall(".//t:handNote", NS)
    assert [note.get(exchange.XML_ID) for note in notes] == ["hand-1", "hand-2"]
    assert notes[1][0].text == "4 lines on 2 pages."
    flow = [(e.tag.split("}")[1], e.get("new") or e.get("facs")) for e in root.find(".//t:ab", NS)]
    assert flow[:6] == [
        ("pb", "#s-1_a"), ("handShift", "#hand-1"), ("lb", "#s-1_a-l1"), ("lb", "#s-1_a-l2"),
        ("handShift", "#hand-2"), ("lb", "#s-1_a-l3"),
    ]  # fmt: skip
    assert [new for name, new in flow if name == "handShift"] == ["#hand-1", "#hand-2"] * 2 + ["#hand-1"]
    ids = {e.get(exchange.XML_ID) for e in root.iter() if e.get(exchange.XML_ID)}
    assert {new[1:] for _, new in flow} <= ids
    assert root.find(".//t:lb[@facs='#s-1_a-l3']", NS).tail == "line number 0 & ä"
    assert root.find(".//t:zone", NS).get("points").split()[0] == "60,354"


def test_iiif_annotations(hands):
    """The structure that Presentation 3 and Web Annotation ask for, field by field."""
    files = {name: json.loads(text) for name, text in exchange.as_iiif(hands, "https://x.org/i").items()}
    manifest = files["manifest.json"]
    assert manifest["@context"] == exchange.IIIF and manifest["type"] == "Manifest"
    ids = [manifest["id"]]
    for canvas, page in zip(manifest["items"], hands, strict=True):
        assert canvas["type"] == "Canvas" and (canvas["width"], canvas["height"]) == page.page.picture
        (painted,) = canvas["items"]
        (painting,) = painted["items"]
        assert painting["motivation"] == "painting" and painting["target"] == canvas["id"]
        assert painting["body"]["type"] == "Image"
        (link,) = canvas["annotations"]
        annotations = files[f"{page.name}.json"]
        assert link == {"id": annotations["id"], "type": "AnnotationPage"}
        assert annotations["@context"] == exchange.IIIF and len(annotations["items"]) == 4
        ids += [canvas["id"], painted["id"], painting["id"], annotations["id"]]
        for one, line in zip(annotations["items"], page.lines, strict=True):
            ids.append(one["id"])
            assert one["type"] == "Annotation" and one["motivation"] == ["tagging"]
            assert one["body"][0]["value"] == f"hand {line.hand + 1}"
            assert [body["value"] for body in one["body"][1:]] == [line.line.text][: bool(line.line.text)]
            assert one["target"]["source"] == canvas["id"]
            svg, fragment = one["target"]["selector"]
            polygon = etree.fromstring(svg["value"])[0]
            assert len(polygon.get("points").split()) == len(line.line.outline)
            assert fragment["value"] == "xywh=" + ",".join(map(str, line.box(page.page.picture)))
    assert len(set(ids)) == len(ids) and all(id.startswith("https://x.org/i/") for id in ids)
    assert manifest["items"][0]["items"][0]["items"][0]["body"]["id"] == "https://x.org/i/1%20%C3%A4.png"


def test_names_of_files_that_would_be_the_same():
    names = line_hands._names(["a/p.png", "b/p.png", "c.pdf#2", "b/p.jpg", "Ж.png", "d/p 1.png"])
    assert names == ["a-p", "b-p", "c-p2", "b-p-2", "page", "p_1"]


def test_names_that_xml_does_not_allow(hands):
    assert exchange._xml("a\udce4\x01b.png") == "a\ufffd\ufffdb.png"


def test_all_formats_are_written(hands, found, pages, tmp_path):
    data = scribes_report.as_json(found, pages, [], {})
    assert data["regions"][1]["text"] == ["line number 0 & ä", "line number 1 & ä"]
    hand_files.write(tmp_path, hand_files.FORMATS, "https://x.org", hands, 2, data)
    written = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*"))
    assert written == [
        "iiif/1_a.json", "iiif/2.json", "iiif/3.json", "iiif/manifest.json", "lines.csv", "page/1_a.xml", "page/2.xml",
        "page/3.xml", "scribes.json", "scribes.tei.xml",
    ]  # fmt: skip
    assert json.loads((tmp_path / "scribes.json").read_text())["hands"] == 2
    assert hand_files.in_words(tmp_path, ["tei", "csv"]).endswith("scribes.csv, lines.csv, scribes.tei.xml.")


def test_files_that_gave_the_lines_are_not_written_over(pages, tmp_path):
    hand_files.check(tmp_path, [page.layout for page in pages])
    with pytest.raises(FlagError, match="would be written over"):
        hand_files.check(pathlib.Path(pages[0].path).parent, [page.layout for page in pages])
