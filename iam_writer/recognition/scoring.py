"""Windows → line → form: who wrote it, and how often that is right.

A line is scanned from left to right as in DeepWriter (arXiv 1606.06472). Its windows that have ink vote, and their votes
are averaged by the answer rule of the network, see `rule`. The answer for a form is the average over all windows of its
lines.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from iam_writer.recognition.rule import Rule, softmax

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

    @property
    def probabilities(self) -> np.ndarray:
        """float64 `[images, classes]` before calibration; rows sum to one."""
        return self.rule.answers(self.scores / self.votes[:, None])

    def answers(self, images: np.ndarray, forms: np.ndarray) -> "Answers":
        """What accuracies of some of the images are made of.

        Args:
          images: bool `[images]`, or the numbers of some images.
          forms: `[images]`, the name of each image's form.
        """
        of_some = {name: value[images] for name, value in vars(self).items() if name != "rule"}
        some = dataclasses.replace(self, **of_some)
        form_names, form = np.unique(forms[images], return_inverse=True)
        form_scores = np.zeros([len(form_names), some.scores.shape[1]])
        votes_in_form = ~some.blank
        votes_in_form |= ~np.isin(form, form[votes_in_form])  # A form of blank lines only has nothing else.
        np.add.at(form_scores, form[votes_in_form], some.scores[votes_in_form])
        hits = Hits(some.windows, some.top1, some.top5)
        return Answers(some.scores, form_scores, some.probabilities, hits)


@dataclasses.dataclass(frozen=True)
class Hits:
    """How often the windows of some images are right.

    Attributes:
      windows: int64 `[images]`, how many windows there are.
      top1: int64 `[images]`, how many of them name the right writer first.
      top5: int64 `[images]`, how many of them name the right writer among the first five.
    """

    windows: np.ndarray
    top1: np.ndarray
    top5: np.ndarray


@dataclasses.dataclass(frozen=True)
class Answers:
    """How strongly a method speaks for each writer. In each row the highest number names the writer.

    Attributes:
      lines: float `[images, classes]`.
      forms: float `[forms, classes]`, forms in the order of their sorted names.
      probabilities: float `[images, classes]` before calibration; None if the method has none.
      hits: of the windows; None if the method has none.
    """

    lines: np.ndarray
    forms: np.ndarray
    probabilities: np.ndarray | None = None
    hits: Hits | None = None


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
      batches: of windows, as `pipelines.windows` makes them with the stride of the rule.
      images: see `add_up`.
      labels: see `add_up`.
      classes: see `add_up`.
      rule: see `add_up`.
    """
    arrays = map(np.asarray, batches)
    looked = ((predict(batch), rule.has_ink(batch)) for batch in arrays)
    return add_up(looked, images, labels, classes, rule)


def add_up(
    looked: Iterable[tuple[np.ndarray, np.ndarray]],
    images: np.ndarray,
    labels: np.ndarray,
    classes: int,
    rule: Rule,
) -> Scan:
    """Adds up what a model says of the windows of a split.

    Args:
      looked: of each batch of windows, the logits, float `[batch, classes]`, and which windows have ink, bool `[batch]`. The
        last batch may have been filled up.
      images: int64 `[windows]`, the image of each window.
      labels: int32 `[images]`.
      classes: how many writers there are.
      rule: which windows vote, and what is summed.
    """
    scores, of_blank = np.zeros([2, len(labels), classes])
    votes, count, top1, top5 = np.zeros([4, len(labels)], np.int64)
    first = 0
    for logits, has_ink in looked:
        image = images[first : first + len(logits)]
        first += len(logits)
        logits = np.asarray(logits, np.float32)[: len(image)]
        votes_now = has_ink[: len(image)]
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


def accuracies(answers: Answers, labels: np.ndarray, forms: np.ndarray, widths: np.ndarray) -> Accuracies:
    """The share of patches, lines and forms whose writer is named first, or among the first five.

    Args:
      answers: about a split.
      labels: int32 `[images]`.
      forms: `[images]` names.
      widths: float `[images]`, width of each line in multiples of its height.

    Returns:
      `patch_top1`, `line_top5`, `form_macro_top1` …: plain ones are means over all patches, lines or forms (micro),
      `macro` ones are means over writers. `line_top1_low`, `line_top1_high`, `form_top1_low`, `form_top1_high`: 95 %
      confidence intervals, see `bootstrap` and `wilson`. `line_top1_below_1.5`, `line_top1_1.5_to_3` …: of lines
      by width, None if there is no such line. How many there are: `patches`, `lines`, `lines_1.5_to_3` …, `forms`,
      `writers`. And `line_cross_entropy` in nats. What a method does not have is left out: patches, or the cross entropy.
    """
    form_names, form = np.unique(forms, return_inverse=True)
    form_labels = np.zeros(len(form_names), np.int64)
    form_labels[form] = labels
    line_ranks = rank_of_truth(answers.lines, labels)
    form_ranks = rank_of_truth(answers.forms, form_labels)
    levels = {
        # level: (writer, count, right first, right among five)
        "line": (labels, np.ones(len(labels)), line_ranks < 1, line_ranks < 5),
        "form": (form_labels, np.ones(len(form_labels)), form_ranks < 1, form_ranks < 5),
    }
    result: Accuracies = {}
    if answers.hits is not None:
        hits = answers.hits
        levels = {"patch": (labels, hits.windows, hits.top1, hits.top5)} | levels
        result["patches"] = int(hits.windows.sum())
    for level, (writer, count, *right) in levels.items():
        writers = np.unique(writer)
        of_writer = [writer == w for w in writers]
        for name, hit in zip(("top1", "top5"), right, strict=True):
            result[f"{level}_{name}"] = float(hit.sum() / count.sum())
            by_writer = [hit[mask].sum() / count[mask].sum() for mask in of_writer]
            result[f"{level}_macro_{name}"] = float(np.mean(by_writer))
    result["line_top1_low"], result["line_top1_high"] = bootstrap(line_ranks < 1, form)
    result["form_top1_low"], result["form_top1_high"] = wilson(int((form_ranks < 1).sum()), len(form_ranks))
    for name, low, high in zip(_width_names(), (0, *WIDTHS), (*WIDTHS, np.inf), strict=True):
        within = (low <= widths) & (widths < high)
        result[f"lines_{name}"] = int(within.sum())
        result[f"line_top1_{name}"] = float((line_ranks[within] < 1).mean()) if within.any() else None
    if answers.probabilities is not None:
        of_truth = answers.probabilities[np.arange(len(labels)), labels]
        result["line_cross_entropy"] = float(-np.log(np.maximum(of_truth, 1e-30)).mean())
    return result | {"lines": len(labels), "forms": len(form_names), "writers": len(np.unique(labels))}


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
      results: name of a split, or of a part of one → what `accuracies` returns.
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
