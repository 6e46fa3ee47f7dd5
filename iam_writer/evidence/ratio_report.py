"""The web page of a likelihood ratio. No TensorFlow."""

import base64
import html
import io
import json
import math
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from PIL import Image

from iam_writer.evidence import charts, page, record, scale, shapes
from iam_writer.evidence.changes import halves
from iam_writer.evidence.ratio import Ratio, named, speaks
from iam_writer.handwriting import pages as scans
from iam_writer.recognition.described import DescribedPage
from iam_writer.recognition.hands import Sample

SIDE: Final = 900
"""Pixels of the longer side of a picture."""

MOST_PAGES: Final = 3
"""So many pages of a side are searched for letters of the same shape."""

LIMITATIONS: Final = (
    "The likelihood ratio is not the probability that one person wrote the pages. That also depends on everything else that is "
    "known.",
    "Imitated and disguised writing were not tried.",
    "Pages that one person wrote weeks apart, or with another tool, are harder than pages that were written together.",
    "A validation on specimens of the same kind says how good such ratios are: iam-writer validate.",
)


def as_page(found: Ratio) -> str:
    """The page, in one file. Reads the image files again, for their pictures.

    Raises:
      BadImageError: a file can no longer be read.
    """
    one, two = found.hypotheses
    kind = " two" if found.log10 is not None and found.log10 <= 0 else ""
    parts = [f'<p class="answer{kind}">{html.escape(_answer(found))}</p>']
    if not found.same_page:
        parts.append(page.listing([f"H1: {one}", f"H2: {two}"]))
    if found.warnings:
        parts += ["<h2>Warnings</h2>", page.listing(found.warnings)]
    if found.log10 is None:
        parts += ["<h2>Why there is no likelihood ratio</h2>", page.listing(found.reasons)]
    else:
        parts += ["<h2>The ratio on a scale</h2>", _scale(found), page.paragraph(f"Words: {scale.SOURCE}.")]
        parts += ["<h2>Population</h2>", page.paragraph(found.population.about), _tippett(found)]
        parts.append(
            page.paragraph(
                f"In the population, with as much writing, {found.errors[0]:.1%} of the pairs by two writers speak for one hand, and "
                f"{found.errors[1]:.1%} of the pairs by one writer for two. Writing: {found.amounts[0]:.1f} lines questioned, "
                f"{found.amounts[1]:.1f} lines known."
            )
        )
    parts += ["<h2>The pages</h2>"]
    if found.log10 is not None:
        parts.append(
            page.paragraph(
                "Green lines look more like the other side than the page's other lines do; red lines look less like it. A line by itself "
                "says little."
            )
        )
    parts += ['<div class="sides">', _side("Questioned", found.questioned, found.known, found)]
    parts += [_side("Known", found.known, found.questioned, found), "</div>"]
    if not found.same_page:
        parts += _same_shapes(found)
    parts += ["<h2>Limits</h2>", page.listing(LIMITATIONS), "<h2>Files</h2>", _files(found)]
    about = {name: value for name, value in found.about.items() if name != "command"}
    command = " ".join(found.about["command"])
    parts += ["<h2>Where this comes from</h2>", f"<p><code>{html.escape(command)}</code></p>"]
    parts.append(f"<p><code>{html.escape(json.dumps(about))}</code></p>")
    return page.page(f"{named(found.questioned)} and {named(found.known)}", parts, STYLE)


STYLE: Final = """
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; } .sides figure { margin: 0 0 1rem; } .sides h3 { margin: 0 0 .5rem; font-size: 1rem; }
.shapes { display: flex; flex-wrap: wrap; gap: .8rem; } .shapes figure { margin: 0; display: flex; gap: .3rem; } .shapes img { height: 4.5rem; width: 5.5rem; object-fit: contain; background: #fff; }
@media (max-width: 40rem) { .sides { grid-template-columns: 1fr; } }
"""


def _answer(found: Ratio) -> str:
    if found.same_page:
        return (
            f"{found.same_page[0]} and {found.same_page[1]} show the same page. There is no likelihood ratio."
        )
    if found.log10 is None:
        return "There is no likelihood ratio."
    likelier, other = ("H1", "H2") if found.log10 > 0 else ("H2", "H1")
    least = "at least " if found.at_bound else ""
    return (
        f"{speaks(found.log10).capitalize()}: what they look like is {least}{scale.times(found.log10)} as likely under {likelier} as "
        f"under {other} (log10 LR {found.log10:+.2f}), {scale.supports(found.log10)}."
    )


