"""A table manifest.csv tells writers, pages, splits and boxes; a wrong table is one sentence that names the row."""

import io

import numpy as np
import pytest
from conftest import png, scribble
from PIL import Image

from iam_writer.common.errors import BadImageError, IndexFileError
from iam_writer.handwriting import splits
from iam_writer.handwriting.folder import HandwritingFolder


@pytest.fixture
def table(tmp_path):
    """A function (rows, files) → a folder with the table and scribbles."""

    def make(text, *files):
        for file in files:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_bytes(png(scribble(file, 60, 200)))
        (tmp_path / "manifest.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path

    return make


def test_a_table_tells_who_wrote_what_on_which_page(table):
    root = table(
        "\ufeffFile, Writer ,page,note\n1.png,ada,letter,x\n\nbox/2.png,ada,letter,\n3-1.png,bob,\n3-2.png,bob,\n",
        *("1.png", "box/2.png", "3-1.png", "3-2.png", "4.png", "notes.txt"),
    )
    handwriting = HandwritingFolder(root)
    assert [(line.id, line.form) for line in handwriting.lines] == [
        ("1", "ada/letter"),
        ("3-1", "bob/3"),
        ("3-2", "bob/3"),
        ("box/2", "ada/letter"),
    ]
    assert handwriting.ignored == ["4.png", "notes.txt"]


def test_boxes_are_lines_and_splits_are_kept(table):
    root = table(
        "file,writer,page,split,box\n"
        '1.png,ada,p1,train,10 5 100 20\n1.png,ada,p1,train,"10,30,190,30"\n2.png,ada,p2,Val,0 0 200 60\n'
        "3.png,bob,p3,test,0 0 1 1\n",
        *("1.png", "2.png", "3.png"),
    )
    handwriting = HandwritingFolder(root)
    pixels = np.asarray(Image.open(io.BytesIO(handwriting.read(handwriting.lines[1]))))
    assert handwriting.lines[1].id == "1#02"
    assert np.array_equal(pixels, scribble("1.png", 60, 200)[30:60, 10:200])
    divided = splits.split_as_chosen(handwriting.lines)
    assert {name: len(lines) for name, lines in divided.items()} == {"train": 2, "validation": 1, "test": 1}


def test_a_box_outside_of_the_image(table):
    root = table("file,writer,page,box\n1.png,ada,p,150 0 60 20\n", "1.png")
    handwriting = HandwritingFolder(root)
    with pytest.raises(BadImageError, match=r"1\.png: its box 150 0 60 20 lies outside of 200x60 pixels"):
        handwriting.read(handwriting.lines[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the first line has no column file"),
        ("file,page\n1.png,p\n", "the first line has no column writer"),
        ("file,writer\n", "has no row"),
        ("file,writer\n1.png,\n", "row 2: the file or the writer is missing"),
        ("file,writer\n../1.png,ada\n", "row 2: '../1.png' is not a path below"),
        ("file,writer\n/etc/x.png,ada\n", "is not a path below"),
        ("file,writer\n9.png,ada\n", "there is no file '9.png'"),
        ("file,writer\nnotes.txt,ada\n", "'notes.txt' is not an image"),
        ("file,writer,split\n1.png,ada,learn\n", "the split is 'learn'"),
        ("file,writer,split\n1.png,ada,train\n2.png,ada,\n", "some rows have a split"),
        ("file,writer\n1.png,ada\n1.png,bob\n", "'1.png' has two rows"),
        ("file,writer,box\n1.png,ada,1 2 3\n", "the box is '1 2 3'"),
        ("file,writer,box\n1.png,ada,1 2 3 0\n", "the box is"),
        ('file,writer\n1.png," ada\nx"\n', "or has a line break"),
        (b"file,writer\n1.png,\xff\n", "in UTF-8"),
        ("file,writer\n" + "9" * 200_000 + ",a\n", "cannot be read as CSV"),
        ("file,writer\n" + "9" * 1_000 + ".png,a\n", "there is no file"),
    ],
)
def test_a_wrong_table(table, text, message):
    with pytest.raises(IndexFileError, match=message):
        HandwritingFolder(table(text, "1.png", "2.png", "notes.txt"))
