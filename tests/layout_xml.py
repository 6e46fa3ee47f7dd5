"""PAGE-XML and ALTO files made by code, as eScriptorium, Transkribus and OCR-D write them."""

from collections.abc import Sequence

PAGE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/{}"
ALTO = "http://www.loc.gov/standards/alto/ns-v{}#"

Line = tuple[str, Sequence[tuple[float, float]], str]
"""The id, the outline and the text of a line."""


def _points(points, between=",") -> str:
    return " ".join(f"{x:g}{between}{y:g}" for x, y in points)


def page_xml(
    lines: Sequence[Line],
    size: tuple[int, int],
    picture: str = "page.png",
    version: str = "2019-07-15",
    regions: int = 1,
    order: Sequence[int] | None = None,
) -> str:
    """A PAGE-XML file. The lines are shared out among the regions; the reading order names the regions so."""
    share = -(-len(lines) // regions)
    parts = []
    for number in range(regions):
        own = "".join(
            f'<TextLine id="{id}"><Coords points="{_points(points)}"/>'
            f"<TextEquiv><Unicode>{text}</Unicode></TextEquiv></TextLine>"
            for id, points, text in lines[number * share : (number + 1) * share]
        )
        width, height = size
        corners = _points([(0, 0), (width, 0), (width, height), (0, height)])
        parts.append(f'<TextRegion id="r{number}"><Coords points="{corners}"/>{own}</TextRegion>')
    refs = "".join(
        f'<RegionRefIndexed index="{place}" regionRef="r{number}"/>'
        for place, number in enumerate(order or ())
    )
    reading = f'<ReadingOrder><OrderedGroup id="g">{refs}</OrderedGroup></ReadingOrder>' if order else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<PcGts xmlns="{PAGE.format(version)}"><Metadata><Creator>test</Creator>'
        "<Created>2026-01-02T03:04:05</Created><LastChange>2026-01-02T03:04:05</LastChange></Metadata>"
        f'<Page imageFilename="{picture}" imageWidth="{size[0]}" imageHeight="{size[1]}">{reading}{"".join(parts)}</Page></PcGts>'
    )


def alto(
    lines: Sequence[Line],
    size: tuple[int, int],
    picture: str = "page.png",
    version: int = 4,
    unit: str = "pixel",
    factor: float = 1.0,
    polygons: bool = True,
) -> str:
    """An ALTO file. One pixel has `factor` units."""
    rows = []
    for id, points, text in lines:
        scaled = [(x * factor, y * factor) for x, y in points]
        (left, right), (top, bottom) = ((min(a), max(a)) for a in zip(*scaled, strict=True))
        shape = f'<Shape><Polygon POINTS="{_points(scaled, " ")}"/></Shape>' if polygons else ""
        words = "<SP/>".join(
            f'<String CONTENT="{word}" HPOS="{left:g}" VPOS="{top:g}" WIDTH="1" HEIGHT="1"/>'
            for word in text.split()
        )
        rows.append(
            f'<TextLine ID="{id}" HPOS="{left:g}" VPOS="{top:g}" WIDTH="{right - left:g}" HEIGHT="{bottom - top:g}">{shape}{words}</TextLine>'
        )
    width, height = (side * factor for side in size)
    box = f'HPOS="0" VPOS="0" WIDTH="{width:g}" HEIGHT="{height:g}"'
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<alto xmlns="{ALTO.format(version)}"><Description>'
        f"<MeasurementUnit>{unit}</MeasurementUnit><sourceImageInformation><fileName>{picture}</fileName></sourceImageInformation>"
        f'</Description><Layout><Page ID="p" PHYSICAL_IMG_NR="1" WIDTH="{width:g}" HEIGHT="{height:g}"><PrintSpace {box}>'
        f'<TextBlock ID="b" {box}>{"".join(rows)}</TextBlock></PrintSpace></Page></Layout></alto>'
    )


def boxes(extents: Sequence[tuple[int, int]], width: int, margin: int = 6) -> list[Line]:
    """Lines with rectangles around the rows of `written_page`."""
    return [
        (
            f"l{number}",
            [
                (60, top - margin),
                (width - 60, top - margin),
                (width - 60, bottom + margin),
                (60, bottom + margin),
            ],
            f"line number {number}",
        )
        for number, (top, bottom) in enumerate(extents)
    ]
