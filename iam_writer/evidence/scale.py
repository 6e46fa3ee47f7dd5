"""Words for likelihood ratios. No TensorFlow.

The table is that of the ENFSI Guideline for Evaluative Reporting in Forensic Science (European Network of Forensic Science
Institutes, approved version 3.0, 2015).
"""

from typing import Final

SOURCE: Final = "ENFSI Guideline for Evaluative Reporting in Forensic Science, 2015"

SCALE: Final = (
    (2.0, "no support for one hypothesis rather than the other"),
    (10.0, "weak support"),
    (100.0, "moderate support"),
    (1_000.0, "moderately strong support"),
    (10_000.0, "strong support"),
    (1_000_000.0, "very strong support"),
    (float("inf"), "extremely strong support"),
)
"""A ratio below the number, and not below the number before, has this name."""


def in_words(log10_ratio: float) -> str:
    """The words for a likelihood ratio; a ratio below 1 has the words of its reciprocal."""
    ratio = 10 ** abs(log10_ratio)
    return next(words for end, words in SCALE if ratio < end)


def supports(log10_ratio: float) -> str:
    """Such as 'moderate support for H1, rather than H2'."""
    words = in_words(log10_ratio)
    if words == SCALE[0][1]:
        return words
    return f"{words} for {'H1, rather than H2' if log10_ratio > 0 else 'H2, rather than H1'}"


def times(log10_ratio: float) -> str:
    """Such as '40 times', for the larger of the ratio and its reciprocal."""
    ratio = 10 ** abs(log10_ratio)
    return f"{ratio:,.0f} times" if round(ratio, 1) >= 10 else f"{ratio:.1f} times"
