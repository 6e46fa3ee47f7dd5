"""Windows → line → form: who wrote it, and how often that is right.

A line is scanned from left to right as in DeepWriter (arXiv 1606.06472). Its windows that have ink vote, and their votes
are averaged by the answer rule of the network, see `rule`. The answer for a form is the average over all windows of its
lines.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from iam_writer.recognition.rule import Rule, softmax

if TYPE_CHECKING:
    from pipelines.strips import Strips

WIDTHS = (1.5, 3.0, 6.0)
"""Lines are grouped by their width, in multiples of their height: narrower than each of these, and wider."""

RESAMPLES = 2000

Accuracies = dict[str, Any]
"""Name → a count, a share, or None for the share of nothing. See `accuracies`."""


@dataclasses.dataclass(frozen=True)
class Scan:
    """What a model says of a split.

    Attributes:
      scores: float64 `[images, classes]`, sums of `rule.votes` over the windows that vote.
      votes: int64 `[images]`, how many windows vote: those with ink. If no window of an image has ink, all of them vote.
      blank: bool `[images]`, whether no window of the image has ink.
      windows: int64 `[images]`, how many windows there are.
      top1: int64 `[images]`, how many of them name the right writer first.
      top5: int64 `[images]`, how many of them name the right writer among the first five.
      rule: the answer rule.
    """

    scores: np.ndarray
    votes: np.ndarray
    blank: np.ndarray
    windows: np.ndarray
    top1: np.ndarray
    top5: np.ndarray
    rule: Rule

    def of(self, images: np.ndarray) -> "Scan":
        """What the model says of some of the images: bool `[images]`, or their numbers."""
        of_all = {name: value for name, value in vars(self).items() if name != "rule"}
        return dataclasses.replace(self, **{name: value[images] for name, value in of_all.items()})

    @property
    def probabilities(self) -> np.ndarray:
        """float64 `[images, classes]` before calibration; rows sum to one."""
        return self.rule.answers(self.scores / self.votes[:, None])


def scan(
    predict: Callable[[np.ndarray], np.ndarray],
    batches: Iterable[np.ndarray],
    images: np.ndarray,
    labels: np.ndarray,
    classes: int,
    rule: Rule,
) -> Scan:
    """Runs a model over the windows of a split. One batch at a time is in memory.

    Args:
      predict: uint8 windows `[batch, width, height]` → logits `[batch, classes]`.
      batches: of windows, as `pipelines.windows` makes them.
      images: int64 `[windows]`, the image of each window.
      labels: int32 `[images]`.
      classes: how many writers there are.
      rule: which windows vote, and what is summed. The stride is that of `batches`.
    """
    scores, of_blank = np.zeros([2, len(labels), classes])
    votes, count, top1, top5 = np.zeros([4, len(labels)], np.int64)
    first = 0
    for batch in batches:
        image = images[first : first + len(batch)]
        first += len(batch)
        batch = np.asarray(batch)
        logits = np.asarray(predict(batch), np.float32)[: len(image)]  # The last batch was filled up.
        votes_now = rule.has_ink(batch)[: len(image)]
        says = rule.votes(softmax(logits))
        ranks = rank_of_truth(logits, labels[image])
        np.add.at(scores, image[votes_now], says[votes_now])
        np.add.at(of_blank, image[~votes_now], says[~votes_now])
        np.add.at(votes, image, votes_now)
        np.add.at(count, image, 1)
        np.add.at(top1, image, ranks < 1)
        np.add.at(top5, image, ranks < 5)
    blank = votes == 0
    scores[blank], votes[blank] = of_blank[blank], count[blank]
    return Scan(scores, votes, blank, count, top1, top5, rule)


def rank_of_truth(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many other classes do not score lower than the true one: a tie, or a NaN, counts as wrong.

    Args:
      scores: float `[n, classes]`.
      labels: int `[n]`.

    Returns:
      int64 `[n]`, 0 where the truth is first.
    """
    of_truth = np.take_along_axis(scores, labels[:, None], axis=1)
    return (~(scores < of_truth)).sum(axis=1) - 1


