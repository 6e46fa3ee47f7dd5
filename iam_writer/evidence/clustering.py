"""Groups samples of writing by hand. No TensorFlow.

Groups are joined by average linkage: the two groups whose pairs have the highest mean log odds are joined first (R. R. Sokal
and C. D. Michener, "A statistical method for evaluating systematic relationships", University of Kansas Science Bulletin 38,
1958).
"""

import math

import numpy as np


def tree(log_odds: np.ndarray) -> np.ndarray:
    """Joins groups until one is left.

    Args:
      log_odds: float64 `[n, n]`, symmetric; the diagonal does not matter.

    Returns:
      float64 `[n - 1, 4]`, a row for each step: the two groups that are joined, their mean log odds, and the size of the new
      group. Groups 0 to n - 1 are the samples, and step k makes group n + k, as in SciPy. From step to step the log odds do
      not rise.
    """
    n = len(log_odds)
    near = (log_odds + log_odds.T) / 2
    np.fill_diagonal(near, -np.inf)
    name, size = np.arange(n), np.ones(n)
    steps = np.zeros((max(0, n - 1), 4))
    for step in range(n - 1):
        one, other = np.unravel_index(int(np.argmax(near)), near.shape)
        one, other = min(one, other), max(one, other)
        both = size[one] + size[other]
        steps[step] = (*sorted((name[one], name[other])), near[one, other], both)
        joined = (size[one] * near[one] + size[other] * near[other]) / both
        near[one], near[:, one] = joined, joined
        near[one, one] = -np.inf
        near[other], near[:, other] = -np.inf, -np.inf
        name[one], size[one] = n + step, both
    return steps


def cut(steps: np.ndarray, border: float) -> np.ndarray:
    """The groups if only those with mean log odds of `border` or more are joined.

    Returns:
      int64 `[n]`: the group of each sample, from 0, in the order of their first samples.
    """
    n = len(steps) + 1
    group = np.arange(n + len(steps))
    for step, (one, other, log_odds, _) in enumerate(steps):
        if log_odds < border:
            break
        group[int(one)] = group[int(other)] = n + step
    for member in range(len(group) - 1, -1, -1):  # A group is made after its parts.
        group[member] = group[group[member]]
    _, first, found = np.unique(group[:n], return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[found]


def border(steps: np.ndarray, false_merges: float) -> float:
    """The log odds from which groups are joined.

    A likelihood ratio of x or more occurs for at most 1/x of the pairs by two hands, if ratios are calibrated. Where k hands are
    found, a sample can be joined wrongly with k - 1 others. So the border is the logarithm of (k - 1) / `false_merges`
    (for one hand: 1 / `false_merges`), and k depends on the border: the lowest border that fits is taken.

    Args:
      steps: see `tree`.
      false_merges: how many other hands a sample may wrongly be like, on average; above 0.
    """
    heights = steps[:, 2]
    for joined in range(len(heights), 0, -1):
        hands = len(heights) + 1 - joined
        least = math.log(max(hands - 1, 1) / false_merges)
        if heights[joined - 1] >= least:
            # Any border above that of the next step gives as many hands.
            after = heights[joined] if joined < len(heights) else -math.inf
            return max(least, float(np.nextafter(after, math.inf)))
    return (
        max(math.log(max(len(heights), 1) / false_merges), float(np.nextafter(heights[0], math.inf)))
        if len(heights)
        else 0.0
    )


def leaves(steps: np.ndarray) -> list[int]:
    """The samples in an order in which the branches of the tree do not cross; of two branches the one with the first sample first."""
    n = len(steps) + 1
    members = [[sample] for sample in range(n)]
    for one, other in steps[:, :2].astype(int):
        parts = sorted((members[one], members[other]), key=min)
        members.append(parts[0] + parts[1])
    return members[-1]


def agreement(groups: np.ndarray, truth: np.ndarray) -> float:
    """Pairwise F1: the harmonic mean of the share of joined pairs that belong together, and the reverse. 1 if there are none."""
    first, second = np.triu_indices(len(groups), 1)
    joined, right = groups[first] == groups[second], truth[first] == truth[second]
    total = int(joined.sum() + right.sum())
    return 2 * int((joined & right).sum()) / total if total else 1.0
