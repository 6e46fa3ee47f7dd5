"""iam_writer/common/word_lists.py: lists of files as people type them."""

import pytest

from iam_writer.common import word_lists


@pytest.mark.parametrize(
    ("typed", "gathered"),
    [
        ("p a b", "p a b"),
        ("p --known a b", "p --known=a --known=b"),
        ("p --known=a b --json --seed=3 c", "p --known=a --known=b --json --seed=3 c"),
        ("p --known a -- b", "p --known=a b"),
        ("p --asked a b --known c", "p --asked=a --asked=b --known=c"),
        ("p --knowns a", "p --knowns a"),
    ],
)
def test_words_belong_to_the_flag_before_them(typed, gathered):
    assert word_lists.gathered(typed.split(), {"known", "asked"}) == gathered.split()


def test_commas_part_files_but_not_the_name_of_one(tmp_path):
    (tmp_path / "a,b.png").touch()
    assert word_lists.split(["x,y", "z"]) == ["x", "y", "z"]
    assert word_lists.split([str(tmp_path / "a,b.png")]) == [str(tmp_path / "a,b.png")]