def accuracies(scanned: Scan, labels: np.ndarray, forms: np.ndarray, widths: np.ndarray) -> Accuracies:
    """The share of patches, lines and forms whose writer is named first, or among the first five.

    Args:
      scanned: of a split.
      labels: int32 `[images]`.
      forms: `[images]` names.
      widths: float `[images]`, width of each line in multiples of its height.

    Returns:
      `patch_top1`, `line_top5`, `form_macro_top1` …: plain ones are means over all patches, lines or forms (micro),
      `macro` ones are means over writers. `line_top1_low`, `line_top1_high`, `form_top1_low`, `form_top1_high`: 95 %
      confidence intervals, see `bootstrap` and `wilson`. `line_top1_below_1.5`, `line_top1_1.5_to_3` …: of lines
      by width, None if there is no such line. How many there are: `patches`, `lines`, `lines_1.5_to_3` …, `forms`,
      `writers`. And `line_cross_entropy` in nats.
    """
    form_names, form = np.unique(forms, return_inverse=True)
    form_scores = np.zeros([len(form_names), scanned.scores.shape[1]])
    votes_in_form = ~scanned.blank
    votes_in_form |= ~np.isin(form, form[votes_in_form])  # A form of blank lines only has nothing else.
    np.add.at(form_scores, form[votes_in_form], scanned.scores[votes_in_form])
    form_labels = np.zeros(len(form_names), np.int64)
    form_labels[form] = labels

    line_ranks = rank_of_truth(scanned.scores, labels)
    form_ranks = rank_of_truth(form_scores, form_labels)
    levels = {
        # level: (writer, count, right first, right among five)
        "patch": (labels, scanned.windows, scanned.top1, scanned.top5),
        "line": (labels, np.ones(len(labels)), line_ranks < 1, line_ranks < 5),
        "form": (form_labels, np.ones(len(form_labels)), form_ranks < 1, form_ranks < 5),
    }
    result: Accuracies = {}
    for level, (writer, count, *hits) in levels.items():
        writers = np.unique(writer)
        of_writer = [writer == w for w in writers]
        for name, hit in zip(("top1", "top5"), hits, strict=True):
            result[f"{level}_{name}"] = float(hit.sum() / count.sum())
            by_writer = [hit[mask].sum() / count[mask].sum() for mask in of_writer]
            result[f"{level}_macro_{name}"] = float(np.mean(by_writer))
    result["line_top1_low"], result["line_top1_high"] = bootstrap(line_ranks < 1, form)
    result["form_top1_low"], result["form_top1_high"] = wilson(int((form_ranks < 1).sum()), len(form_ranks))
    for name, low, high in zip(_width_names(), (0, *WIDTHS), (*WIDTHS, np.inf), strict=True):
        within = (low <= widths) & (widths < high)
        result[f"lines_{name}"] = int(within.sum())
        result[f"line_top1_{name}"] = float((line_ranks[within] < 1).mean()) if within.any() else None
    of_truth = scanned.probabilities[np.arange(len(labels)), labels]
    result["line_cross_entropy"] = float(-np.log(np.maximum(of_truth, 1e-30)).mean())
    return result | {
        "patches": int(scanned.windows.sum()),
        "lines": len(labels),
        "forms": len(form_names),
        "writers": len(np.unique(labels)),
    }


def accuracies_of_parts(
    split: str, scanned: Scan, strips: "Strips", parts: dict[str, np.ndarray]
) -> dict[str, Accuracies]:
    """`accuracies` of a split, under its name, and of each of its parts, under '<split>.<part>'.

    The network may name a writer of any part for a line.

    Args:
      split: its name.
      scanned: of the split.
      strips: the split.
      parts: name → which images, bool `[images]`; none where there is nothing to tell apart.
    """
    which = {split: np.ones(len(strips.labels), bool)} | {
        f"{split}.{part}": images for part, images in parts.items()
    }
    return {
        name: accuracies(
            scanned.of(images), strips.labels[images], strips.groups[images], strips.widths[images]
        )
        for name, images in which.items()
    }


