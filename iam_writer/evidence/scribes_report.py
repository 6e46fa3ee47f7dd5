"""What scribes writes: a table of the hands, and a web page with a tree, a map of the pages and the nearest neighbours."""

import base64
import csv
import html
import io
import json
from collections.abc import Sequence
from typing import Final, TypedDict

from iam_writer.evidence import clustering, page
from iam_writer.evidence.record import FileRecord, Record
from iam_writer.evidence.scribes import Scribes
from iam_writer.recognition.described import DescribedPage

COLUMNS: Final = (
    "file", "first_line", "last_line", "hand", "certainty", "little_writing", "hand_changes", "nearest", "nearest_log10_odds",
)  # fmt: skip


class ScribesRecord(Record):
    """Where a result of `scribes` comes from."""

    false_merges: float
    false_changes: float
    files: list[FileRecord]


class NearJson(TypedDict):
    """A neighbour of a region."""

    file: str
    log10_odds: float


class RegionJson(TypedDict):
    """A region in a JSON file."""

    file: str
    first_line: int  # From 1.
    last_line: int
    hand: str
    certainty: float
    little_writing: bool
    text: list[str]  # Of each line; empty where no file beside the picture gives it.
    nearest: list[NearJson]


class ScribesJson(ScribesRecord):
    """What `scribes` found, in a JSON file."""

    hands: int
    interval: list[int]
    border_log10_odds: float
    regions: list[RegionJson]
    left_out: list[str]


def hand(number: int) -> str:
    """0 → 'hand 1'."""
    return f"hand {number + 1}"


def as_csv(found: Scribes, pages: Sequence[DescribedPage]) -> str:
    """A row for each region, see COLUMNS. Lines are counted from 1. `hand_changes` is 1 where the region before has another hand."""
    file = io.StringIO()
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(COLUMNS)
    for number, region in enumerate(found.regions):
        nearest = found.nearest(number)[:1]
        rows.writerow(
            [
                pages[region.page].path,
                region.lines.start + 1,
                region.lines.stop,
                hand(region.hand),
                f"{region.certainty:.2f}",
                int(region.little),
                int(number > 0 and found.regions[number - 1].hand != region.hand),
                _name(found, pages, nearest[0][0]) if nearest else "",
                f"{nearest[0][1]:.2f}" if nearest else "",
            ]
        )
    return file.getvalue()


def as_json(
    found: Scribes, pages: Sequence[DescribedPage], left_out: Sequence[str], about: ScribesRecord
) -> ScribesJson:
    """Numbers have their full precision."""
    return {
        "hands": found.hands,
        "interval": list(found.interval),
        "border_log10_odds": found.border,
        "regions": [
            {
                "file": pages[region.page].path,
                "first_line": region.lines.start + 1,
                "last_line": region.lines.stop,
                "hand": hand(region.hand),
                "certainty": region.certainty,
                "little_writing": region.little,
                "text": [
                    line.text
                    for line in pages[region.page].on_picture[region.lines.start : region.lines.stop]
                ],
                "nearest": [
                    {"file": _name(found, pages, other), "log10_odds": odds}
                    for other, odds in found.nearest(number)
                ],
            }
            for number, region in enumerate(found.regions)
        ],
        "left_out": list(left_out),
        **about,
    }


def as_text(found: Scribes, pages: Sequence[DescribedPage]) -> str:
    """For a terminal."""
    low, high = found.interval
    more = f" ({low} to {high} when lines are drawn anew)"
    rows = [f"{len(pages)} pages, {found.hands} hand{'s' * (found.hands != 1)}{more}."]
    for number in range(found.hands):
        of = [place for place, region in enumerate(found.regions) if region.hand == number]
        names = ", ".join(_name(found, pages, place) for place in of[:4])
        rows.append(f"  {hand(number)}: {len(of)} × {names}{' …' if len(of) > 4 else ''}")
    if said := _alone(found):
        rows.append(f"  {said}")
    for place, region in enumerate(found.regions):
        if region.lines.start:
            rows.append(
                f"  The hand changes on {pages[region.page].path}, at line {region.lines.start + 1}: {hand(found.regions[place - 1].hand)}, "
                f"then {hand(region.hand)}."
            )
    return "\n".join(rows)


def _alone(found: Scribes) -> str:
    """A sentence about hands with one page; empty if there are none, or if that is no news."""
    sizes = [[region.hand for region in found.regions].count(number) for number in range(found.hands)]
    alone = sizes.count(1)
    if not alone or found.hands < 2:
        return ""
    one = alone == 1
    return (
        f"{alone} hand{'' if one else 's'} {'has' if one else 'have'} one page, or part of a page, only. Such a page may also be by "
        "one of the other hands and look different: look at its nearest pages."
    )