def _scale(found: Ratio) -> str:
    assert found.log10 is not None
    ticks = [(float(place), charts.power(place)) for place in range(-4, 5, 2)]
    return charts.chart(
        [
            charts.Series(
                "what the population can support", [-found.bound, found.bound], [0.5, 0.5], "faint"
            ),
            charts.Series(
                "the likelihood ratio", [found.log10], [0.5], "one" if found.log10 > 0 else "two", points=True
            ),
        ],
        x=(-4, 4),
        y=(0, 1),
        x_ticks=ticks,
        y_ticks=[],
        x_name="← two hands · likelihood ratio · one hand →",
        y_name="",
        alt=f"The likelihood ratio on a scale: log10 LR {found.log10:+.2f}",
        marks=[(0.0, "1")],
        height=120,
    )


def _tippett(found: Ratio) -> str:
    comparer = found.population.comparer
    # The spread of the population's pairs with as much writing.
    place = float(
        np.interp(
            math.log(max(min(found.amounts), 1e-3)),
            np.log(comparer.amounts),
            np.arange(len(comparer.amounts)),
        )
    )
    two, one = comparer.spread[round(place)] / math.log(10)
    return charts.tippett(two, one, found.bound, (float(found.log10 or 0), "this pair"))


def _side(title: str, sample: Sample, other: Sample, found: Ratio) -> str:
    figures = [_figure(one, other, found) for one in sample.pages]
    return f"<section><h3>{title}</h3>{''.join(figures)}</section>"


def _figure(one: DescribedPage, other: Sample, found: Ratio) -> str:
    read = scans.read(one.path)
    picture = cv2.cvtColor(read.gray, cv2.COLOR_GRAY2RGB)
    if found.log10 is not None and len(one.of_lines) > 1:
        for box, lean in zip(one.boxes, leanings(one, other, found), strict=True):
            colour = np.array([11, 122, 91] if lean > 0 else [180, 67, 31])
            left, top, width, height = box
            part = picture[top : top + height, left : left + width]
            part[:] = (part * (1 - 0.35 * abs(lean)) + colour * 0.35 * abs(lean)).astype(np.uint8)
    shrunk, file = Image.fromarray(picture), io.BytesIO()
    shrunk.thumbnail((SIDE, SIDE))
    shrunk.save(file, "JPEG", quality=70)
    data = base64.b64encode(file.getvalue()).decode()
    caption = html.escape(f"{one.path}, {one.lines} lines")
    return f'<figure><img alt="{caption}" src="data:image/jpeg;base64,{data}"><figcaption>{caption}</figcaption></figure>'


def _same_shapes(found: Ratio) -> list[str]:
    """Letters of both sides that have nearly the same shape, side by side; nothing if there are none."""
    left, right = (
        [line.image for one in sample.pages[:MOST_PAGES] for line in scans.read(one.path).lines]
        for sample in (found.questioned, found.known)
    )
    pairs = shapes.matches(left, right)
    if not pairs:
        return []
    cells = "".join(
        f'<figure><img alt="questioned" src="{_png(one)}"><img alt="known" src="{_png(other)}"></figure>'
        for one, other in pairs
    )
    return [
        "<h2>Letters of nearly the same shape</h2>",
        page.paragraph(
            "On the left a letter, or a piece of writing, of the questioned pages, and on the right the most similar one of the known "
            "pages. They are chosen for their likeness, so they say nothing about how strongly the pages speak for one hand: such pairs "
            "are found between the pages of any two people. They show where to look."
        ),
        f'<div class="shapes">{cells}</div>',
    ]


def _png(image: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def leanings(one: DescribedPage, other: Sample, found: Ratio) -> np.ndarray:
    """How much each line of a page speaks for one hand, compared with the other lines: float64 `[lines]`, from -1 to 1.

    A line leans to one hand if the page is less like the other side without it.
    """
    lines = range(len(one.of_lines))
    without = np.stack([halves(np.delete(one.of_lines, line, axis=0)) for line in lines])
    cosines = found.population.comparer.cosines(without, other.counts[None])[:, 0]
    lean = cosines.mean() - cosines
    return np.asarray(lean / max(float(np.abs(lean).max()), 1e-9))


def _files(found: Ratio) -> str:
    rows: list[Sequence[object]] = []
    for side, sample in (("questioned", found.questioned), ("known", found.known)):
        for file in record.files(sample.pages):
            rows.append(
                (
                    side,
                    file["path"],
                    file["sha256"],
                    f"{file['width']} × {file['height']}",
                    f"{file['dpi']:.0f} dpi" if file["dpi"] else "not told",
                    file["lines"],
                )
            )
    return page.table(("side", "file", "SHA-256", "pixels", "resolution", "lines"), rows)
