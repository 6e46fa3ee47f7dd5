"""Windows → line → form: who wrote it, and how often that is right.

The probabilities of a line are the mean softmax of its windows, scanned left to right as in DeepWriter (arXiv
1606.06472); those of a form are the mean over all windows of its lines.
"""

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np


@dataclasses.dataclass(frozen=True)
class Scan:
    """What a model says of a split.

    Attributes:
      probabilities: float64 `[images, classes]`, summed over the windows of each image.
      windows: int64 `[images]`, how many there are.
      top1: int64 `[images]`, how many of them name the right writer first.
      top5: int64 `[images]`, how many name it among the first five.
    """

    probabilities: np.ndarray
    windows: np.ndarray
    top1: np.ndarray
    top5: np.ndarray


def scan(
    predict: Callable[[np.ndarray], np.ndarray],
    batches: Iterable,
    images: np.ndarray,
    labels: np.ndarray,
    classes: int,
) -> Scan:
    """Runs a model over the windows of a split, holding one batch at a time.

    Args:
      predict: windows `[batch, width, height]` → logits `[batch, classes]`.
      batches: of windows, as `pipelines.windows` makes them.
      images: int64 `[windows]`, the image of each window.
      labels: int32 `[images]`.
      classes: how many writers there are.

    Returns:
      The sums.
    """
    result = Scan(
        np.zeros([len(labels), classes]),
        *(np.zeros(len(labels), np.int64) for _ in ("windows", "top1", "top5")),
    )
    first = 0
    for batch in batches:
        image = images[first : first + len(batch)]
        first += len(batch)
        logits = np.asarray(predict(batch), np.float32)[: len(image)]  # The last batch was filled up.
        ranks = rank_of_truth(logits, labels[image])
        np.add.at(result.probabilities, image, softmax(logits))
        np.add.at(result.windows, image, 1)
        np.add.at(result.top1, image, ranks < 1)
        np.add.at(result.top5, image, ranks < 5)
    return result


def softmax(logits: np.ndarray) -> np.ndarray:
    """Float `[n, classes]` → rows that sum to one."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


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


def accuracies(scanned: Scan, labels: np.ndarray, forms: np.ndarray) -> dict[str, float]:
    """The share of patches, lines and forms whose writer is named first, or among the first five.

    Args:
      scanned: of a split.
      labels: int32 `[images]`.
      forms: `[images]` names.

    Returns:
      `patch_top1`, `line_top5`, `form_macro_top1` …: plain ones are means over all patches, lines or forms (micro),
      `macro` ones are means over writers. And how many there are: `patches`, `lines`, `forms`, `writers`; and
      `line_cross_entropy` in nats.
    """
    form_names, form = np.unique(forms, return_inverse=True)
    form_probabilities = np.zeros([len(form_names), scanned.probabilities.shape[1]])
    np.add.at(form_probabilities, form, scanned.probabilities)
    form_labels = np.zeros(len(form_names), np.int64)
    form_labels[form] = labels

    line_ranks = rank_of_truth(scanned.probabilities, labels)
    form_ranks = rank_of_truth(form_probabilities, form_labels)
    levels = {
        # level: (writer, count, right first, right among five)
        "patch": (labels, scanned.windows, scanned.top1, scanned.top5),
        "line": (labels, np.ones(len(labels)), line_ranks < 1, line_ranks < 5),
        "form": (form_labels, np.ones(len(form_labels)), form_ranks < 1, form_ranks < 5),
    }
    result = {}
    for level, (writer, count, *hits) in levels.items():
        writers = np.unique(writer)
        of_writer = [writer == w for w in writers]
        for name, hit in zip(("top1", "top5"), hits, strict=True):
            result[f"{level}_{name}"] = float(hit.sum() / count.sum())
            by_writer = [hit[mask].sum() / count[mask].sum() for mask in of_writer]
            result[f"{level}_macro_{name}"] = float(np.mean(by_writer))
    line_probability = scanned.probabilities[np.arange(len(labels)), labels] / scanned.windows
    result["line_cross_entropy"] = float(-np.log(np.maximum(line_probability, 1e-30)).mean())
    return result | {
        "patches": int(scanned.windows.sum()),
        "lines": len(labels),
        "forms": len(form_names),
        "writers": len(np.unique(labels)),
    }


def table(results: dict[str, dict[str, float]]) -> str:
    """A table to read: a row for each split and level.

    Args:
      results: split name → what `accuracies` returns, or as many of its levels as there are.
    """
    rows = [f"{'':22}{'number':>9}{'top-1':>9}{'top-5':>9}{'macro top-1':>13}{'macro top-5':>13}"]
    for split, result in results.items():
        for level, plural in (("patch", "patches"), ("line", "lines"), ("form", "forms")):
            if plural not in result:
                continue
            shares = [result[f"{level}_{kind}"] for kind in ("top1", "top5", "macro_top1", "macro_top5")]
            row = f"{split + ' ' + plural:22}{result[plural]:>9,}"
            row += "".join(
                f"{share:>{width}.1%}" for share, width in zip(shares, (9, 9, 13, 13), strict=True)
            )
            rows.append(row)
    return "\n".join(rows)