def _name(found: Scribes, pages: Sequence[DescribedPage], number: int) -> str:
    region = found.regions[number]
    path = pages[region.page].path
    if len(region.lines) == pages[region.page].lines:
        return path
    return f"{path}, lines {region.lines.start + 1}-{region.lines.stop}"


def as_page(
    found: Scribes,
    pages: Sequence[DescribedPage],
    about: ScribesRecord,
    left_out: Sequence[str],
    false_merges: float,
) -> str:
    """The web page, in one file. A slider moves the border from which pages are joined."""
    names = [_name(found, pages, number) for number in range(len(found.regions))]
    data = {
        "names": names,
        "page": [region.page for region in found.regions],
        "little": [region.little for region in found.regions],
        "certainty": [round(region.certainty, 2) for region in found.regions],
        "steps": [[int(one), int(other), round(float(odds), 4)] for one, other, odds, _ in found.steps],
        "leaves": clustering.leaves(found.steps),
        "near": [
            [[other, round(odds, 2)] for other, odds in found.nearest(number)] for number in range(len(names))
        ],
        "border": found.border,
        "pictures": [
            "data:image/jpeg;base64," + base64.b64encode(one.thumbnail).decode() if one.thumbnail else ""
            for one in pages
        ],
    }
    low, high = found.interval
    parts = [
        f'<p class="answer">{len(pages)} pages, <b id="hands">{found.hands}</b> hands. When lines are drawn anew: {low} to {high}.</p>',
        *([page.paragraph(alone)] if (alone := _alone(found)) else []),
        page.paragraph(
            "Pages are joined from the most alike to the least alike. The border decides where joining stops. Move it to see other "
            f"groupings. The border of the program lets a page wrongly be like {false_merges:g} other hands on average, at most, if "
            "the odds are calibrated."
        ),
        '<p class="screen"><label for="border">Border: joined from odds of 10<sup id="value"></sup></label>'
        '<input id="border" type="range" step="0.01"><button id="back" type="button">The border of the program</button></p>',
        '<h2>Pages in order</h2><p class="soft">A colour is a hand. Choose a page to see its nearest neighbours.</p>',
        '<div id="map"></div><div id="near" aria-live="polite"></div>',
        '<h2>Tree</h2><div class="wide"><svg id="tree" role="img" aria-label="Tree of the pages by likeness"></svg></div>',
        "<h2>Limits</h2>",
        page.listing(
            [
                "The odds were learnt from invented writers. How often the grouping is right on real pages: docs/evidence.md.",
                "One person can write several hands, and a hand differs from day to day. A group is a hand, not a person.",
                "A change of hand is looked for between lines, with two lines or more on either side.",
                "Certainty says how stable a grouping is when lines are drawn anew. It does not say how often it is right.",
            ]
        ),
    ]
    if left_out:
        parts += ["<h2>Files that were left out</h2>", page.listing(left_out)]
    parts += ["<h2>Where this comes from</h2>", f"<p><code>{html.escape(json.dumps(about))}</code></p>"]
    script = json.dumps(data).replace("</", "<\\/")
    parts.append(f"<script>const data = {script};\n{SCRIPT}</script>")
    return page.page("How many hands?", parts, STYLE)


STYLE: Final = """
#border { width: min(100%, 30rem); vertical-align: middle; display: block; margin: .3rem 0; }
#map { display: flex; flex-wrap: wrap; gap: .4rem; }
#map button { width: 6.2rem; padding: .2rem; border: 0; border-top: .5rem solid; background: none; font: inherit; font-size: .7rem; color: var(--ink); cursor: pointer; text-align: left; overflow-wrap: anywhere; }
#map button[aria-pressed=true] { outline: 3px solid var(--ink); }
#map img { width: 100%; height: 5.2rem; object-fit: cover; object-position: top; border: 1px solid var(--rule); display: block; }
#map i { display: block; font-style: normal; font-weight: 600; }
#near { margin: 1rem 0; min-height: 2rem; }
#tree { max-width: none; } #tree text { font: 11px system-ui, sans-serif; fill: var(--ink); } #tree path { fill: none; stroke-width: 1.6; }
#tree .border { stroke: var(--ink); stroke-dasharray: 5 4; stroke-width: 1.2; }
"""

