"""The files that scribes writes for other programs. No TensorFlow."""

import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from iam_writer.common.errors import FlagError
from iam_writer.common.files import write_beside
from iam_writer.evidence import exchange, line_hands
from iam_writer.evidence.line_hands import PageHands

FORMATS: Final = ("html", "csv", "json", "page", "tei", "iiif")
"""What --formats may name. `write` does not write scribes.html and scribes.csv."""


def write(
    output: pathlib.Path,
    formats: Sequence[str],
    base: str,
    pages: Sequence[PageHands],
    hands: int,
    data: Mapping[str, Any],
) -> None:
    """Writes the formats that tell the hand of each line, and JSON."""
    if "csv" in formats:
        write_beside(output / "lines.csv", line_hands.as_csv(pages))
    if "json" in formats:
        write_beside(output / "scribes.json", json.dumps(data) + "\n")
    if "tei" in formats:
        write_beside(output / "scribes.tei.xml", exchange.as_tei(pages, hands))
    if "page" in formats:
        (output / "page").mkdir(exist_ok=True)
        for page in pages:
            write_beside(output / f"page/{page.name}.xml", exchange.as_page_xml(page))
    if "iiif" in formats:
        (output / "iiif").mkdir(exist_ok=True)
        for name, text in exchange.as_iiif(pages, base).items():
            write_beside(output / "iiif" / name, text)


def check(folder: pathlib.Path, layouts: Sequence[str]) -> None:
    """Raises FlagError if PAGE-XML files would be written over those that gave the lines."""
    if any(
        layout and os.path.realpath(pathlib.Path(layout).parent) == os.path.realpath(folder)
        for layout in layouts
    ):
        raise FlagError(
            f"The PAGE-XML files of the pages lie in {folder}, and would be written over. Name another folder with --output."
        )


def in_words(output: pathlib.Path, formats: Sequence[str]) -> str:
    """Which files were written, in a sentence."""
    names = {
        "html": "scribes.html", "csv": "scribes.csv, lines.csv", "json": "scribes.json",
        "page": "page/*.xml", "tei": "scribes.tei.xml", "iiif": "iiif/*.json",
    }  # fmt: skip
    return f"Written into {output}: {', '.join(names[one] for one in FORMATS if one in formats)}."
