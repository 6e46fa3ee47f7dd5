"""What every result keeps about itself: where it comes from, and hashes of the files. No TensorFlow."""

from collections.abc import Iterable
from typing import TypedDict

from iam_writer.common.provenance import Origin, origin
from iam_writer.recognition import descriptor, reference
from iam_writer.recognition.described import DescribedPage
from iam_writer.recognition.reference import Reference


class ReferenceFile(TypedDict):
    """The file that was learnt from invented writers."""

    file: str
    fingerprint: str


class Record(Origin):
    """Where a result comes from."""

    descriptor: int  # The version of what is counted.
    reference: ReferenceFile


class FileRecord(TypedDict):
    """A page."""

    path: str
    sha256: str
    width: int  # In pixels.
    height: int
    dpi: float | None  # What the file tells.
    lines: int
    lines_from: str | None  # The PAGE-XML or ALTO file that gave the lines.
    lines_from_sha256: str | None
    warnings: list[str]  # What is odd about it.


def record(population: Reference) -> Record:
    """Where a result comes from that rests on these invented writers."""
    return {
        **origin(),
        "descriptor": descriptor.VERSION,
        "reference": {"file": reference.FILE.name, "fingerprint": population.fingerprint},
    }


def files(pages: Iterable[DescribedPage]) -> list[FileRecord]:
    """A record of each page."""
    return [
        {
            "path": page.path,
            "sha256": page.sha256,
            "width": page.size[0],
            "height": page.size[1],
            "dpi": page.dpi,
            "lines": page.lines,
            "lines_from": page.layout or None,
            "lines_from_sha256": page.layout_sha256 or None,
            "warnings": list(page.warnings),
        }
        for page in pages
    ]
