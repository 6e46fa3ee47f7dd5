"""A folder of scans, made here, and the lines that come out."""

import os

import pytest
from PIL import Image

from iam_writer.errors import BadImageError, IndexFileError, MissingDataError
from iam_writer.handwriting import Census, Line
from iam_writer.handwriting_folder import HandwritingFolder


@pytest.fixture
def folder(tmp_path):
    def make(*names: str):
        for name in names:
            path = tmp_path / "scans" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".tif", ".tiff"):
                Image.new("L", (3, 2), 200).save(path)
            else:
                path.write_text("not an image")
        return tmp_path / "scans"

    return make


def line(writer: str, stem: str, form: str) -> Line:
    id = f"{writer}/{stem}"
    return Line(id=id, writer=writer, form=f"{writer}/{form}", row=id)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("anna/letter1-03.png", line("anna", "letter1-03", "letter1")),
        ("anna/letter-1-03.JPG", line("anna", "letter-1-03", "letter-1")),
        ("anna/note.tiff", line("anna", "note", "note")),  # no '-': a page of its own
        ("anna/-3.png", line("anna", "-3", "-3")),
        ("Ömer K./día.1-2.jpeg", line("Ömer K.", "día.1-2", "día.1")),
        ("000/a01-000u-s00-00.tif", line("000", "a01-000u-s00-00", "a01-000u-s00")),
    ],
)
def test_a_name_tells_writer_and_form(folder, name, expected):
    assert HandwritingFolder(folder(name)).lines == [expected]


def test_lines_are_sorted_and_counted(folder):
    handwriting = HandwritingFolder(folder("b/x-1.png", "a/y-2.png", "a/y-1.png", "a/x.png"))
    assert [line.id for line in handwriting.lines] == ["a/x", "a/y-1", "a/y-2", "b/x-1"]
    assert handwriting.expected == Census(images=4, writers=2, forms=3)
    for found in handwriting.lines:
        assert handwriting.read(found).startswith(b"\x89PNG")


def test_other_files_are_ignored_and_named_unless_hidden(folder):
    root = folder(
        "a/x.png", "README.txt", "loose.png", "a/notes.txt", "a/deep/x.png", ".git/x.png", "a/.x.png"
    )
    (root / "a" / "folder.png").mkdir()
    handwriting = HandwritingFolder(root)
    assert [line.id for line in handwriting.lines] == ["a/x"]
    assert sorted(handwriting.ignored) == ["README.txt", "a/deep", "a/folder.png", "a/notes.txt", "loose.png"]


def test_two_files_of_one_name(folder):
    with pytest.raises(IndexFileError, match=r"a/x\.jpg and .*a/x\.png would be one image"):
        HandwritingFolder(folder("a/x.png", "a/x.jpg", "b/x.png"))


def test_names_are_text(folder):
    root = folder("a/x.png")
    try:
        os.rename(os.fsencode(root / "a"), os.fsencode(root) + b"/\xe4")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    with pytest.raises(IndexFileError, match="is not UTF-8"):
        HandwritingFolder(root)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "There is no folder .*scans. Expected is a folder a writer"),
        (["loose.png"], "There is no image in .*; found loose.png. Expected is a folder a writer"),
        (["a/.hidden"], "There is no image in .*; found nothing. Expected"),
    ],
)
def test_nothing_there(folder, names, message):
    with pytest.raises(MissingDataError, match=message):
        HandwritingFolder(folder(*names))


def test_no_folder_given():
    with pytest.raises(MissingDataError, match="--manual_dir"):
        HandwritingFolder(None)


def test_a_bad_image_is_named(folder):
    root = folder("a/x.png")
    (root / "a" / "x.png").write_bytes(b"")
    handwriting = HandwritingFolder(root)
    with pytest.raises(BadImageError, match=r"a/x\.png is empty"):
        handwriting.read(handwriting.lines[0])


def test_fingerprint_changes_with_the_files(folder):
    root = folder("a/x.png")
    before = HandwritingFolder(root).fingerprint
    assert HandwritingFolder(root).fingerprint == before
    os.utime(root / "a" / "x.png", (1, 1))
    touched = HandwritingFolder(root).fingerprint
    folder("b/x.png")
    assert len({before, touched, HandwritingFolder(root).fingerprint}) == 3
