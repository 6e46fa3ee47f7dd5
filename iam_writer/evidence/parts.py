"""Which known writer the parts of a page look like, if the page does not look like one hand's. No TensorFlow."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from iam_writer.evidence import changes
from iam_writer.recognition import hands
from iam_writer.recognition.described import DescribedPage
from iam_writer.recognition.hands import Sample
from iam_writer.recognition.reference import Reference


class Part(TypedDict):
    """A part of a page."""

    lines: str  # Such as 'lines 1-6', counted from 1.
    writer: str | None  # None if none of the known writers is likely.
    nearest: str
    log10_odds: float  # That the nearest known writer wrote this part.


def of_page(page: DescribedPage, known: Mapping[str, Sample], wheel: Reference) -> list[Part]:
    """The parts of a page, from top to bottom; none if the page looks like one hand's.

    Args:
      page: with its lines.
      known: pages of the known writers.
      wheel: what invented writers have taught.
    """
    found: list[Part] = []
    for name, part in changes.divided(page, wheel):
        ranking = hands.rank(Sample(page.path, (part,)), known, wheel)
        nearest, odds = ranking.candidates[0]
        found.append({"lines": name, "writer": ranking.writer, "nearest": nearest, "log10_odds": odds})
    return found


def as_text(parts: Sequence[Part]) -> str:
    """Rows for a terminal; empty if there are no parts."""
    if not parts:
        return ""
    rows = ["  The page does not look like the writing of one hand:"]
    for part in parts:
        who = part["writer"] or f"none of the known writers; the nearest is {part['nearest']}"
        rows.append(f"    {part['lines']}: {who} ({hands.in_words(part['log10_odds'])})")
    return "\n".join(rows)
