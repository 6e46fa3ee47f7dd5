"""A folder of scans, made here, and the lines that come out."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest
from conftest import png
from handwriting_pages import written_line, written_page
from PIL import Image

from iam_writer.common.errors import BadImageError, IndexFileError, MissingDataError, NoWritingError
from iam_writer.handwriting import pages, splits
from iam_writer.handwriting.folder import HandwritingFolder
from iam_writer.handwriting.line import Census, Line


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
        ("000/a01-000u-s00-00.tif", line("000", "a01-000u-s00-00", "a01-000u")),
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
        "a/x.png", "README.txt", "loose.png", "a/notes.txt", "a/deep/x.txt", ".git/x.png", "a/.x.png"
    )
    (root / "a" / "folder.png").mkdir()
    handwriting = HandwritingFolder(root)
    assert [line.id for line in handwriting.lines] == ["a/x"]
    assert sorted(handwriting.ignored) == ["README.txt", "a/deep/x.txt", "a/notes.txt", "loose.png"]


@pytest.mark.parametrize("suffix", ["webp", "BMP", "gif", "jp2", "pgm", "tif"])
def test_a_folder_may_hold_every_format_that_can_be_read(folder, suffix):
    root = folder("a/x.png")
    with Image.open(root / "a/x.png") as image:
        image.save(root / f"a/y.{suffix}")
    handwriting = HandwritingFolder(root)
    assert [line.id for line in handwriting.lines] == ["a/x", "a/y"] and handwriting.ignored == []
    assert handwriting.read(handwriting.lines[1]).startswith(b"\x89PNG")


def test_two_files_of_one_name(folder):
    with pytest.raises(IndexFileError, match=r"a/x\.jpg and .*a/x\.png have the same name"):
        HandwritingFolder(folder("a/x.png", "a/x.jpg", "b/x.png"))


@pytest.mark.parametrize("name", [" ", "ada ", "a\nda", "\u3000"])
def test_names_of_writers_fit_a_line(folder, name):
    with pytest.raises(IndexFileError, match="Rename it"):
        HandwritingFolder(folder("anna/a.png", f"{name}/b.png"))


def test_pages_left_out_of_a_tiff_file_are_told(folder):
    scans, page = folder("anna/three.tif"), Image.new("L", (300, 40), 255)
    page.save(scans / "anna/three.tif", save_all=True, append_images=[page, page])
    told = "anna/three.tif: only the first of its 3 pages is used. Save each page as a file of its own"
    assert told in HandwritingFolder(scans).warnings


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
        ([], "There is no folder .*scans\\. .*--manual_dir\\.\nMake a folder for each writer"),
        (["loose.png"], "There is no image of a writer in .*\\. It holds: loose\\.png\\.\nMake a folder"),
        (["a/.hidden"], "There is no image of a writer in .*\\. It holds: nothing\\.\nMake a folder"),
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


@pytest.fixture
def scans(tmp_path):
    """name → image, uint8, becomes a folder of scans."""

    def make(**images):
        for name, image in images.items():
            path = tmp_path / "scans" / name.replace("__", "/").replace("_", "-")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".png").write_bytes(png(image))
        return tmp_path / "scans"

    return make


def page(lines: int, seed: int = 0) -> np.ndarray:
    return written_page(lines=lines, width=900, seed=seed)[0]


BLANK_PAGE = np.full((600, 500), 250, np.uint8)
HIGH_LINE = written_line(width=1500, height=80)
"""High enough to be looked at."""


@pytest.mark.slow
def test_pages_become_their_lines_and_lines_stay_as_they_are(scans, tmp_path):
    root = scans(ada__letter_1=page(3), ada__letter_2=page(2, seed=1), ada__note_1=HIGH_LINE)
    handwriting = HandwritingFolder(root, tmp_path / "cut")
    assert [(line.id, line.form) for line in handwriting.lines] == [
        ("ada/letter-1-01", "ada/letter-1"),
        ("ada/letter-1-02", "ada/letter-1"),
        ("ada/letter-1-03", "ada/letter-1"),
        ("ada/letter-2-01", "ada/letter-2"),
        ("ada/letter-2-02", "ada/letter-2"),
        ("ada/note-1", "ada/note"),
    ]
    assert handwriting.expected == Census(images=6, writers=1, forms=3)
    assert handwriting.ignored == [] and handwriting.warnings == []
    for line, found in zip(handwriting.lines, pages.find_lines(page(3)).lines, strict=False):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(handwriting.read(line)))), found.image)
    assert handwriting.read(handwriting.lines[-1]) == (root / "ada/note-1.png").read_bytes()
    assert pickle.loads(pickle.dumps(handwriting)).read(handwriting.lines[4]) == handwriting.read(
        handwriting.lines[4]
    )


@pytest.mark.slow
def test_a_page_is_cut_once_and_anew_when_it_changes(scans, tmp_path, monkeypatch):
    root = scans(ada__letter=page(2))
    asked, read = [], pages.read
    monkeypatch.setattr(pages, "read", lambda path: asked.append(path) or read(path))

    def lines():
        return len(HandwritingFolder(root, tmp_path / "cut").lines)

    assert (lines(), lines(), len(asked)) == (2, 2, 1)
    scans(ada__letter=page(3))
    assert (lines(), lines(), len(asked)) == (3, 3, 2)
    [archive] = (tmp_path / "cut").glob("*.zip")
    archive.write_bytes(archive.read_bytes()[:1000])
    assert (lines(), len(asked)) == (3, 3)
    with monkeypatch.context() as newer:
        newer.setattr(pages, "VERSION", pages.VERSION + 1)
        assert (lines(), len(asked)) == (3, 4)


def test_cut_lines_lie_hidden_among_the_scans_unless_told_otherwise(scans):
    root = scans(ada__letter=page(2))
    assert len(HandwritingFolder(root).lines) == len(HandwritingFolder(root).lines) == 2
    assert sorted(path.suffix for path in (root / ".lines").glob("[!.]*")) == [".npz", ".zip"]


def test_an_archive_that_is_gone_is_a_bad_image(scans, tmp_path):
    handwriting = HandwritingFolder(scans(ada__letter=page(2)), tmp_path / "cut")
    [archive] = (tmp_path / "cut").glob("*.zip")
    archive.unlink()
    with pytest.raises(BadImageError, match=r"Line 1 in .* cannot be read"):
        handwriting.read(handwriting.lines[0])


def test_a_damaged_line_in_an_archive_that_is_whole_is_a_bad_image(scans, tmp_path):
    handwriting = HandwritingFolder(scans(ada__letter=page(2)), tmp_path / "cut")
    [archive] = (tmp_path / "cut").glob("*.zip")
    with zipfile.ZipFile(archive) as file:
        lines = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(archive, "w") as file:
        for name, line in lines.items():
            file.writestr(name, line[:-40] + b"x" * 40)
    with pytest.raises(BadImageError, match=r"Line 1 in .* is incomplete or damaged"):
        handwriting.read(handwriting.lines[0])


def test_pages_without_writing_are_left_out_and_told(scans, tmp_path):
    handwriting = HandwritingFolder(scans(ada__empty=BLANK_PAGE, ada__letter=page(3)), tmp_path / "cut")
    assert handwriting.ignored == ["ada/empty.png (nothing is written on it)"]
    assert {line.form for line in handwriting.lines} == {"ada/letter"}


def test_a_writer_who_has_written_nothing(scans, tmp_path):
    root = scans(ada__letter=page(2), bob__empty=BLANK_PAGE)
    with pytest.raises(
        NoWritingError, match=r"the scans of bob: bob/empty.png \(nothing is written on it\)\. Add scans"
    ):
        HandwritingFolder(root, tmp_path / "cut")


def test_a_line_that_looks_like_two_stays_with_the_others_of_its_page(scans, tmp_path):
    root = scans(ada__note_1=HIGH_LINE, ada__note_2=page(2), ada__note_3=HIGH_LINE)
    handwriting = HandwritingFolder(root, tmp_path / "cut")
    assert [line.id for line in handwriting.lines] == ["ada/note-1", "ada/note-2", "ada/note-3"]
    assert {line.form for line in handwriting.lines} == {"ada/note"}
    assert handwriting.warnings[1].startswith("ada/note-2.png: there seem to be several lines on it")
    assert handwriting.warnings[2].startswith("2 scans are copies of each other")


def test_what_is_odd_about_a_page_and_of_whom_there_is_little(scans, tmp_path):
    root = scans(ada__letter=page(4)[::-1, ::-1], bob__word=HIGH_LINE[:, :300])
    assert HandwritingFolder(root, tmp_path / "cut").warnings == [
        "1 writers have less than two lines of writing, which is little to learn from: bob",
        "ada/letter.png: it may be upside down",
    ]


def test_a_page_and_a_line_of_one_name(scans, tmp_path):
    root = scans(ada__letter=page(2), ada__letter_01=HIGH_LINE)
    with pytest.raises(IndexFileError, match=r"letter\.png and .*letter-01\.png would both give the line"):
        HandwritingFolder(root, tmp_path / "cut")


def test_the_fingerprint_knows_how_pages_were_cut(scans, tmp_path, monkeypatch):
    def fingerprints(root):
        before = HandwritingFolder(root, tmp_path / "cut").fingerprint
        with monkeypatch.context() as newer:
            newer.setattr(pages, "VERSION", pages.VERSION + 1)
            return before, HandwritingFolder(root, tmp_path / "cut").fingerprint

    before, after = fingerprints(scans(ada__note_1=HIGH_LINE))
    assert before == after
    before, after = fingerprints(scans(ada__letter=page(2)))
    assert before != after


def test_the_files_of_a_folder_in_the_folder_of_a_writer_are_of_one_page(folder):
    handwriting = HandwritingFolder(folder("ada/p1/1.png", "ada/p1/2.png", "ada/p2/1.png", "ada/b/c/x.png"))
    assert [(line.id, line.form) for line in handwriting.lines] == [
        ("ada/b/c/x", "ada/b/c"),
        ("ada/p1/1", "ada/p1"),
        ("ada/p1/2", "ada/p1"),
        ("ada/p2/1", "ada/p2"),
    ]


def test_pages_in_a_folder_of_a_writer_are_pages_of_their_own(scans, tmp_path):
    root = scans(ada__box__letter=page(2), ada__box__note=page(3, seed=1))
    assert {line.form for line in HandwritingFolder(root, tmp_path / "cut").lines} == {
        "ada/box/letter",
        "ada/box/note",
    }


def test_splits_of_ones_own_are_taken_as_they_are(folder):
    parts = {"train": "ada/a-1 ada/a-2 bob/b-1", "val": "ada/c-1 bob/d-1", "Test": "ada/e-1 bob/b-1"}
    root = folder(*(f"{part}/{name}.png" for part, names in parts.items() for name in names.split()))
    handwriting = HandwritingFolder(root)
    divided = splits.split_as_chosen(handwriting.lines)
    assert {name: [line.id for line in lines] for name, lines in divided.items()} == {
        "train": ["train/ada/a-1", "train/ada/a-2", "train/bob/b-1"],
        "validation": ["val/ada/c-1", "val/bob/d-1"],
        "test": ["Test/ada/e-1", "Test/bob/b-1"],
    }
    assert handwriting.warnings == [little("ada, bob", 2)]


def little(names, count):
    return f"{count} writers have less than two lines of writing, which is little to learn from: {names}"


def test_without_a_validation_split_some_pages_of_train_are_held_out(folder):
    names = [f"train/{writer}/p{p}-{i}.png" for writer in "ab" for p in range(4) for i in range(2)]
    divided = splits.split_as_chosen(HandwritingFolder(folder(*names, "test/a/x.png")).lines)
    assert {name: len(lines) for name, lines in divided.items()} == {"train": 12, "validation": 4, "test": 1}
    assert not {line.form for line in divided["train"]} & {line.form for line in divided["validation"]}


def test_pages_that_a_person_has_divided_and_writers_that_cannot_be_learnt_are_told(folder):
    root = folder("train/ada/a-1.png", "test/ada/a-2.png", "test/bob/b-1.png")
    told = HandwritingFolder(root).warnings[1:]
    assert told[0].startswith(
        "in your splits, 1 pages have lines in more than one of train, validation and test"
    )
    assert told[1] == "1 writers have no image in train, so the network cannot learn them: bob"
