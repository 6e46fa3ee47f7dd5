"""answers.py: answers in words, as JSON, and as a table."""

import csv
import json

import pytest
from absl import flags
from absl.testing import flagsaver

from iam_writer.common import answers

ROWS = [
    {
        "file": "a.png",
        "sure": True,
        "writer": None,
        "near": [{"name": "ada", "odds": 1.5}],
        "notes": ["x", "y"],
    },
    {
        "file": "b,c.png",
        "sure": False,
        "writer": "bob",
        "near": [{"name": "bob"}, {"name": "cy"}],
        "notes": [],
    },
]


@pytest.fixture
def said(capsys):
    def said(**form):
        if not flags.FLAGS.is_parsed():
            flags.FLAGS(["test"])
        with flagsaver.flagsaver(**form), answers.printed() as say:
            for row in ROWS:
                say(row, f"words on {row['file']}")
        return capsys.readouterr().out

    return said


def test_in_words_and_as_json(said):
    assert said() == "words on a.png\nwords on b,c.png\n"
    assert [json.loads(row) for row in said(json=True).splitlines()] == ROWS


def test_a_table_has_the_fields_of_all_answers(said):
    rows = list(csv.DictReader(said(csv=True).splitlines()))
    assert list(rows[0]) == ["file", "sure", "writer", "near.1.name", "near.1.odds", "notes", "near.2.name"]
    assert rows[0] == {
        "file": "a.png", "sure": "true", "writer": "", "near.1.name": "ada", "near.1.odds": "1.5", "notes": "x; y",
        "near.2.name": "",
    }  # fmt: skip
    assert (rows[1]["file"], rows[1]["near.2.name"]) == ("b,c.png", "cy")


def test_a_program_that_is_stopped_prints_the_rows_that_it_has(capsys):
    with pytest.raises(KeyboardInterrupt), flagsaver.flagsaver(csv=True), answers.printed() as say:
        say({"a": 1}, "", [{"b": 2}, {"b": 3}])
        raise KeyboardInterrupt
    assert capsys.readouterr().out == "b\n2\n3\n"


def test_fields_in_fields():
    assert answers.flat({"a": {"b": {"c": 1}}, "d": [{"e": [2, 3]}], "f": ()}) == {
        "a.b.c": 1,
        "d.1.e": "2; 3",
        "f": "",
    }
