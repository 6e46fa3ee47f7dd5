"""The table and the web page of a validation. No TensorFlow."""

import html
import json
from collections.abc import Sequence
from typing import Final

import numpy as np

from iam_writer.evidence import charts, page
from iam_writer.evidence.charts import Series
from iam_writer.evidence.measures import Share, pav
from iam_writer.evidence.record import Record
from iam_writer.evidence.validation import WAYS, Pairs, Validation

HEAD: Final = (
    "calibrated by",
    "lines",
    "pairs: one, two hands",
    "Cllr",
    "Cllr_min",
    "equal error",
    "two taken for one",
    "one taken for two",
    "two hands, LR > 100",
    "one hand, LR < 1/100",
    "at the bound",
    "LR that these pairs support",
)


def rows(found: Validation) -> list[list[str]]:
    """A row of cells, see HEAD, for each calibration and amount."""
    cells = []
    for pairs in found.pairs:
        quality = pairs.quality
        cells.append(
            [
                pairs.way,
                "all" if pairs.lines is None else str(pairs.lines),
                f"{int(pairs.same.sum()):,}, {int((~pairs.same).sum()):,}",
                f"{quality.cllr:.3f}",
                f"{quality.cllr_min:.3f}",
                f"{quality.equal_error:.1%}",
                *map(
                    _short,
                    (
                        quality.false_match,
                        quality.false_non_match,
                        quality.misleading_one,
                        quality.misleading_two,
                    ),
                ),
                f"{quality.at_bound.value:.0%}",
                f"1/{np.exp(-quality.supported[0]):,.0f} to {np.exp(quality.supported[1]):,.0f}",
            ]
        )
    return cells


def _short(share: Share) -> str:
    low, high = share.interval
    return f"{share.value:.2%} ({100 * low:.2f}-{100 * high:.2f})"


def text(found: Validation) -> str:
    """For a terminal."""
    cells = [list(HEAD), *rows(found)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEAD))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    told = [f"{found.pages} pages by {found.writers} writers."]
    if found.refused:
        told.append(f"Left out, since verify gives them no ratio: {len(found.refused)} pages.")
    told += [f"{way}: {about}" for way, about in WAYS.items() if found.of(way)]
    return "\n".join([*told, "", *lines])


def as_page(found: Validation, place: str, about: Record, left_out: Sequence[str]) -> str:
    """A web page.

    Args:
      found: the figures.
      place: the folder of the pages.
      about: see `record.record`.
      left_out: a sentence for each file that could not be read.
    """
    parts = [
        page.paragraph(
            f"{found.pages} pages by {found.writers} writers, in {place}. All pairs of pages were judged as verify would. "
            "Cllr says how good likelihood ratios are: 0 is perfect, 1 is no better than to say nothing. Cllr_min is the part that "
            "no calibration can mend. The last column has the empirical lower and upper bounds of Vergeer and others (2016): beyond them "
            "there are too few pairs to say that a ratio is right. Shares have 95 % intervals as if pairs were independent; they are not, so the true "
            "intervals are wider."
        ),
        page.listing(f"{way}: {text}" for way, text in WAYS.items() if found.of(way)),
        page.table(HEAD, rows(found)),
    ]
    for way, text_ in WAYS.items():
        if pairs := found.of(way):
            parts += [f"<h2>Calibrated by: {html.escape(way)}</h2>", page.paragraph(text_)]
            parts += [_tippett(pairs), _pav(pairs)]
    if any(pairs.lines for pairs in found.pairs):
        parts += ["<h2>Amount of writing</h2>", _amounts(found)]
    if found.refused:
        parts += ["<h2>Pages without a ratio</h2>", page.listing(found.refused)]
    if left_out:
        parts += ["<h2>Files that were left out</h2>", page.listing(left_out)]
    parts += [
        "<h2>Where these figures come from</h2>",
        f"<p><code>{html.escape(json.dumps(about))}</code></p>",
    ]
    return page.page("Validation of likelihood ratios", parts)


def _log10(pairs: Pairs) -> np.ndarray:
    return np.asarray(np.clip(pairs.ratios, -pairs.bound, pairs.bound) / np.log(10))


def _tippett(pairs: Pairs) -> str:
    ratios = _log10(pairs)
    return charts.tippett(ratios[~pairs.same], ratios[pairs.same], float(pairs.bound.max() / np.log(10)))


def _pav(pairs: Pairs) -> str:
    ratios = _log10(pairs)
    order = np.argsort(ratios)
    best = np.clip(pav(ratios, pairs.same) / np.log(10), -4, 4)[order]
    ticks = [(float(place), charts.power(place)) for place in range(-3, 4)]
    return charts.chart(
        [
            Series("as it should be", [-3, 3], [-3, 3], "faint", dashed=True),
            Series("the best ratio that keeps the order (PAV)", *_steps(ratios[order], best), "one"),
        ],
        x=(-3, 3),
        y=(-3, 3),
        x_ticks=ticks,
        y_ticks=ticks,
        x_name="likelihood ratio that is told",
        y_name="best likelihood ratio",
        alt="PAV plot: the best ratio for each ratio that is told",
    )


def _steps(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the steps of a function that is constant nearly everywhere."""
    change = np.nonzero(np.diff(y))[0]
    ends = np.unique(np.concatenate([[0], change, change + 1, [len(y) - 1]]))
    return x[ends], y[ends]


def _amounts(found: Validation) -> str:
    amounts = sorted({pairs.lines for pairs in found.pairs if pairs.lines})
    places = {lines: float(place) for place, lines in enumerate([*amounts, None])}
    series = []
    for way, style in zip(WAYS, ("two", "faint", "one"), strict=True):
        some = [pairs for lines in places if (pairs := found.of(way, lines))]
        if some:
            x = [places[pairs.lines] for pairs in some]
            series.append(Series(f"Cllr, {way}", x, [pairs.quality.cllr for pairs in some], style))
            series.append(
                Series(f"Cllr_min, {way}", x, [pairs.quality.cllr_min for pairs in some], style, dashed=True)
            )
    top = max(0.1, *(max(one.y) for one in series)) * 1.05
    return charts.chart(
        series,
        x=(-0.2, len(amounts) + 0.2),
        y=(0, top),
        x_ticks=[(place, "all" if lines is None else str(lines)) for lines, place in places.items()],
        y_ticks=[(float(tick), f"{tick:.2f}") for tick in np.linspace(0, top, 5)],
        x_name="lines a side",
        y_name="Cllr",
        alt="Cllr by the number of lines a side",
    )
