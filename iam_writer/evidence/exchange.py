"""Writes the hand of each line for other programs: PAGE-XML, TEI and IIIF annotations. No TensorFlow.

PAGE-XML is that of 2019-07-15 (PRImA Research Lab). The hand stands in the attribute `custom` of a line, as Transkribus writes its
tags: `hand {id:hand-1; certainty:0.95;}`. A PAGE-XML file that gave the lines is kept as it is, with the hands added.

TEI is P5: the hands are in `handNotes`, the outlines in `facsimile`, and a `handShift` stands where the hand changes.

IIIF is Presentation 3: a manifest, and an annotation page for each picture with a Web Annotation for each line. Its outline is an SVG
selector, and its box a fragment selector.
"""

import hashlib
import json
import pathlib
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from iam_writer import __version__
from iam_writer.common import provenance
from iam_writer.common.errors import MissingDataError
from iam_writer.evidence.line_hands import LineHand, PageHands, id_of
from iam_writer.handwriting.layouts import name_of

PAGE: Final = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
TEI: Final = "http://www.tei-c.org/ns/1.0"
XML_ID: Final = "{http://www.w3.org/XML/1998/namespace}id"
IIIF: Final = "http://iiif.io/api/presentation/3/context.json"

_HAND: Final = re.compile(r"\s*\bhand\s*\{[^}]*\}")
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_page_xml(page: PageHands) -> str:
    """A PAGE-XML file of a page.

    Raises:
      MissingDataError: the file that gave the lines is gone, or has changed since.
    """
    if page.page.layout:
        kept = _kept_page_xml(page)
        if kept is not None:
            return kept
    root = ElementTree.Element(f"{{{PAGE}}}PcGts")
    metadata = ElementTree.SubElement(root, f"{{{PAGE}}}Metadata")
    for name, said in (("Creator", f"iam_writer {__version__}"), ("Created", _now()), ("LastChange", _now())):
        ElementTree.SubElement(metadata, f"{{{PAGE}}}{name}").text = said
    width, height = page.page.picture
    sheet = ElementTree.SubElement(
        root,
        f"{{{PAGE}}}Page",
        {"imageFilename": _xml(page.picture), "imageWidth": str(width), "imageHeight": str(height)},
    )
    region = ElementTree.SubElement(sheet, f"{{{PAGE}}}TextRegion", {"id": "r1"})
    boxes = [one.box(page.page.picture) for one in page.lines]
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[0] + box[2] for box in boxes), max(box[1] + box[3] for box in boxes)
    corners = f"{left},{top} {right},{top} {right},{bottom} {left},{bottom}"
    ElementTree.SubElement(region, f"{{{PAGE}}}Coords", {"points": corners})
    for number, one in enumerate(page.lines, 1):
        line = ElementTree.SubElement(
            region, f"{{{PAGE}}}TextLine", {"id": f"l{number}", "custom": _custom("", one)}
        )
        ElementTree.SubElement(line, f"{{{PAGE}}}Coords", {"points": _points(one, page)})
        if one.line.text:
            text = ElementTree.SubElement(line, f"{{{PAGE}}}TextEquiv")
            ElementTree.SubElement(text, f"{{{PAGE}}}Unicode").text = one.line.text
    return _written(root, PAGE)


def _kept_page_xml(page: PageHands) -> str | None:
    """The file that gave the lines, with the hands added; None if it is no PAGE-XML."""
    try:
        data = pathlib.Path(page.page.layout).read_bytes()
    except OSError:
        data = b""
    if hashlib.sha256(data).hexdigest() != page.page.layout_sha256:
        raise MissingDataError(
            f"{page.page.layout} has changed while the program was running. Give the command again."
        )
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    root = ElementTree.fromstring(data, parser)
    if name_of(root) != "PcGts":
        return None
    hands = {one.line.id: one for one in page.lines}
    for element in root.iter():
        if name_of(element) == "LastChange":
            element.text = _now()
        elif name_of(element) == "TextLine" and element.get("id") in hands:
            element.set("custom", _custom(element.get("custom", ""), hands[element.get("id", "")]))
    return _written(root, str(root.tag)[1:].partition("}")[0])


def _custom(before: str, one: LineHand) -> str:
    """What stood in `custom`, with the hand of the line."""
    hand = f"hand {{id:{id_of(one.hand)}; certainty:{one.certainty:.2f};}}"
    return f"{_HAND.sub('', before)} {hand}".strip()


