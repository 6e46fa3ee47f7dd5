"""verdict.py: probabilities in, words and JSON out."""

import dataclasses

import numpy as np
import pytest
from calibrations import made

from iam_writer.recognition import verdict
from iam_writer.recognition.rule import Rule

NAMES = ["ada", "bob", "cy", "di", "ed", "flo"]
PROBABILITIES = np.array([0.01, 0.7, 0.2, 0.05, 0.03, 0.01])


def decide(known=True, warnings=()):
    return verdict.decide(
        "a.png", NAMES, PROBABILITIES, known, lines=1, windows=30, forms=60, warnings=warnings
    )


def test_a_known_hand():
    assert decide().as_json() == {
        "file": "a.png",
        "writer": "bob",
        "probability": 0.7,
        "top5": [
            {"writer": writer, "probability": p}
            for writer, p in (("bob", 0.7), ("cy", 0.2), ("di", 0.05), ("ed", 0.03), ("ada", 0.01))
        ],
        "lines": 1,
        "lines_from": None,
        "windows": 30,
        "validation_forms": 60,
        "warning": None,
    }
    text = decide().as_text()
    assert text.startswith("a.png: written by bob\n  bob  70.0%")
    assert text.endswith(
        "30 windows on 1 line voted. The percentages rest on 60 validation forms; none can exceed 98.4%."
    )


def test_without_windows_lines_are_compared():
    found = verdict.decide(
        "a.png", NAMES, PROBABILITIES, True, lines=2, windows=None, forms=None, warnings=()
    )
    assert found.as_text().endswith("  2 lines of writing were compared.")
    given = dataclasses.replace(found, lines_from="page/a.xml")
    assert given.as_text().endswith("compared.\n  The lines are from page/a.xml.")
    assert given.as_json()["lines_from"] == "page/a.xml"


def test_an_unknown_hand():
    found = decide(known=False, warnings=["it looks printed", "a guess"])
    assert (found.writer, found.probability) == (None, None)
    assert found.warning == "It looks printed. A guess."
    assert found.as_text().splitlines()[:3] == [
        "a.png: none of the known writers. The nearest hands:",
        "  bob",
        "  cy",
    ]
    assert "%" not in found.as_text()
    assert found.as_json()["top5"][0] == {"writer": "bob", "probability": None}
    assert "Warning: It looks printed." in found.as_text()


@pytest.mark.parametrize(
    ("amount", "forms", "expected"),
    [(1.0, 30, []), (0.4, 30, ["less than half a line"]), (1.0, 3, [])],
)
def test_doubts(amount, forms, expected):
    found = verdict.doubts(made(forms=np.array(forms), lines=np.array(100)), Rule(28), amount)
    assert len(found) == len(expected)
    assert all(part in text for part, text in zip(expected, found, strict=True))


def test_a_calibration_for_another_rule_is_doubted():
    calibration = made(forms=np.array(100), lines=np.array(900))
    assert verdict.doubts(calibration, Rule(28), 9.0) == []
    (doubt,) = verdict.doubts(calibration, Rule(28, "log_probabilities"), 9.0)
    assert "for another answer rule" in doubt
