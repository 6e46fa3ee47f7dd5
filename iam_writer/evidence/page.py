"""A web page in one file: no network, readable on a telephone, prints well. No TensorFlow."""

import html
from collections.abc import Iterable, Sequence
from typing import Final

STYLE: Final = """
:root { --ink: #1f2933; --soft: #52606d; --rule: #d9dee4; --paper: #fff; --one: #0b7a5b; --two: #b4431f; --faint: #9aa5b1; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin-top: 2rem; }
p, li, code, td.long { overflow-wrap: anywhere; } td.long { min-width: 9rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .3rem .5rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 600; }
code { font-size: .85em; }
svg { width: 100%; max-width: 44rem; height: auto; display: block; }
svg text { font: 12px system-ui, sans-serif; fill: var(--soft); }
.frame { fill: none; stroke: var(--rule); } .grid { stroke: var(--rule); stroke-width: .6; }
polyline { fill: none; stroke-width: 2; } polyline.one { stroke: var(--one); } polyline.two { stroke: var(--two); } polyline.faint { stroke: var(--faint); }
circle.one { fill: var(--one); } circle.two { fill: var(--two); } circle.faint { fill: var(--faint); }
line.mark { stroke: var(--ink); stroke-width: 1.5; } svg text.mark { fill: var(--ink); font-weight: 600; paint-order: stroke; stroke: var(--paper); stroke-width: 4px; }
.legend { color: var(--soft); margin: .2rem 0 1rem; } .key { margin-right: 1.2rem; white-space: nowrap; }
.key::before { content: ""; display: inline-block; width: 1.2rem; border-top: 3px solid; margin-right: .4rem; vertical-align: middle; }
.key.one::before { border-color: var(--one); } .key.two::before { border-color: var(--two); } .key.faint::before { border-color: var(--faint); } .key.dashed::before { border-top-style: dashed; }
figure { margin: 1rem 0; } figure img { max-width: 100%; height: auto; border: 1px solid var(--rule); } figcaption, .soft { color: var(--soft); }
.answer { font-size: 1.25rem; border-left: 4px solid var(--one); padding-left: .8rem; } .answer.two { border-color: var(--two); }
@media (max-width: 40rem) { th, td { padding: .25rem .3rem; font-size: .85rem; } svg text { font-size: 15px; } }
@media print { body { max-width: none; padding: 0; } h2 { break-after: avoid; } figure, svg, table { break-inside: avoid; } .screen { display: none; } }
"""


def page(title: str, parts: Iterable[str], style: str = "") -> str:
    """A whole page.

    Args:
      title: of the page, also its heading.
      parts: elements of the body.
      style: rules besides STYLE.
    """
    body = "\n".join(parts)
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>{STYLE}{style}</style>
<h1>{html.escape(title)}</h1>
{body}
</html>
"""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of texts."""
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    lines = "\n".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{top}</tr>\n{lines}</table></div>'


def _cell(content: object) -> str:
    text = str(content)
    # A hash, or a long path, may be broken anywhere; a number may not.
    kind = ' class="long"' if max(map(len, text.split()), default=0) > 16 else ""
    return f"<td{kind}>{html.escape(text)}</td>"


def paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def listing(texts: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(text)}</li>" for text in texts) + "</ul>"