def as_tei(pages: Sequence[PageHands], hands: int) -> str:
    """A TEI file of all pages.

    Args:
      pages: with their lines.
      hands: how many hands there are.
    """
    root = ElementTree.Element(f"{{{TEI}}}TEI")
    header = _tei(root, "teiHeader")
    description = _tei(header, "fileDesc")
    _tei(_tei(description, "titleStmt"), "title", "The hands of some pages")
    _tei(_tei(description, "publicationStmt"), "p", "Unpublished.")
    _tei(_tei(description, "sourceDesc"), "p", f"{len(pages)} pictures of pages.")
    program = _tei(
        _tei(_tei(header, "encodingDesc"), "appInfo"),
        "application",
        None,
        {"ident": "iam_writer", "version": re.sub(r"[^0-9.].*", "", __version__), "when": _now()[:10]},
    )
    _tei(program, "desc", "Grouped the lines by hand. A hand is not a person: one person may write several.")
    notes = _tei(_tei(header, "profileDesc"), "handNotes")
    for hand in range(hands):
        on = [sum(one.hand == hand for one in page.lines) for page in pages]
        lines, sheets = sum(on), sum(number > 0 for number in on)
        note = f"{lines} line{'s' * (lines != 1)} on {sheets} page{'s' * (sheets != 1)}."
        _tei(_tei(notes, "handNote", None, {XML_ID: id_of(hand)}), "p", note)
    facsimile = _tei(root, "facsimile")
    flow = _tei(_tei(_tei(root, "text"), "body"), "ab")
    before = -1
    for page in pages:
        width, height = page.page.picture
        corners = {"ulx": "0", "uly": "0", "lrx": str(width), "lry": str(height)}
        surface = _tei(facsimile, "surface", None, {XML_ID: f"s-{page.name}", **corners})
        _tei(surface, "graphic", None, {"url": _url(page.picture)})
        _tei(flow, "pb", None, {"facs": f"#s-{page.name}"})
        for number, one in enumerate(page.lines, 1):
            id = f"s-{page.name}-l{number}"
            _tei(surface, "zone", None, {XML_ID: id, "points": _points(one, page)})
            if one.hand != before:
                _tei(flow, "handShift", None, {"new": f"#{id_of(one.hand)}", "cert": f"{one.certainty:.2f}"})
            before = one.hand
            _tei(flow, "lb", None, {"facs": f"#{id}"}).tail = one.line.text
    return _written(root, TEI)


def as_iiif(pages: Sequence[PageHands], base: str) -> dict[str, str]:
    """A manifest and an annotation page for each page, as JSON, by the name of the file.

    Args:
      pages: with their lines.
      base: the address at which the files and the pictures will stand, without a slash at its end.
    """
    files, canvases = {}, []
    for page in pages:
        width, height = page.page.picture
        canvas = f"{base}/canvas/{page.name}"
        annotations = {
            "@context": IIIF,
            "id": f"{base}/{page.name}.json",
            "type": "AnnotationPage",
            "items": [
                _annotation(one, page, f"{canvas}/line/{number}", canvas)
                for number, one in enumerate(page.lines, 1)
            ],
        }
        files[f"{page.name}.json"] = _json(annotations)
        painting = {
            "id": f"{canvas}/picture",
            "type": "Annotation",
            "motivation": "painting",
            "body": {"id": f"{base}/{_url(page.picture)}", "type": "Image", "width": width, "height": height},
            "target": canvas,
        }
        canvases.append(
            {
                "id": canvas,
                "type": "Canvas",
                "label": {"none": [page.page.path]},
                "width": width,
                "height": height,
                "items": [{"id": f"{canvas}/page", "type": "AnnotationPage", "items": [painting]}],
                "annotations": [{"id": f"{base}/{page.name}.json", "type": "AnnotationPage"}],
            }
        )
    manifest = {
        "@context": IIIF,
        "id": f"{base}/manifest.json",
        "type": "Manifest",
        "label": {"en": ["The hands of some pages"]},
        "items": canvases,
    }
    return {"manifest.json": _json(manifest), **files}


def _annotation(one: LineHand, page: PageHands, id: str, canvas: str) -> dict[str, Any]:
    width, height = page.page.picture
    box = ",".join(map(str, one.box(page.page.picture)))
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"><polygon points="{_points(one, page)}"/></svg>'
    bodies = [
        {"type": "TextualBody", "value": f"hand {one.hand + 1}", "format": "text/plain", "purpose": "tagging"}
    ]
    if one.line.text:
        bodies.append(
            {
                "type": "TextualBody",
                "value": one.line.text,
                "format": "text/plain",
                "purpose": "supplementing",
            }
        )
    return {
        "id": id,
        "type": "Annotation",
        "motivation": ["tagging"],
        "body": bodies,
        "target": {
            "type": "SpecificResource",
            "source": canvas,
            "selector": [
                {"type": "SvgSelector", "value": svg},
                {
                    "type": "FragmentSelector",
                    "conformsTo": "http://www.w3.org/TR/media-frags/",
                    "value": f"xywh={box}",
                },
            ],
        },
    }


def _points(one: LineHand, page: PageHands) -> str:
    return " ".join(f"{x},{y}" for x, y in one.points(page.page.picture).tolist())


def _tei(
    parent: ElementTree.Element, name: str, text: str | None = None, attributes: dict[str, str] | None = None
) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, f"{{{TEI}}}{name}", attributes or {})
    element.text = text
    return element


def _written(root: ElementTree.Element, namespace: str) -> str:
    ElementTree.register_namespace("", namespace)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def _url(name: str) -> str:
    return quote(name, errors="replace")


def _xml(text: str) -> str:
    """A name without the characters that XML does not allow, such as those of a file name in another encoding."""
    return _NOT_XML.sub("\ufffd", text)


def _now() -> str:
    return provenance.now().removesuffix("+00:00")