def bootstrap(right: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    """95 % confidence interval of the share of lines that are right: percentiles over resampled forms.

    Lines of one form are not independent, so whole forms are drawn. The draws are the same each time.

    Args:
      right: bool `[lines]`.
      group: int `[lines]`, the form of each.
    """
    of_group, lines = np.bincount(group, right), np.bincount(group)
    drawn = np.random.default_rng(0).integers(0, len(lines), (RESAMPLES, len(lines)))
    low, high = np.percentile(of_group[drawn].sum(axis=1) / lines[drawn].sum(axis=1), [2.5, 97.5])
    return float(low), float(high)


def wilson(right: int, number: int) -> tuple[float, float]:
    """95 % confidence interval of a share, by Wilson's score: it is also good for few answers that are all right or all wrong."""
    z = 1.959964
    share = right / number
    middle = share + z**2 / (2 * number)
    spread = z * np.sqrt(share * (1 - share) / number + (z / (2 * number)) ** 2)
    whole = 1 + z**2 / number
    return max(0.0, float((middle - spread) / whole)), min(1.0, float((middle + spread) / whole))


def _width_names() -> list[str]:
    between = [f"{low:g}_to_{high:g}" for low, high in itertools.pairwise(WIDTHS)]
    return [f"below_{WIDTHS[0]:g}", *between, f"from_{WIDTHS[-1]:g}"]


def table(results: dict[str, Accuracies]) -> str:
    """A table to read: a row for each split and level, and one for its lines of each width.

    Args:
      results: name of a split, or of a part of one → what `accuracies` returns, or as many of its levels as there are.
    """
    # Names of parts can be long.
    longest = max((len(f"{split} patches") for split in results), default=0)
    margin = max(26, longest + 1)
    rows = [
        f"{'':{margin}}{'number':>9}{'top-1':>9}{'top-5':>9}{'macro top-1':>13}{'macro top-5':>13}{'95 % interval':>17}"
    ]
    for split, result in results.items():
        for level, plural in (("patch", "patches"), ("line", "lines"), ("form", "forms")):
            if plural not in result:
                continue
            shares = [result[f"{level}_{kind}"] for kind in ("top1", "top5", "macro_top1", "macro_top5")]
            row = f"{split + ' ' + plural:{margin}}{result[plural]:>9,}"
            row += "".join(
                f"{share:>{width}.1%}" for share, width in zip(shares, (9, 9, 13, 13), strict=True)
            )
            if level != "patch":
                interval = f"{result[f'{level}_top1_low']:.1%} - {result[f'{level}_top1_high']:.1%}"
                row += f"{interval:>17}"
            rows.append(row)
        for name in _width_names():
            if number := result[f"lines_{name}"]:
                what = f"lines {name.replace('_', ' ')} heights"
                rows.append(f"  {what:{margin - 2}}{number:>9,}{result[f'line_top1_{name}']:>9.1%}")
    return "\n".join(rows)


def table_of_seeds(summary: dict[str, Any]) -> str:
    """A table to read: top-1 over several seeds.

    Args:
      summary: what `training.run_seeds` returns.
    """
    splits = [name.removesuffix(".patch_top1") for name in summary if name.endswith(".patch_top1")]
    margin = max(20, *(len(f"{split} patches") + 1 for split in splits))
    rows = [f"{'top-1':{margin}}{'mean':>9}{'std':>8}  each seed"]
    for split in splits:
        for level, plural in (("patch", "patches"), ("line", "lines"), ("form", "forms")):
            name = f"{split}.{level}_top1"
            each = " ".join(f"{share:.1%}" for share in summary[f"{name}.seeds"])
            rows.append(
                f"{split + ' ' + plural:{margin}}{summary[name]:>9.1%}{summary[f'{name}.std']:>8.1%}  {each}"
            )
    return "\n".join(rows)
