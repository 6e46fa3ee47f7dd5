"""Writes an evaluation as one web page that holds its pictures, and the pictures as PNG files too. Needs matplotlib."""

import base64
import collections
import html
import io
import itertools
import pathlib
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iam_writer.common.files import write_beside
from iam_writer.recognition import calibration as calibrations
from iam_writer.recognition import scoring
from iam_writer.recognition.evaluation import Evaluation, summary

BARS = 60
"""Writers with a bar of their own."""

TOGETHER = (1, 2, 3, 4, 6)
"""How many lines of a form are taken together, to show what more writing does."""

CONFUSED = 8
"""Writers in the confusion matrix."""

WRONGEST = 12
"""Lines that are shown."""

INK, GOOD, FAINT = "#1f2933", "#2a7f62", "#9aa5b1"

WIDTH = 5
"""Inches, of each figure. It is narrow, so that its letters can still be read on a telephone."""

LINE_LENGTH = 12
"""Line heights that a picture of lines is wide; what is longer is shown smaller."""


def write(evaluation: Evaluation, folder: pathlib.Path) -> pathlib.Path:
    """Writes report.html and its pictures; returns the page's path.

    Raises:
      OSError: something cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    page = _Page(folder)
    page.add(_head(evaluation))
    page.add(_accuracies(evaluation))
    page.picture(
        "calibration",
        _calibration(evaluation),
        "How probable the answers are said to be, and how often they are right. Good answers lie on the line.",
    )
    page.picture("amount", _by_amount(evaluation), _amount_caption(evaluation))
    page.picture("writers", _bars(evaluation), _bars_caption(evaluation))
    confused = _most_confused(evaluation)
    if confused:
        page.picture(
            "confusion",
            _confusion(evaluation, confused),
            "The writers that are confused most often. A number is a number of lines.",
        )
        page.picture("hands", _hands(evaluation, confused), "Two lines by each of these writers.")
    wrong = _wrongest(evaluation)
    if wrong:
        page.picture(
            "wrongest", _lines(evaluation, wrong), "The wrong answers that were said to be most probable."
        )
    path = folder / "report.html"
    write_beside(path, page.text(f"Who wrote this? {evaluation.name}"))
    return path


class _Page:
    def __init__(self, folder: pathlib.Path):
        self._folder = folder
        self._parts: list[str] = []

    def add(self, part: str) -> None:
        self._parts.append(part)

    def picture(self, name: str, figure: Figure, caption: str) -> None:
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=160, bbox_inches="tight", facecolor="white")
        write_beside(self._folder / f"{name}.png", file.getvalue())
        data = base64.b64encode(file.getvalue()).decode()
        caption = html.escape(caption)
        self._parts.append(
            f'<figure><img alt="{caption}" src="data:image/png;base64,{data}"><figcaption>{caption}</figcaption></figure>'
        )

    def text(self, title: str) -> str:
        body = "\n".join(self._parts)
        return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: {INK}; max-width: 36rem; margin: 0 auto; padding: 1rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: .3rem .5rem; text-align: right; vertical-align: top; border-bottom: 1px solid #ddd; }}
td small {{ display: block; white-space: nowrap; color: #52606d; }}
th:first-child, td:first-child {{ text-align: left; padding-left: 0; }}
h1, p {{ overflow-wrap: anywhere; }}
@media (max-width: 30rem) {{ th, td {{ padding: .3rem .2rem; font-size: .85rem; }} }}
figure {{ margin: 2rem 0; }}
img {{ width: min(100%, 34rem); height: auto; }}
figcaption {{ color: #52606d; }}
</style>
{body}
</html>
"""


def _head(evaluation: Evaluation) -> str:
    return f"<h1>Who wrote this?</h1>\n<p>{html.escape(evaluation.about)}</p>"


def _accuracies(evaluation: Evaluation) -> str:
    levels = (("patch", "patches"), ("line", "lines"), ("form", "forms"))
    rows = []
    for (name, result), (level, plural) in itertools.product(evaluation.results.items(), levels):
        part = name.removeprefix(evaluation.name).lstrip(".")
        if plural not in result:  # The hand descriptor has no patches.
            continue
        count = result[plural]
        cells = [f"{count:,}"]
        for kind in ("top1", "top5"):
            low, high = (result.get(f"{level}_{kind}_{end}") for end in ("low", "high"))
            interval = "" if low is None else f" <small>({100 * low:.0f}–{high:.0%})</small>"
            cells.append(f"{result[f'{level}_{kind}']:.1%}{interval}")
        cells.append(f"{result[f'{level}_macro_top1']:.1%}")
        rows.append(
            f"<tr><td>{f'{part} {plural}'.lstrip()}</td>"
            + "".join(f"<td>{cell}</td>" for cell in cells)
            + "</tr>"
        )
    found = summary(evaluation)
    return (
        '<div class="wide"><table><tr><th></th><th>number</th><th>top-1</th><th>top-5</th><th>mean over writers</th></tr>\n'
        + "\n".join(rows)
        + "</table></div>\n<p>The 95% intervals stand in brackets. Those of lines come from drawing whole forms at random, "
        "those of forms are Wilson's. The expected calibration error is "
        f"{found['line_calibration_error']:.1%} for lines and {found['form_calibration_error']:.1%} for forms. The checkpoint "
        f"accepts {found['form_accepted']:.1%} of these forms as written by a known writer. The aim is "
        f"{1 - calibrations.FALSE_REJECTION:.0%}.</p>"
    )


