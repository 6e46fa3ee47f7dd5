"""Splits: which lines go where. Lines are written as `writer/form/row/image`."""

import dataclasses
import random

import pytest

from iam_writer.common.errors import EmptySplitError, IndexFileError, TooFewWritersError
from iam_writer.handwriting import splits
from iam_writer.handwriting.line import Line


def lines_of(forms: dict[str, int], rows: int = 2, pieces: int = 2) -> list[Line]:
    """`forms` is the number of forms of each writer; every row has so many pieces."""
    return [
        Line(
            id=f"{writer}-{f:02}-{r}-{p}", writer=writer, form=f"{writer}-{f:02}", row=f"{writer}-{f:02}-{r}"
        )
        for writer, count in forms.items()
        for f in range(count)
        for r in range(rows)
        for p in range(pieces)
    ]


def count_of(split: dict[str, list[Line]], attribute: str) -> tuple[int, ...]:
    """The numbers of forms (or rows, or ids) in train, validation and test."""
    assert list(split) == ["train", "validation", "test"]
    return tuple(len({getattr(line, attribute) for line in lines}) for lines in split.values())


def shared(split: dict[str, list[Line]], attribute: str) -> set[str]:
    """What is in more than one split."""
    sets = [{getattr(line, attribute) for line in lines} for lines in split.values()]
    return (sets[0] & sets[1]) | (sets[0] & sets[2]) | (sets[1] & sets[2])


# (n) -> train, validation, test
COUNTS = [
    (1, (1, 0, 0)),
    (2, (1, 0, 1)),
    (3, (1, 1, 1)),
    (6, (4, 1, 1)),
    (8, (6, 1, 1)),
    (10, (6, 2, 2)),
    (12, (8, 2, 2)),
    (59, (39, 10, 10)),  # IAM's writer 000
]


@pytest.mark.parametrize(("forms", "expected"), COUNTS)
def test_split_by_form(forms, expected):
    lines = lines_of({"a": forms})
    split = splits.split_by_form(lines)
    assert count_of(split, "form") == expected
    assert not shared(split, "form")
    assert sorted((line for part in split.values() for line in part), key=lambda line: line.id) == lines


@pytest.mark.parametrize(("rows", "expected"), COUNTS)
def test_a_single_form_is_split_by_row(rows, expected):
    lines = lines_of({"a": 1}, rows=rows)
    split = splits.split_by_form(lines, single_form_by_row=True)
    assert count_of(split, "row") == expected
    assert not shared(split, "row")
    assert count_of(splits.split_by_form(lines), "row") == (rows, 0, 0)


def test_a_single_form_splits_no_one_else_by_row():
    lines = lines_of({"a": 1, "b": 3}, rows=3)
    split = splits.split_by_form(lines, single_form_by_row=True)
    assert shared(split, "form") == {"a-00"}
    assert {line.writer for line in split["test"]} == {"a", "b"}


def test_unknown_rows_cannot_be_split():
    lines = [Line(id="x", writer="a", form="f", row="")]
    assert splits.split_by_form(lines)["train"] == lines
    with pytest.raises(IndexFileError, match=r"Writer a .*Put sentences\.txt"):
        splits.split_by_form(lines, single_form_by_row=True)


@pytest.mark.parametrize(("images", "expected"), COUNTS)
def test_split_by_image(images, expected):
    split = splits.split_by_image(lines_of({"a": 1}, rows=1, pieces=images))
    assert count_of(split, "id") == expected
    assert not shared(split, "id")


def test_split_by_image_leaks_forms():
    assert shared(splits.split_by_image(lines_of({"a": 2}, rows=8)), "form")


@pytest.mark.parametrize("split", [splits.split_by_form, splits.split_by_image])
def test_a_split_depends_on_names_only(split):
    lines = lines_of({"a": 7, "b": 3})
    expected = split(lines)
    shuffled = random.Random(0).sample(lines, len(lines))
    assert split(shuffled) == expected
    # Another writer's coming or going moves nothing of this one's.
    alone = split([line for line in lines if line.writer == "a"])
    assert alone == {name: [line for line in found if line.writer == "a"] for name, found in expected.items()}
    for found in expected.values():
        assert found == sorted(found, key=lambda line: line.id)


def test_the_split_of_today_is_the_split_of_tomorrow():
    """A model's accuracy is comparable only if this never changes."""
    split = splits.split_by_form(lines_of({"a": 6}, rows=1, pieces=1))
    assert [line.form for line in split["test"] + split["validation"]] == ["a-04", "a-00"]


@pytest.mark.parametrize(
    ("count", "writers"),
    [(1, {"b"}), (2, {"b", "a"}), (3, {"b", "a", "c"}), (9, {"a", "b", "c", "d"}), (0, set())],
)
def test_most_productive(count, writers):
    lines = lines_of({"d": 1, "c": 2, "a": 2, "b": 3})  # a and c tie
    chosen = splits.most_productive(lines, count)
    assert {line.writer for line in chosen} == writers
    assert chosen == sorted(chosen, key=lambda line: line.id)


def test_with_two_forms():
    chosen = splits.with_two_forms(lines_of({"c": 2, "a": 1, "b": 3}))
    assert [line.id for line in chosen] == [line.id for line in lines_of({"b": 3, "c": 2})]


@pytest.mark.parametrize("name", splits.NAMES)
def test_check_passes_a_split_unless_a_part_of_it_is_empty(name):
    divided = splits.split_by_form(lines_of({"a": 3, "b": 2}))
    splits.check(divided)
    with pytest.raises(EmptySplitError, match=rf"no image for {name}\."):
        splits.check(divided | {name: []})


@pytest.mark.parametrize(
    ("forms", "error", "message"),
    [
        ({}, TooFewWritersError, "none was found"),
        ({"a": 3}, TooFewWritersError, "only 'a' was found"),
        ({"a": 1, "b": 1}, EmptySplitError, r"no image for validation and test\. .*Add pages"),
        ({"a": 2, "b": 1}, EmptySplitError, r"no image for validation\. .*Add pages"),
    ],
)
def test_check_refuses(forms, error, message):
    with pytest.raises(error, match=message):
        splits.check(splits.split_by_form(lines_of(forms)))


def test_writers_of_a_single_form_are_never_tested():
    divided = splits.split_by_form(lines_of({"a": 3, "b": 1, "c": 2}))
    assert splits.never_tested(divided) == ["b"]


def test_one_form_of_each_writer_is_held_out():
    lines = lines_of({"a": 8, "b": 2}, rows=6)
    split = splits.split_by_one_form(lines)
    assert count_of(
        {name: [line for line in part if line.writer == "a"] for name, part in split.items()}, "form"
    ) == (
        6,
        1,
        1,
    )
    assert count_of(split, "form") == (7, 1, 2)
    assert not shared(split, "form")
    single = splits.split_by_one_form(lines_of({"a": 1}, rows=6))
    assert count_of(single, "row") == (4, 1, 1)


def test_pages_that_are_copies_are_one_page():
    lines = [
        dataclasses.replace(line, copies="x") if line.form in ("a-00", "a-01", "a-02") else line
        for line in lines_of({"a": 6})
    ]
    split = splits.split_by_form(lines)
    assert not shared(split, "form")
    assert [{"x"} <= {line.copies for line in part} for part in split.values()].count(True) == 1
    assert splits.one_side(split) == (split, [])
