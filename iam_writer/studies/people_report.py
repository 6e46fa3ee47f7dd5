"""The figures of people.py, as JSON and as text for a person."""

from typing import NotRequired, TypedDict

from iam_writer.common.provenance import Provenance

STRANGERS = "unknown hands"
"""The name of the pages by strangers, beside the names of `people.CONDITIONS`."""

Shares = dict[str, float]
"""Counts, and shares with a 95 % interval: `named_first`, `named_first_low`, `named_first_high`, and so on."""


class PairErrors(TypedDict):
    """The error rates of verify at its threshold."""

    false_match: float
    false_non_match: float


class Pairs(PairErrors):
    """Decisions about pairs of forms.

    Attributes:
      one_hand: how many pairs are by one hand.
      two_hands: how many pairs are by two hands.
      equal_error: the error rate at the threshold where both errors are equally frequent.
      on_validation: what the checkpoint says about its errors.
    """

    one_hand: int
    two_hands: int
    equal_error: float
    equal_error_low: float
    equal_error_high: float
    false_match_low: float
    false_match_high: float
    false_non_match_low: float
    false_non_match_high: float
    on_validation: PairErrors


class Report(Provenance):
    """What `iam_writer.studies.trial` writes.

    Attributes:
      checkpoint: its path.
      model: the name of its network.
      dataset: the datasets that the network was trained on.
      split: the split whose forms were made into pages.
      rule: the fields of the checkpoint's `Rule`.
      strangers: the dataset of the strangers, or None if there is none.
      pages: what `people.shares` returns for each condition and, if there are strangers, for STRANGERS.
      enrolled: if there are strangers, what `people.enrolled` returns.
      pairs: if there are strangers, what `people.pairs` returns.
    """

    checkpoint: str
    model: str
    dataset: list[str]
    split: str
    rule: dict[str, str | int | float]
    strangers: str | None
    pages: dict[str, Shares]
    enrolled: NotRequired[Shares | None]
    pairs: NotRequired[Pairs | None]


def table(report: Report) -> str:
    """What `people.run` returns, as text for a person."""
    known = f"pages by known writers: {report['dataset']}, {report['split']}"
    rows = [
        known,
        f"{'':26}{'number':>7}{'named first':>23}{'accepted':>23}{'without a warning':>23}{'lines found':>16}",
    ]
    for name, found in report["pages"].items():
        if name == STRANGERS:
            rows.append(f"pages by unknown hands: {report['strangers']}")
        row = f"  {name:24}{found['pages']:>7}"
        for kind in ("named_first", "accepted", "accepted_without_warning"):
            row += f"{'' if (name, kind) == (STRANGERS, 'named_first') else interval(found, kind):>23}"
        rows.append(f"{row}{found['lines_found']:>9} of {found['lines']}")
    if STRANGERS not in report["pages"]:
        return "\n".join(rows)
    if report["enrolled"] is None:
        return "\n".join(
            [*rows, "Hands cannot be compared: there are too few forms of a writer, here or in validation."]
        )
    of, pair = report["enrolled"], report["pairs"]
    rows += [
        f"enrolled with one page: {of['writers']} unknown hands; of {of['pages']} other pages named first "
        f"{interval(of, 'named_first')}, and accepted {interval(of, 'accepted')}",
        f"two pages by one hand or two: {pair['one_hand']} pairs and {pair['two_hands']:,}; equal error rate "
        f"{interval(pair, 'equal_error')}",
        f"  at verify's border: two hands taken for one {interval(pair, 'false_match')}, one for two "
        f"{interval(pair, 'false_non_match')}; on validation {pair['on_validation']['false_match']:.1%} and "
        f"{pair['on_validation']['false_non_match']:.1%}",
    ]
    return "\n".join(rows)


def interval(found: dict[str, float], name: str) -> str:
    return f"{found[name]:.1%} ({100 * found[name + '_low']:.1f}-{100 * found[name + '_high']:.1f})"