def _figure(height: float, **kwargs: Any) -> tuple[Figure, Any]:
    """A figure, and its axes: one Axes, or an array of them if `kwargs` asks `Figure.subplots` for several."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots(**kwargs)
    for one in np.ravel(axes):
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _calibration(evaluation: Evaluation) -> Figure:
    figure, axes = _figure(2.9, ncols=2, sharey=True)
    pieces = calibrations.pieces_of_forms(evaluation.strips.groups, (1,))
    for one, level, piece in zip(axes, ("lines", "forms"), pieces, strict=True):
        probabilities, labels, _ = evaluation.judged(piece)
        first, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
        one.plot([0, 1], [0, 1], color=FAINT, linewidth=1, zorder=0)
        for share, sure, hits in calibrations.reliability(first, right):
            low, high = scoring.wilson(round(hits * share * len(first)), round(share * len(first)))
            one.plot([sure, sure], [low, high], color=FAINT, zorder=1)
            one.scatter(sure, hits, s=15 + 120 * share, color=GOOD, zorder=3, clip_on=False)
        error = calibrations.calibration_error(first, right)
        one.set_title(f"{len(piece)} {level}, error {error:.1%}", fontsize=10)
        one.set_xlabel("stated probability")
        one.set(xlim=(0, 1.05), ylim=(0, 1.05), xticks=(0, 0.5, 1))
    axes[0].set_ylabel("share of right answers")
    return figure


def _by_amount(evaluation: Evaluation) -> Figure:
    figure, (left, right) = _figure(2.7, ncols=2, sharey=True)
    lines = [np.array([i]) for i in range(len(evaluation.strips))]
    probabilities, labels, _ = evaluation.judged(lines)
    hit = probabilities.argmax(axis=1) == labels
    widths = evaluation.strips.widths
    edges = np.unique(np.quantile(widths, np.linspace(0, 1, 7)))
    for low, high in itertools.pairwise(edges):
        last = high == edges[-1]
        of_bin = (widths >= low) & ((widths <= high) if last else (widths < high))
        if of_bin.any():
            _point(left, float(np.median(widths[of_bin])), hit[of_bin])
    left.set_xlabel("windows on a line")
    left.set_ylabel("accuracy")
    together = _together(evaluation)
    for size, hit in together:
        _point(right, size, hit)
    right.set_xticks([size for size, _ in together])
    right.set_xlim(0.5, together[-1][0] + 0.5)
    right.set_xlabel("lines taken together")
    left.set_ylim(0, 1.03)
    return figure


def _together(evaluation: Evaluation) -> list[tuple[int, np.ndarray]]:
    """For each number in TOGETHER, if a form has that many lines: which pieces get the right answer, bool `[pieces]`."""
    *cut, _ = calibrations.pieces_of_forms(evaluation.strips.groups, TOGETHER)
    found = []
    for size, pieces in zip(TOGETHER, cut, strict=True):
        if pieces:
            probabilities, labels, _ = evaluation.judged(pieces)
            found.append((size, probabilities.argmax(axis=1) == labels))
    return found


def _amount_caption(evaluation: Evaluation) -> str:
    (_, single), *several = _together(evaluation)
    caption = f"Accuracy by the amount of writing. Single lines: {single.mean():.1%} are right."
    if several:
        size, hit = several[-1]
        caption += f" {size} lines of a form taken together: {hit.mean():.1%} are right."
    return caption


def _point(axes: Axes, x: float, hit: np.ndarray) -> None:
    low, high = scoring.wilson(int(hit.sum()), len(hit))
    axes.plot([x, x], [low, high], color=FAINT)
    axes.scatter(x, hit.mean(), color=GOOD, s=25, zorder=3, clip_on=False)


def _of_lines(evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    """For each line, the writer named first and the calibrated probability of that."""
    probabilities, _, _ = evaluation.judged([np.array([i]) for i in range(len(evaluation.strips))])
    return probabilities.argmax(axis=1), probabilities.max(axis=1)


def _bars_caption(evaluation: Evaluation) -> str:
    count = len(np.unique(evaluation.strips.labels))
    if count > BARS:
        which = f"The {BARS} writers with the lowest accuracy are shown, of {count}."
    else:
        which = "All writers are shown."
    return f"Accuracy on the lines of each writer. {which}"


def _bars(evaluation: Evaluation) -> Figure:
    first, _ = _of_lines(evaluation)
    labels = evaluation.strips.labels
    rows = sorted(
        ((first[labels == w] == w).mean(), -(labels == w).sum(), evaluation.writers[w])
        for w in np.unique(labels)
    )[:BARS][::-1]
    figure, axes = _figure(0.8 + 0.2 * len(rows))
    shares = [share for share, _, _ in rows]
    axes.barh(range(len(rows)), shares, color=GOOD, height=0.7)
    for i, (share, count, _) in enumerate(rows):
        axes.text(share + 0.01, i, f"{-count}", va="center", fontsize=8, color="#52606d")
    axes.set_yticks(range(len(rows)), [name for _, _, name in rows], fontsize=8)
    axes.set(
        xlim=(0, 1.1),
        ylim=(-0.7, len(rows) - 0.3),
        xlabel="accuracy on lines; beside each bar, the number of lines",
    )
    return figure


def _most_confused(evaluation: Evaluation) -> list[int]:
    """The writers of the pairs that are confused most often."""
    first, _ = _of_lines(evaluation)
    pairs = collections.Counter(
        tuple(sorted((int(truth), int(said))))
        for truth, said in zip(evaluation.strips.labels, first, strict=True)
        if truth != said
    )
    chosen: list[int] = []
    for pair, _ in sorted(pairs.items(), key=lambda item: (-item[1], item[0])):
        if len(chosen) >= CONFUSED - 1:
            break
        chosen += [writer for writer in pair if writer not in chosen]
    return chosen


def _confusion(evaluation: Evaluation, chosen: list[int]) -> Figure:
    first, _ = _of_lines(evaluation)
    labels = evaluation.strips.labels
    counts = np.array([[((labels == t) & (first == s)).sum() for s in chosen] for t in chosen])
    others = [((labels == t) & ~np.isin(first, chosen)).sum() for t in chosen]
    counts = np.column_stack([counts, others])
    figure, axes = _figure(4.4)
    shares = counts / np.maximum(1, [[(labels == t).sum()] for t in chosen])
    axes.imshow(shares, cmap="Greens", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[row, column] > 0.6 else INK
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=9)
    names = [evaluation.writers[w] for w in chosen]
    axes.set_xticks(range(len(names) + 1), [*names, "another"], rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="named", ylabel="written by")
    axes.spines[:].set_visible(False)
    return figure


def _draw(axes: Axes, evaluation: Evaluation, line: int) -> None:
    first, end = evaluation.strips.first_column[[line, line + 1]]
    picture = evaluation.strips.columns()[first:end].numpy().T
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255)
    axes.set_xlim(0, max(LINE_LENGTH * picture.shape[0], picture.shape[1]))
    axes.set_anchor("W")


def _hands(evaluation: Evaluation, chosen: list[int]) -> Figure:
    rows = 2
    figure, axes = _figure(0.55 * rows * len(chosen), nrows=rows * len(chosen), squeeze=False)
    labels = evaluation.strips.labels
    for number, writer in enumerate(chosen):
        lines = np.nonzero(labels == writer)[0]
        widest = lines[np.argsort(-np.diff(evaluation.strips.first_column)[lines])]
        for row in range(rows):
            one = axes[number * rows + row, 0]
            one.axis("off")
            if row < len(widest):
                _draw(one, evaluation, widest[row])
            if row == 0:
                one.set_title(evaluation.writers[writer], loc="left", fontsize=9, color="#52606d")
    return figure


def _wrongest(evaluation: Evaluation) -> list[int]:
    first, sure = _of_lines(evaluation)
    wrong = np.nonzero(first != evaluation.strips.labels)[0]
    return wrong[np.argsort(-sure[wrong], kind="stable")][:WRONGEST].tolist()


def _lines(evaluation: Evaluation, lines: list[int]) -> Figure:
    first, sure = _of_lines(evaluation)
    figure, axes = _figure(0.72 * len(lines), nrows=len(lines), squeeze=False)
    for one, line in zip(axes[:, 0], lines, strict=True):
        _draw(one, evaluation, line)
        one.axis("off")
        one.set_title(
            f"{evaluation.strips.ids[line]}: written by {evaluation.writers[evaluation.strips.labels[line]]}; named: "
            f"{evaluation.writers[first[line]]} ({sure[line]:.0%})",
            loc="left",
            fontsize=9,
            color="#52606d",
        )
    return figure
