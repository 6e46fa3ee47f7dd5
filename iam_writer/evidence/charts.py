"""Charts as SVG text, for pages that need no network and no other library. No TensorFlow."""

import dataclasses
import html
from collections.abc import Sequence
from typing import Final

import numpy as np

WIDTH: Final = 560
"""Units of a chart; the page scales it."""

LEFT, RIGHT, TOP, BOTTOM = 64, 30, 12, 46
"""Room around the axes."""


@dataclasses.dataclass(frozen=True)
class Series:
    """A line, or points.

    Attributes:
      name: what the legend says.
      x: float `[n]`.
      y: float `[n]`.
      style: 'one', 'two' or 'faint', a colour of the page.
      points: whether points are drawn, and no line.
      dashed: whether the line is dashed.
    """

    name: str
    x: Sequence[float] | np.ndarray
    y: Sequence[float] | np.ndarray
    style: str
    points: bool = False
    dashed: bool = False


def chart(
    series: Sequence[Series],
    *,
    x: tuple[float, float],
    y: tuple[float, float],
    x_ticks: Sequence[tuple[float, str]],
    y_ticks: Sequence[tuple[float, str]],
    x_name: str,
    y_name: str,
    alt: str,
    marks: Sequence[tuple[float, str]] = (),
    height: int = 300,
) -> str:
    """A chart.

    Args:
      series: what is drawn. Values outside of the ranges are drawn at the edge.
      x: from where to where the axis goes.
      y: likewise.
      x_ticks: places, and what is written there.
      y_ticks: likewise.
      x_name: of the axis.
      y_name: of the axis.
      alt: what a person hears who does not see the chart.
      marks: vertical lines, each with a name.
      height: in the units of WIDTH.

    Returns:
      An svg element.
    """
    inner = WIDTH - LEFT - RIGHT, height - TOP - BOTTOM

    def across(value: float | np.ndarray) -> np.ndarray:
        return LEFT + inner[0] * np.clip((np.asarray(value, float) - x[0]) / (x[1] - x[0]), 0, 1)

    def down(value: float | np.ndarray) -> np.ndarray:
        return TOP + inner[1] * (1 - np.clip((np.asarray(value, float) - y[0]) / (y[1] - y[0]), 0, 1))

    parts = [f'<rect class="frame" x="{LEFT}" y="{TOP}" width="{inner[0]}" height="{inner[1]}"/>']
    for place, text in x_ticks:
        at = float(across(place))
        parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{TOP + inner[1]}"/>')
        parts.append(
            f'<text x="{at:.1f}" y="{TOP + inner[1] + 16}" text-anchor="middle">{html.escape(text)}</text>'
        )
    for place, text in y_ticks:
        at = float(down(place))
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{LEFT + inner[0]}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{html.escape(text)}</text>')
    middle = LEFT + inner[0] / 2, TOP + inner[1] / 2
    parts.append(f'<text x="{middle[0]}" y="{height - 8}" text-anchor="middle">{html.escape(x_name)}</text>')
    parts.append(
        f'<text transform="translate(14 {middle[1]}) rotate(-90)" text-anchor="middle">{html.escape(y_name)}</text>'
    )
    for one in series:
        points = np.stack([across(np.asarray(one.x)), down(np.asarray(one.y))], axis=1)
        if one.points:
            parts += [
                f'<circle class="{one.style}" cx="{px:.1f}" cy="{py:.1f}" r="3.5"/>' for px, py in points
            ]
        else:
            path = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
            dash = ' stroke-dasharray="5 4"' if one.dashed else ""
            parts.append(f'<polyline class="{one.style}" points="{path}"{dash}/>')
    for place, text in marks:
        at = float(across(place))
        anchor = "end" if at > middle[0] else "start"
        beside = at - 5 if anchor == "end" else at + 5
        parts.append(f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{TOP + inner[1]}"/>')
        parts.append(
            f'<text class="mark" x="{beside:.1f}" y="{TOP + 14}" text-anchor="{anchor}">{html.escape(text)}</text>'
        )
    legend = "".join(
        f'<span class="key {one.style}{" dashed" if one.dashed else ""}">{html.escape(one.name)}</span>'
        for one in series
        if one.name
    )
    drawn = f'<svg role="img" aria-label="{html.escape(alt)}" viewBox="0 0 {WIDTH} {height}">{"".join(parts)}</svg>'
    return f'{drawn}<p class="legend">{legend}</p>' if legend else drawn


def tippett(two: np.ndarray, one: np.ndarray, bound: float, mark: tuple[float, str] | None = None) -> str:
    """A Tippett plot: for each ratio, the share of pairs that has a larger one.

    Args:
      two: float `[n]`, log10 of the ratios of pairs by two hands.
      one: float `[m]`, of pairs by one hand.
      bound: the largest log10 that is said.
      mark: a log10 to mark, and its name.
    """
    end = float(np.ceil(max(bound, 2)))
    grid = np.linspace(-end, end, 241)
    series = [
        Series(name, grid, [(np.clip(some, -bound, bound) > place).mean() for place in grid], style)
        for name, some, style in (("pairs by one hand", one, "one"), ("pairs by two hands", two, "two"))
    ]
    ticks = [(float(place), power(place)) for place in range(int(-end), int(end) + 1)]
    return chart(
        series,
        x=(-end, end),
        y=(0, 1),
        x_ticks=ticks,
        y_ticks=[(share, f"{share:.0%}") for share in (0, 0.25, 0.5, 0.75, 1)],
        x_name="likelihood ratio",
        y_name="share of pairs with a larger ratio",
        alt="Tippett plot: shares of pairs by one hand and by two hands that have a larger likelihood ratio",
        marks=[mark] if mark else [],
    )


def power(exponent: float) -> str:
    """Such as '1/100', '1' and '1000', for a power of ten."""
    number = f"{10 ** abs(int(exponent)):,}"
    return number if exponent >= 0 else f"1/{number}"
