"""Finds at which resolution, and which way round, a page looks as if a known writer had written it. No TensorFlow.

A file may not tell its resolution, and a page may lie upside down. Nothing on the page itself says so reliably, but a known hand
is most like itself as it was written.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from iam_writer.handwriting.pages import TURNED, UPSIDE_DOWN
from iam_writer.recognition import descriptor
from iam_writer.recognition.described import DescribedPage, describe
from iam_writer.recognition.reference import Comparer

RESOLUTIONS: Final = {200.0: 0.0, 150.0: 0.0, 400.0: 0.0, 100.0: 0.03}
"""Resolutions of scanners, in dpi, that are tried for a file that tells none → how much nearer to a known hand a page must then be
than at other resolutions, as a cosine. From 100 dpi a page is enlarged so much that all hands look alike."""

MARGIN: Final = 0.1
"""A page is taken for upside down or mirrored if it is then so much nearer to a known hand, as a cosine."""

NONE_FITS: Final = (
    "its file tells no resolution, and no known hand fits at any that was tried. If a known writer may have written the page, "
    "scan it at 300 dpi into a file that tells so"
)
"""A warning about a page that is like no known hand."""

_Change = Callable[[np.ndarray], np.ndarray]

TURNS: Final[dict[str, _Change]] = {
    TURNED: descriptor.upside_down,
    "it was mirrored, and was turned right": descriptor.mirrored,
    "it was mirrored and upside down, and was turned right": lambda counts: descriptor.upside_down(
        descriptor.mirrored(counts)
    ),
}
"""What to say of a page that was read another way → the change of its counts."""


def likeliest(
    pages: tuple[DescribedPage, ...],
    known: np.ndarray,
    comparer: Comparer,
    at_dpi: Callable[[DescribedPage, float], DescribedPage] | None = None,
) -> tuple[DescribedPage, ...]:
    """The same pages, read as they look most like one of the known hands.

    Args:
      pages: by one hand, as they were read.
      known: int64 `[writers, 2, SIZE]`, the samples of the known writers.
      comparer: compares them.
      at_dpi: counts a page as if its file had told this resolution; by default the file is read again.

    Returns:
      The pages, with a warning if they were read in another way.
    """
    first, nearest = _turned_right(pages, known, comparer)
    if any(page.dpi for page in pages):
        return first
    best = first
    read_at = at_dpi or (lambda page, dpi: describe(page.path, dpi))
    for dpi, more in RESOLUTIONS.items():
        said = f"its file tells no resolution; the known hands fit best at {dpi:.0f} dpi"
        read = tuple(
            dataclasses.replace(read_at(page, dpi), warnings=(*page.warnings, said)) for page in pages
        )
        turned, near = _turned_right(read, known, comparer)
        if near > nearest + more:
            best, nearest = turned, near
    return best if _nearest(best, known, comparer)[1] else first


def _turned_right(
    pages: tuple[DescribedPage, ...], known: np.ndarray, comparer: Comparer
) -> tuple[tuple[DescribedPage, ...], float]:
    """The pages turned as they are most like a known hand, and the cosine with that hand."""
    best, nearest = pages, _nearest(pages, known, comparer)[0]
    for turned in _turned(pages):
        near, fits = _nearest(turned, known, comparer)
        if fits and near > nearest + MARGIN:
            best, nearest = turned, near
    return best, nearest


def _turned(pages: tuple[DescribedPage, ...]) -> Iterator[tuple[DescribedPage, ...]]:
    for said, change in TURNS.items():
        yield tuple(
            dataclasses.replace(
                page,
                counts=change(page.counts),
                warnings=(*(text for text in page.warnings if text != UPSIDE_DOWN), said),
            )
            for page in pages
        )


def _nearest(pages: tuple[DescribedPage, ...], known: np.ndarray, comparer: Comparer) -> tuple[float, bool]:
    """The cosine with the nearest of the known hands, and whether the two speak for one hand."""
    counts = np.sum([page.counts for page in pages], axis=0)[None]
    near = comparer.cosines(counts, known)[0]
    nearest = int(near.argmax())
    return float(near[nearest]), bool(comparer.log_odds(counts, known[nearest : nearest + 1])[0, 0] > 0)
