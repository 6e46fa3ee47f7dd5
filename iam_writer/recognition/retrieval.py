"""How well hands are found by their likeness: the measures of writer retrieval. Pure functions of numpy.

Each sample is asked about among all others. The measures are those of the competitions on writer identification (G.
Louloudis, B. Gatos, N. Stamatopoulos and A. Papandreou, "ICDAR 2013 competition on writer identification").
"""

import numpy as np

from iam_writer.recognition import calibration

SOFT, HARD = (1, 5, 10), (2, 3, 4)
"""The sizes of the lists that the soft and the hard measure look at."""


def measures(
    likeness: np.ndarray, asked: np.ndarray, known: np.ndarray, barred: np.ndarray
) -> dict[str, float | int]:
    """Ranks known samples for each sample that is asked about.

    Args:
      likeness: float `[asked, known]`; the higher, the more alike.
      asked: int `[asked]`, who wrote them.
      known: int `[known]`, who wrote them.
      barred: bool `[asked, known]`: these pairs do not count, such as a sample and itself.

    Returns:
      `queries`: how many samples are asked about whose writer has another sample. The others are left out of all but the
      equal error rate. `top1`, `soft5` and `soft10`: the share of queries for which one of the first 1, 5 or 10 samples is by
      the same writer. `hard2`, `hard3`, `hard4`: the share for which all of the first 2, 3 or 4 are; only queries whose writer
      has so many other samples count. `map`: the mean average precision. `equal_error`: of all pairs, where as many by two
      writers are taken for one hand as pairs by one writer for two. A measure that nothing counts for is left out.
    """
    same = (asked[:, None] == known[None]) & ~barred
    order = np.argsort(np.where(barred, np.inf, -likeness), axis=1, kind="stable")
    found = np.take_along_axis(same, order, axis=1)
    queries = same.any(axis=1)
    others = same.sum(axis=1)
    result: dict[str, float | int] = {"queries": int(queries.sum())}
    if queries.any():
        for size in SOFT:
            name = "top1" if size == 1 else f"soft{size}"
            result[name] = float(found[queries, :size].any(axis=1).mean())
        hits = found[queries].cumsum(axis=1)
        precision = hits / np.arange(1, found.shape[1] + 1)
        result["map"] = float(((precision * found[queries]).sum(axis=1) / others[queries]).mean())
    for size in HARD:
        if (others >= size).any():
            result[f"hard{size}"] = float(found[others >= size, :size].all(axis=1).mean())
    pairs = same[~barred]
    if pairs.any() and not pairs.all():
        _, *errors = calibration.equal_error(likeness[~barred], pairs)
        result["equal_error"] = float(np.mean(errors))
    return result


def in_words(found: dict[str, float | int]) -> str:
    """A line about what `of_forms` returns, such as 'retrieval of 9 forms: top-1 88.9%, mAP 0.912, …'."""
    names = {"top1": "top-1", "soft5": "soft top-5", "soft10": "soft top-10"}
    names |= {f"hard{size}": f"hard top-{size}" for size in HARD}
    if not found["queries"]:
        return "retrieval: no writer of this split has two forms."
    parts = [f"mAP {found['map']:.3f}"]
    parts += [f"{words} {found[name]:.1%}" for name, words in names.items() if name in found]
    if "equal_error" in found:
        parts.append(f"equal error rate of pairs {found['equal_error']:.1%}")
    return f"retrieval of {found['queries']} forms: {', '.join(parts)}"


def of_forms(vectors: np.ndarray, writers: np.ndarray) -> dict[str, float | int]:
    """`measures` of forms, each asked about among all others.

    Args:
      vectors: float `[forms, n]` of unit length; their products are the likeness.
      writers: int `[forms]`.
    """
    return measures(vectors @ vectors.T, writers, writers, np.eye(len(writers), dtype=bool))


def of_lines(
    lines: np.ndarray, forms: np.ndarray, form_of_line: np.ndarray, writers: np.ndarray
) -> dict[str, float | int]:
    """`measures` of lines, each asked about among all forms but its own.

    Args:
      lines: float `[lines, n]` of unit length.
      forms: float `[forms, n]` of unit length.
      form_of_line: int `[lines]`, the number of each line's form.
      writers: int `[forms]`.
    """
    own = form_of_line[:, None] == np.arange(len(forms))[None]
    return measures(lines @ forms.T, writers[form_of_line], writers, own)
