"""Reads the text lines of a page from a PAGE-XML or ALTO file. Does not use TensorFlow.

PAGE-XML is read in every version of its namespace (2009 to 2019), ALTO in versions 1 to 4, in pixels, tenths of a millimetre and
1/1200 inch. A file with a DOCTYPE is refused, because entities can make a small file huge. Neither format needs one.
"""

import dataclasses
import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from typing import Final
from xml.parsers import expat

import numpy as np

MAX_BYTES: Final = 64 * 1024 * 1024
"""A larger file is refused. An ALTO file with the shape of each letter has 10 MB."""

MAX_LINES: Final = 5_000
"""A page with more lines is refused."""

_LARGEST: Final = 1e7
"""No coordinate is larger."""

_LENGTHS: Final = ("mm10", "inch1200")
"""Units of ALTO that are not pixels."""

_ORDER: Final = re.compile(r"readingOrder\s*\{[^}]*index\s*:\s*([0-9]+)")

_HAND: Final = re.compile(r"\bhand\s*\{[^}]*?\bid\s*:([^;}]*)")


class LayoutError(Exception):
    """A file cannot be used. The message continues 'page.xml ', without a full stop."""


@dataclasses.dataclass(frozen=True)
class GivenLine:
    """A text line that a file gives.

    Attributes:
      id: in the file; may be empty.
      outline: float64 `[points, 2]`, x and y of a polygon around the line, in pixels of the picture as it is stored.
      baseline: float64 `[points, 2]`, the line that the letters stand on; without points if the file gives none.
      text: what is written; empty if the file does not say.
      hand: the id of the hand, from `hand {id:…}` in the attribute `custom` of PAGE-XML; empty if the file does not say.
    """

    id: str
    outline: np.ndarray
    baseline: np.ndarray
    text: str = ""
    hand: str = ""


@dataclasses.dataclass(frozen=True)
class Layout:
    """The lines of a page, in reading order.

    Attributes:
      kind: 'PAGE' or 'ALTO'.
      size: width and height of the page, in the unit of the lines; zeros if the file does not say.
      in_pixels: whether the unit is a pixel.
      picture: the name of the picture; empty if the file does not say.
      lines: with coordinates in the unit of the file.
      shapeless: how many lines were left out since they have no outline.
    """

    kind: str
    size: tuple[float, float]
    in_pixels: bool
    picture: str
    lines: tuple[GivenLine, ...]
    shapeless: int = 0


def parse(data: bytes, page: int = 1) -> Layout | None:
    """The lines in a file.

    Args:
      data: content of the file.
      page: number of the page. PAGE-XML has one page, ALTO may have several.

    Returns:
      None if the file is XML of another kind.

    Raises:
      LayoutError: the file is damaged, too large, or has a DOCTYPE.
    """
    root = tree(data)
    kind = name_of(root)
    if kind == "PcGts":
        return _page(root, page)
    return _alto(root, page) if kind == "alto" else None


def tree(data: bytes) -> ElementTree.Element:
    """The elements of an XML file without a DOCTYPE.

    Raises:
      LayoutError: see `parse`.
    """
    if len(data) > MAX_BYTES:
        raise LayoutError(f"is larger than {MAX_BYTES:,} bytes")
    checker = expat.ParserCreate()
    checker.StartDoctypeDeclHandler = _refuse
    try:
        checker.Parse(data, True)
        return ElementTree.fromstring(data)
    except (expat.ExpatError, ElementTree.ParseError, LookupError, ValueError) as error:
        raise LayoutError(f"is no complete XML file ({error})") from None


def _refuse(*_: object) -> None:
    raise LayoutError("has a DOCTYPE, which can make a small file fill the memory. Remove the DOCTYPE")


def _page(root: ElementTree.Element, number: int) -> Layout:
    page = next((child for child in root if name_of(child) == "Page"), None)
    if page is None or number > 1:
        raise LayoutError(f"has no page {number}")
    regions = [element for element in page.iter() if name_of(element).endswith(("Region", "TableCell"))]
    order = _references(page, "regionRef")
    if order:
        places = _places(page, order, "id")
        regions.sort(key=lambda region: places.get(id(region), math.inf))
    else:
        regions = _by_custom(regions)
    lines = [
        line
        for region in regions
        for line in _by_custom([child for child in region if name_of(child) == "TextLine"])
    ]
    found = []
    for line in lines:
        outline = _points(_child(line, "Coords"))
        if len(outline) >= 3:
            baseline = _points(_child(line, "Baseline"))
            hand = _HAND.search(line.get("custom", ""))
            found.append(
                GivenLine(
                    line.get("id", ""),
                    outline,
                    baseline,
                    _text_of_page_line(line),
                    hand[1].strip() if hand else "",
                )
            )
    size = _number(page.get("imageWidth")), _number(page.get("imageHeight"))
    picture = page.get("imageFilename", "")
    return _checked(Layout("PAGE", size, True, picture, tuple(found), len(lines) - len(found)))


def _by_custom(elements: list[ElementTree.Element]) -> list[ElementTree.Element]:
    """Elements in the order that Transkribus writes into `custom`, if each of them has a place of its own."""
    places = [_ORDER.search(element.get("custom", "")) for element in elements]
    numbers = [int(place[1]) for place in places if place]
    if len(numbers) < len(elements) or len(set(numbers)) < len(numbers):
        return elements
    return [element for _, element in sorted(zip(numbers, elements, strict=True), key=lambda pair: pair[0])]


def _text_of_page_line(line: ElementTree.Element) -> str:
    own = _text_equivalent(line)
    if own is not None:
        return own
    return " ".join(filter(None, (_text_equivalent(word) for word in line if name_of(word) == "Word")))


