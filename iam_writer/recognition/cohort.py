"""How like a page is to the pages of a cohort, by many writers of one collection. Does not import TensorFlow."""

import numpy as np


def places(samples: np.ndarray, cohort: np.ndarray) -> np.ndarray:
    """Where samples are in the cohort; -1 for those that are not: int64 `[n]`."""
    place = {page.tobytes(): number for number, page in enumerate(cohort)}
    return np.array([place.get(sample.astype(cohort.dtype).tobytes(), -1) for sample in samples], np.int64)


def normalised(cosines: np.ndarray, near: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Cosines as multiples of the standard deviation of a sample's cosines with the cohort, from their mean.

    Args:
      cosines: float64 `[n, m]`, of samples with others.
      near: float64 `[n, c]`, of the samples with the cohort; not a number where a page does not count.
      others: int64 `[m]`, where the others are in the cohort, or -1. They do not count for their own pair.

    Returns:
      float64 `[n, m]`.
    """
    counts = ~np.isnan(near)
    values = np.where(counts, near, 0)
    taken = np.where(others >= 0, counts[:, others], False)
    value = np.where(taken, values[:, others], 0)
    number = np.maximum(counts.sum(axis=1)[:, None] - taken, 1)
    mean = (values.sum(axis=1)[:, None] - value) / number
    square = ((values**2).sum(axis=1)[:, None] - value**2) / number
    return np.asarray((cosines - mean) / np.sqrt(np.maximum(square - mean**2, 1e-12)))