SCRIPT: Final = """
const n = data.names.length, get = id => document.getElementById(id);
const heights = data.steps.map(step => step[2]);
const lowest = Math.min(0, ...heights), highest = Math.max(0, ...heights);
const colour = hand => `hsl(${(hand * 137.508) % 360} 62% ${38 + 12 * (hand % 3)}%)`;
function cut(border) {
  const group = Array.from({length: n + data.steps.length}, (_, i) => i);
  data.steps.forEach(([one, other, height], step) => { if (height >= border) group[one] = group[other] = n + step; });
  for (let i = group.length - 1; i >= 0; i--) group[i] = group[group[i]];
  const seen = new Map();
  return group.slice(0, n).map(one => { if (!seen.has(one)) seen.set(one, seen.size); return seen.get(one); });
}
const short = name => name.split(/[\\\\/]/).slice(-2).join("/");
const map = get("map"), buttons = data.names.map((name, i) => {
  const button = document.createElement("button"), label = document.createElement("i"), text = document.createElement("span");
  button.type = "button"; button.title = name; text.textContent = short(name);
  if (data.pictures[data.page[i]]) { const picture = new Image(); picture.src = data.pictures[data.page[i]]; picture.alt = ""; button.append(picture); }
  button.append(label, text); button.setAttribute("aria-pressed", "false");
  button.onclick = () => choose(i); map.append(button); return button;
});
let hands = [], chosen = -1;
function choose(i) {
  chosen = i; buttons.forEach((button, j) => button.setAttribute("aria-pressed", String(i === j)));
  const near = get("near"); near.replaceChildren();
  const title = document.createElement("p"), list = document.createElement("ol");
  title.textContent = `${data.names[i]}: hand ${hands[i] + 1}, certainty ${Math.round(100 * data.certainty[i])} %` + (data.little[i] ? ", little writing" : "") + ". Nearest:";
  for (const [other, odds] of data.near[i]) {
    const item = document.createElement("li");
    item.textContent = `${data.names[other]} (hand ${hands[other] + 1}): odds 10^${odds.toFixed(1)}`; list.append(item);
  }
  near.append(title, list);
}
const svg = get("tree"), NS = "http://www.w3.org/2000/svg", ROW = 18, TREE = innerWidth < 640 ? 170 : 520, NAME = innerWidth < 640 ? 190 : 400;
const make = (name, attributes) => { const e = document.createElementNS(NS, name); for (const k in attributes) e.setAttribute(k, attributes[k]); svg.append(e); return e; };
svg.setAttribute("viewBox", `0 0 ${TREE + NAME} ${ROW * n + 24}`); svg.style.width = `${TREE + NAME}px`; svg.style.height = `${ROW * n + 24}px`;
const across = height => 10 + (TREE - 20) * (height - lowest) / Math.max(1e-9, highest - lowest);
const y = new Array(n + data.steps.length), x = new Array(n + data.steps.length).fill(TREE), paths = [], labels = [];
data.leaves.forEach((leaf, row) => { y[leaf] = 20 + ROW * row; const text = make("text", {x: TREE + 8, y: y[leaf] + 4}); text.textContent = short(data.names[leaf]); labels[leaf] = text; });
data.steps.forEach(([one, other, height], step) => {
  const at = across(height), me = n + step;
  paths.push([make("path", {d: `M${x[one]} ${y[one]}H${at}V${y[other]}H${x[other]}`}), one, height]);
  y[me] = (y[one] + y[other]) / 2; x[me] = at;
});
const line = make("line", {class: "border", y1: 4, y2: ROW * n + 20});
function first(group) { while (group >= n) group = data.steps[group - n][0]; return group; }
function show(border) {
  hands = cut(border);
  get("hands").textContent = new Set(hands).size; get("value").textContent = border.toFixed(2);
  buttons.forEach((button, i) => { button.style.borderTopColor = colour(hands[i]); button.querySelector("i").textContent = `hand ${hands[i] + 1}`; });
  labels.forEach((label, i) => label.style.fill = colour(hands[i]));
  for (const [path, one, height] of paths) path.style.stroke = height >= border ? colour(hands[first(one)]) : "#9aa5b1";
  line.setAttribute("x1", across(border)); line.setAttribute("x2", across(border));
  if (chosen >= 0) choose(chosen);
}
const slider = get("border"); slider.min = (lowest - .1).toFixed(2); slider.max = (Math.max(highest, data.border) + .1).toFixed(2); slider.value = data.border;
slider.oninput = () => show(Number(slider.value)); get("back").onclick = () => { slider.value = data.border; show(data.border); };
show(data.border);
"""