def _text_equivalent(element: ElementTree.Element) -> str | None:
    texts = [child for child in element if name_of(child) == "TextEquiv"]
    if not texts:
        return None
    # Index 0 is the text that its makers hold to be right.
    best = min(texts, key=lambda text: _number(text.get("index")))
    return " ".join((_child_text(best, "Unicode") or _child_text(best, "PlainText")).split())


def _alto(root: ElementTree.Element, number: int) -> Layout:
    unit = next(
        (_text(element).strip() for element in root.iter() if name_of(element) == "MeasurementUnit"), ""
    )
    if unit not in ("", "pixel", *_LENGTHS):
        raise LayoutError(f"measures in {unit}, which is no unit of ALTO")
    pages = [element for element in root.iter() if name_of(element) == "Page"]
    if number > len(pages):
        raise LayoutError(f"has no page {number}")
    page = pages[number - 1]
    picture = next((_text(element).strip() for element in root.iter() if name_of(element) == "fileName"), "")
    places = _places(page, _references(root, "REF"), "ID")
    lines = [element for element in page.iter() if name_of(element) == "TextLine"]
    lines.sort(key=lambda line: places.get(id(line), math.inf))
    found = []
    for line in lines:
        outline = _outline_of_alto_line(line)
        if len(outline) >= 3:
            baseline = _coordinates(line.get("BASELINE", ""))
            text = "".join(_alto_words(line))
            found.append(GivenLine(line.get("ID", ""), outline, baseline, " ".join(text.split())))
    size = _number(page.get("WIDTH")), _number(page.get("HEIGHT"))
    name = picture if len(pages) == 1 else ""
    return _checked(Layout("ALTO", size, unit not in _LENGTHS, name, tuple(found), len(lines) - len(found)))


def _outline_of_alto_line(line: ElementTree.Element) -> np.ndarray:
    shape = _child(line, "Shape")
    polygon = None if shape is None else _child(shape, "Polygon")
    outline = _coordinates(polygon.get("POINTS", "") if polygon is not None else "")
    if len(outline) >= 3:
        return outline
    names = ("HPOS", "VPOS", "WIDTH", "HEIGHT")
    if any(line.get(name) is None for name in names):
        return np.zeros((0, 2))
    left, top, width, height = (_number(line.get(name)) for name in names)
    right, bottom = left + width, top + height
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def _alto_words(line: ElementTree.Element) -> Iterator[str]:
    for element in line:
        match name_of(element):
            case "String":
                yield element.get("CONTENT", "")
            case "SP":
                yield " "
            case "HYP":
                yield element.get("CONTENT", "-")


def _checked(layout: Layout) -> Layout:
    if len(layout.lines) > MAX_LINES:
        raise LayoutError(f"has more than {MAX_LINES:,} lines")
    return layout


def _references(page: ElementTree.Element, attribute: str) -> list[str]:
    """What the reading order names, from first to last, without regard to how its groups are nested."""
    found: list[str] = []
    order = next((element for element in page.iter() if name_of(element) == "ReadingOrder"), None)
    stack = [] if order is None else [order]
    while stack:
        element = stack.pop()
        if element.get(attribute):
            found.append(element.get(attribute, ""))
        children = list(element)
        if name_of(element) in ("OrderedGroup", "OrderedGroupIndexed"):
            children.sort(key=lambda child: _number(child.get("index")))
        stack += reversed(children)
    return found


def _places(page: ElementTree.Element, order: list[str], attribute: str) -> dict[int, int]:
    """By `id()` of an element: the place of what it is in, by the reading order. Of two that are named the inner one counts."""
    place_of = {name: place for place, name in enumerate(order)}
    places: dict[int, int] = {}
    for outer in page.iter():  # Outer elements come first.
        place = place_of.get(outer.get(attribute, ""))
        if place is not None:
            places.update(dict.fromkeys(map(id, outer.iter()), place))
    return places


def _points(element: ElementTree.Element | None) -> np.ndarray:
    """The points of Coords or Baseline. The version of 2009 to 2010 has an element for each point."""
    if element is None:
        return np.zeros((0, 2))
    if element.get("points") is not None:
        return _coordinates(element.get("points", ""))
    return _coordinates(
        " ".join(f"{point.get('x')},{point.get('y')}" for point in element if name_of(point) == "Point")
    )


def _coordinates(text: str) -> np.ndarray:
    """'1,2 3,4' or '1 2 3 4' → float64 `[points, 2]`. A baseline of ALTO 3 is one number: no points."""
    words = text.replace(",", " ").split()
    if len(words) < 4:
        return np.zeros((0, 2))
    if len(words) % 2:
        raise LayoutError(f"has points with an odd number of coordinates ({text[:40]})")
    return np.array([_number(word) for word in words]).reshape(-1, 2)


def _number(text: str | None) -> float:
    try:
        value = float(text or 0)
    except ValueError:
        raise LayoutError(f"has {text!r:.40} where a number is needed") from None
    if not abs(value) <= _LARGEST:
        raise LayoutError(f"has the number {text!r:.40}, which is larger than any picture")
    return value


def name_of(element: ElementTree.Element) -> str:
    """The name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def _child(element: ElementTree.Element, name: str) -> ElementTree.Element | None:
    return next((child for child in element if name_of(child) == name), None)


def _child_text(element: ElementTree.Element, name: str) -> str:
    return _text(_child(element, name))


def _text(element: ElementTree.Element | None) -> str:
    return "" if element is None else element.text or ""
