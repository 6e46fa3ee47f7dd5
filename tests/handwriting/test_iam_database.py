"""Tiny imitations of IAM, as its site serves it and as copies are usually stored. They hold nothing of the real IAM."""

import contextlib
import gzip
import io
import os
import pathlib
import tarfile
import time
import zipfile

import pytest
from handwriting_pages import written_page
from PIL import Image

from iam_writer.common.errors import ArchiveError, BadImageError, IndexFileError, MissingDataError
from iam_writer.handwriting import archives, iam_index
from iam_writer.handwriting.iam_database import IamDatabase
from iam_writer.handwriting.iam_index import Piece, physical_rows
from iam_writer.handwriting.line import Census, Line

FORMS = """\
#--- forms.txt ---#
# format: a01-000u 000 2 prt 7 5 52 36
a01-000u 000 2 prt 2 1 9 8
b02-017 641 1 all 1 1 2 2
"""
SENTENCES = """\
# format: a01-000u-s0-00 0 ok 154 19 408 746 1663 91 A|MOVE
a01-000u-s00-00 0 ok 154 19 100 700 1600 90 A|MOVE|to
a01-000u-s00-01 0 err 156 9 100 900 400 66 M Ps|.
a01-000u-s01-00 1 er 156 14 700 902 900 68 Mr.|Michael|Foot
b02-017-s00-00 0 ok 156 9 90 900 400 66 put|down
"""
LINES = """\
# format: a01-000u-00 ok 154 19 408 746 1663 91 A|MOVE
a01-000u-00 ok 154 19 100 700 1600 90 A|MOVE|to
a01-000u-01 err 156 23 100 900 1500 70 M Ps|.|Mr.|Michael|Foot
b02-017-00 ok 156 9 90 900 400 66 put|down
"""
ASCII = {"forms.txt": FORMS, "sentences.txt": SENTENCES, "lines.txt": LINES}
IDS = ["a01-000u-s00-00", "a01-000u-s00-01", "a01-000u-s01-00", "b02-017-s00-00"]
ALL = Census(images=4, writers=2, forms=2)


def png(width: int = 3) -> bytes:
    out = io.BytesIO()
    Image.new("L", (width, 2), 200).save(out, format="PNG")
    return out.getvalue()


def tree(ids=IDS) -> dict[str, bytes]:
    """The images where IAM's archives have them: a01/a01-000u/a01-000u-s00-00.png."""
    forms = {id: id.partition("-s")[0] for id in ids}
    return {f"{form.partition('-')[0]}/{form}/{id}.png": png() for id, form in forms.items()}


def tgz(files: dict[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in files.items():
            data = data.encode() if isinstance(data, str) else data
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def zipped(files: dict[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def below(folder: str, files: dict) -> dict:
    return {f"{folder}/{name}": data for name, data in files.items()}


def flat(files: dict) -> dict:
    return {name.rpartition("/")[2]: data for name, data in files.items()}


@pytest.fixture
def put(tmp_path):
    """Writes files below a folder and returns it."""

    def write(files: dict[str, bytes | str]) -> pathlib.Path:
        folder = tmp_path / "manual"
        folder.mkdir(exist_ok=True)
        for name, data in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data.encode() if isinstance(data, str) else data)
        return folder

    return write


PER_WRITER = {f"{'641' if id[0] == 'b' else '000'}/{id}.png": png() for id in IDS}

LAYOUTS = {
    "archives as served": {"ascii.tgz": tgz(ASCII), "sentences.tgz": tgz(tree())},
    "archives, in a folder": {"iam/ascii.tgz": tgz(ASCII), "iam/sentences.tgz": tgz(tree())},
    "archives whose names begin with ./": {**ASCII, "sentences.tgz": tgz(below(".", tree()))},
    "archives with a folder inside": {
        "ascii.tgz": tgz(below("ascii", ASCII)),
        "sentences.tgz": tgz(below("sentences", tree())),
    },
    "unpacked by the browser": {**ASCII, "sentences.tar": gzip.decompress(tgz(tree()))},
    "unpacked under its old name": {**ASCII, "sentences.tgz": gzip.decompress(tgz(tree()))},
    "zip archives": {"ascii.zip": zipped(ASCII), "sentences.zip": zipped(tree())},
    "a zip archive made on a Mac": {
        **ASCII,
        "sentences.zip": zipped(
            {**tree(), **below("__MACOSX/a01", {"._a01-000u-s00-00.png": "not an image"})}
        ),
    },
    "packed as zip under its old name": {**ASCII, "sentences.tgz": zipped(tree())},
    ".tar.gz": {**ASCII, "sentences.tar.gz": tgz(tree())},
    "extracted into sentences": {**below("ascii", ASCII), **below("sentences", tree())},
    "extracted in place": {**ASCII, **tree()},
    "flat": {**ASCII, **below("data_subset", flat(tree()))},
    "a folder per writer": {**ASCII, **PER_WRITER},
    "a tree, and images elsewhere": {
        **ASCII,
        **below("sentences", tree()),
        **below("original", flat(tree())),
    },
    "an archive, and images elsewhere": {
        **ASCII,
        "sentences.tgz": tgz(tree()),
        **below("original", flat(tree())),
    },
    "a tree, and its archive": {**ASCII, **below("sentences", tree()), "sentences.tgz": b"not looked at"},
    "lines beside sentences": {
        **ASCII,
        **below("sentences", tree()),
        **below("lines", {"a01/a01-000u/a01-000u-00.png": png()}),
    },
    "Windows' line ends": {
        **{name: text.replace("\n", "\r\n") for name, text in ASCII.items()},
        **below("sentences", tree()),
    },
    "hidden files": {**ASCII, **below("sentences", tree()), **below("sentences/.trash", tree())},
    "an index in another order": {
        **ASCII,
        "sentences.txt": "\n".join(reversed(SENTENCES.splitlines())),
        **tree(),
    },
    "a byte order mark": {**ASCII, "sentences.txt": "\ufeff" + SENTENCES, **tree()},
    "two names of forms.txt": {**below("ascii", ASCII), "forms_for_parsing.txt": "not looked at", **tree()},
}


@pytest.mark.parametrize("files", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_every_layout_gives_the_same(put, tmp_path, files):
    iam = IamDatabase(put(files), extract_dir=tmp_path / "extracted")
    assert iam.lines == [
        Line("a01-000u-s00-00", "000", "a01-000u", "a01-000u-s00-00", "A MOVE to"),
        Line("a01-000u-s00-01", "000", "a01-000u", "a01-000u-s00-01", "M Ps ."),
        Line("a01-000u-s01-00", "000", "a01-000u", "a01-000u-s00-01", "Mr. Michael Foot"),
        Line("b02-017-s00-00", "641", "b02-017", "b02-017-s00-00", "put down"),
    ]
    assert iam.expected == ALL
    assert all(iam.read(line) == png() for line in iam.lines)


def test_kaggle_copies_have_neither_header_nor_text(put):
    forms = "".join(row + "\n" for row in FORMS.splitlines() if not row.startswith("#"))
    iam = IamDatabase(put({"forms_for_parsing.txt": forms, **below("data_subset", flat(tree()))}))
    assert [line.id for line in iam.lines] == IDS
    assert {(line.row, line.text) for line in iam.lines} == {("", "")}
    assert iam.expected == ALL


def test_lines(put):
    files = below("lines", {"a01-000u-00.png": png(), "b02-017-00.png": png()})
    expected = [
        Line("a01-000u-00", "000", "a01-000u", "a01-000u-00", "A MOVE to"),
        Line("b02-017-00", "641", "b02-017", "b02-017-00", "put down"),
    ]
    iam = IamDatabase(put({**ASCII, **files}), unit="lines")
    assert iam.lines == expected
    assert iam.expected == Census(images=3, writers=2, forms=2)


WORDS = """\
# format: a01-000u-00-00 ok 154 1 408 768 27 51 AT A
a01-000u-00-00 ok 154 408 768 27 51 AT A
a01-000u-00-01 err 154 507 766 213 48 NN MOVE
b02-017-00-00 ok 154 -1 -1 -1 -1 . .
"""


def test_words(put):
    files = below(
        "words", {f"{id}.png": png() for id in ("a01-000u-00-00", "a01-000u-00-01", "b02-017-00-00")}
    )
    iam = IamDatabase(put({**ASCII, "words.txt": WORDS, **files}), unit="words")
    assert iam.lines == [
        Line("a01-000u-00-00", "000", "a01-000u", "a01-000u-00", "A"),
        Line("a01-000u-00-01", "000", "a01-000u", "a01-000u-00", "MOVE"),
        Line("b02-017-00-00", "641", "b02-017", "b02-017-00", "."),
    ]
    assert iam.warnings == [] and iam.expected == Census(3, 2, 2)


def test_forms_are_cut_into_lines(put, tmp_path):
    def scan(seed):
        out = io.BytesIO()
        Image.fromarray(written_page(lines=3, width=900, seed=seed)[0]).save(out, "PNG")
        return out.getvalue()

    folder = put(
        {
            "ascii.tgz": tgz(ASCII),
            "formsA-D.tgz": tgz({"a01-000u.png": scan(0)}),
            "formsE-H.zip": zipped({"b02-017.png": scan(1)}),
        }
    )
    iam = IamDatabase(folder, unit="forms", extract_dir=tmp_path / "extracted")
    assert [(line.id, line.writer, line.form) for line in iam.lines] == [
        *((f"a01-000u-0{i}", "000", "a01-000u") for i in (1, 2, 3)),
        *((f"b02-017-0{i}", "641", "b02-017") for i in (1, 2, 3)),
    ]
    assert iam.expected == Census(images=3, writers=2, forms=2)
    assert all(iam.read(line).startswith(b"\x89PNG") for line in iam.lines)


XML = {
    "a01-000u.xml": '<?xml version="1.0"?>\n<form id="a01-000u" writer-id="000" x="1"><line id="a01-000u-00"/></form>',
    "b02-017.xml": '<form writer-id="641"><handwritten-part><line id="1"/><line id="2"/></handwritten-part></form>',
    "notes.xml": "<form writer-id='7'/>",
}


@pytest.mark.parametrize(
    "files",
    [{"xml.tgz": tgz(XML)}, below("xml", XML), {"xml.zip": zipped(XML)}],
    ids=["tgz", "folder", "zip"],
)
def test_xml_tells_the_writers_if_there_is_no_forms_txt(put, tmp_path, files):
    iam = IamDatabase(put({**files, **tree()}), extract_dir=tmp_path / "extracted")
    assert {line.form: line.writer for line in iam.lines} == {"a01-000u": "000", "b02-017": "641"}


def test_a_row_that_cannot_be_read_is_counted_and_named_and_the_load_goes_on(put):
    rows = SENTENCES.splitlines()
    rows[1] = rows[1].replace("90 A|MOVE", "90...|A|MOVE")
    rows[3] = rows[3][:40]
    iam = IamDatabase(put({**tables(sentences="\n".join(rows)), **tree()}))
    assert [line.id for line in iam.lines] == IDS
    assert [line.text for line in iam.lines] == ["... A MOVE to", "M Ps .", "", "put down"]
    # The row of the third piece is not known, so it is taken for that of the second.
    assert [line.row for line in iam.lines] == [IDS[0], IDS[1], IDS[1], IDS[3]]
    [told] = iam.warnings
    assert (
        told.startswith("2 rows of sentences.txt have not the form of a row.")
        and "line 2: 'a01-000u-s00" in told
    )


@pytest.mark.parametrize(
    ("files", "unit", "hint"),
    [
        (
            {"lines.tgz": tgz({"a01-000u-00.png": png()})},
            "sentences",
            "lines.tgz fits the configs .* --dataset=iam_writer/top50_lines",
        ),
        ({"lines/a01/a01-000u-00.png": png()}, "sentences", "images like a01-000u-00.png fit .*top50_lines"),
        (
            {"words.zip": zipped({})},
            "lines",
            "words.zip fits the configs .* --dataset=iam_writer/top50_words",
        ),
        (
            {"formsA-D.tgz": tgz({})},
            "words",
            "formsA-D.tgz fits the configs .* --dataset=iam_writer/top50_forms",
        ),
        ({"sentences.tgz": tgz({})}, "forms", "sentences.tgz fits --dataset=iam_writer/top50$"),
        (
            {"archive.zip": zipped({})},
            "sentences",
            "archive.zip is no archive of IAM by its name: unpack it here",
        ),
    ],
)
def test_a_message_names_the_config_that_fits_what_is_there(put, tmp_path, files, unit, hint):
    with pytest.raises(MissingDataError, match=f"(?m)^  {hint}"):
        IamDatabase(put({"forms.txt": FORMS, **files}), unit, tmp_path / "extracted")


def test_without_lines_txt_forms_txt_tells_their_number(put):
    iam = IamDatabase(put({"forms.txt": FORMS, "b02-017-00.png": png()}), unit="lines")
    assert iam.lines == [Line("b02-017-00", "641", "b02-017", "b02-017-00")]
    assert iam.expected == Census(images=3, writers=2, forms=2)


def test_a_subset_is_fine(put):
    iam = IamDatabase(put({**ASCII, **below("sentences", tree(IDS[1:2]))}))
    # Its row is its place in the whole index, not among the files that exist.
    assert [(line.id, line.row) for line in iam.lines] == [("a01-000u-s00-01", "a01-000u-s00-01")]
    assert iam.expected == ALL


def test_a_forms_txt_cut_down_promises_less(put):
    cut = {**ASCII, "forms.txt": "a01-000u 000 2 prt 7 5 52 36", **tree(IDS[:1])}
    assert IamDatabase(put(cut)).expected == Census(images=3, writers=1, forms=1)


def test_text_that_is_not_utf_8_is_read_all_the_same(put):
    latin = SENTENCES.replace("down", "caf\xe9").encode("latin-1")
    iam = IamDatabase(put({**ASCII, "sentences.txt": latin, **tree()}))
    assert iam.lines[-1].text == "put caf\ufffd"


def test_a_bad_image_is_named(put):
    iam = IamDatabase(put({**ASCII, **tree(), "a01/a01-000u/a01-000u-s00-00.png": b""}))
    with pytest.raises(BadImageError, match=r"a01-000u-s00-00\.png is empty"):
        iam.read(iam.lines[0])


def test_links_are_followed_and_broken_ones_ignored(put, tmp_path):
    put(tree()).rename(tmp_path / "elsewhere")
    manual = put(ASCII)
    (manual / "linked").symlink_to(tmp_path / "elsewhere")
    (manual / "a01-000u-s00-00.png").symlink_to("nowhere")
    assert [line.id for line in IamDatabase(manual).lines] == IDS


def test_unit_is_checked():
    with pytest.raises(ValueError, match=r"'strokes'\. It must be one of sentences, lines, words, forms"):
        IamDatabase("anywhere", unit="strokes")


def piece(id: str, x: int, width: int) -> Piece:
    return Piece(id, id.partition("-s")[0], x, width, "")


@pytest.mark.parametrize(
    ("pieces", "rows"),
    [
        ([("f-s00-00", 0, 90), ("f-s00-01", 0, 90)], "0 1"),  # a sentence on two lines
        ([("f-s00-00", 0, 40), ("f-s01-00", 50, 40)], "0 0"),
        ([("f-s00-00", 0, 20), ("f-s01-00", 30, 20), ("f-s02-00", 60, 30)], "0 0 0"),
        ([("f-s00-00", 0, 40), ("f-s01-00", 50, 40), ("f-s01-01", 0, 90)], "0 0 2"),
        ([("f-s00-00", 0, 90), ("f-s01-00", 5, 90)], "0 1"),  # indented, but a line of its own
        ([("f-s00-00", 0, 40), ("f-s00-01", 50, 40)], "0 1"),  # the same sentence goes on: a new line
        ([("f-s00-00", 0, 40), ("g-s00-00", 50, 40)], "0 1"),  # another form
        ([("f-s00-00", 0, 40), ("f-s01-00", 38, 40)], "0 0"),  # slanted: the boxes overlap
        ([], ""),
    ],
)
def test_physical_rows(pieces, rows):
    found = physical_rows([piece(*args) for args in pieces])
    assert found == {pieces[i][0]: pieces[int(row)][0] for i, row in enumerate(rows.split())}


def tables(**changed: str) -> dict[str, str]:
    return {f"{name}.txt": changed.get(name, ASCII[f"{name}.txt"]) for name in ("forms", "sentences")}


MALFORMED = {
    "a form's row is cut": (tables(forms="# x\na01-000u 000 2"), r"forms\.txt, line 2: .*'a01-000u 000 2'"),
    "not a form's id": (tables(forms="a1-000u 000 2 prt 7 5 52 36"), r"forms\.txt, line 1"),
    "a box of letters": (
        tables(sentences="a01-000u-s00-00 0 ok 154 19 x y w h A"),
        r"4 images are not in sentences\.txt",
    ),
    "no table": (
        tables(sentences="<p>\n" * 9),
        r"(?s)9 of 9 rows of .*sentences\.txt have not the form.*line 1: '<p>'",
    ),
    "a form by two writers": (
        tables(forms=FORMS + "a01-000u 001 2 prt 7 5 52 36\n"),
        r"forms\.txt, line 5: form a01-000u has writer 001 here, but writer 000",
    ),
    "a sentence twice": (
        tables(sentences=SENTENCES + SENTENCES.splitlines()[-1]),
        r"sentences\.txt, line 6: b02-017-s00-00 has an earlier row",
    ),
    "an image of an unknown form": (
        tables(forms="a01-000u 000 2 prt 7 5 52 36"),
        r"1 images belong to forms that are not in forms\.txt: b02-017-s00-00\. ",
    ),
    "images that sentences.txt does not know": (
        tables(sentences=SENTENCES.splitlines()[-1]),
        r"3 images are not in sentences\.txt: a01-000u-s00-00, a01-000u-s00-01, a01-000u-s01-00\. ",
    ),
}


@pytest.mark.parametrize(("index", "message"), MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_index(put, index, message):
    with pytest.raises(IndexFileError, match=message):
        IamDatabase(put({**index, **tree()}))


def test_only_the_first_five_strangers_are_named(put):
    ids = [f"z09-001-s00-0{i}" for i in range(7)]
    with pytest.raises(IndexFileError, match=r"7 images .*: (z\S+ ){5}\.\.\.\. Remove"):
        IamDatabase(put({**ASCII, **tree(ids)}))


def test_a_form_twice_by_one_writer_is_fine(put):
    assert IamDatabase(put({**tables(forms=FORMS + FORMS), **tree()})).expected == ALL


def test_an_image_twice(put):
    with pytest.raises(IndexFileError, match=r"There are two images of a01-000u-s00-00: .*/a/.* and .*/b/.*"):
        IamDatabase(put({**ASCII, **below("a", flat(tree())), **below("b", flat(tree()))}))


HOW = "(?s:.*)register .*(?s:.*)ascii.tgz and sentences.tgz"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, f"missing: forms.txt .*; images with names .*\n  found: nothing{HOW}"),
        (
            ASCII,
            f"missing: images with names like a01-000u-s00-00.png .*\n  found: forms.txt, lines.txt, sen{HOW}",
        ),
        (tree(), f"missing: forms.txt .*\n  found: a01, b02{HOW}"),
        ({f"{i}.jpg": b"" for i in range(9)}, "found: 0.jpg, 1.jpg, 2.jpg, 3.jpg, 4.jpg and 4 more"),
        ({**ASCII, "sentences.tgz": tgz({"readme": "empty"})}, "missing: images with names"),
    ],
    ids=["nothing", "no images", "no index", "something else", "an archive without images"],
)
def test_missing_files(put, tmp_path, files, message):
    with pytest.raises(MissingDataError, match=message):
        IamDatabase(put(files), extract_dir=tmp_path / "extracted")


def test_missing_folder(put, tmp_path):
    with pytest.raises(MissingDataError, match=f"There is no folder .*nowhere.*{HOW}"):
        IamDatabase(tmp_path / "nowhere")
    with pytest.raises(MissingDataError, match=f"--manual_dir.*{HOW}"):
        IamDatabase(None)
    with pytest.raises(MissingDataError, match=r"sentences\.tgz must be extracted.* extract_dir"):
        IamDatabase(put({**ASCII, "sentences.tgz": tgz(tree())}))


def test_an_archive_is_extracted_once(put, tmp_path):
    manual = put({**ASCII, "sentences.tgz": tgz({**tree(), "run.sh": "not wanted"})})
    first = IamDatabase(manual, extract_dir=tmp_path / "extracted")
    (folder,) = (tmp_path / "extracted").iterdir()
    before = folder.stat().st_mtime_ns
    again = IamDatabase(manual, extract_dir=tmp_path / "extracted")
    assert (again.lines, again.fingerprint) == (first.lines, first.fingerprint)
    assert [path.stat().st_mtime_ns for path in (tmp_path / "extracted").iterdir()] == [before]
    assert sorted(path.name for path in folder.rglob("*.*")) == [f"{id}.png" for id in IDS]
    put({"sentences.tgz": tgz(tree(IDS[:1]))})  # another download under the same name
    assert len(IamDatabase(manual, extract_dir=tmp_path / "extracted").lines) == 1


def test_extract_dir_may_lie_in_manual_dir(put):
    manual = put({"ascii.tgz": tgz(ASCII), "sentences.tgz": tgz(below("sentences", tree()))})
    assert len(IamDatabase(manual, extract_dir=manual / "extracted").lines) == 4
    put(
        {"sentences.tgz": tgz(below("sentences", tree(IDS[:1])))}
    )  # what was extracted before is not searched
    assert len(IamDatabase(manual, extract_dir=manual / "extracted").lines) == 1


def test_another_process_may_extract_at_the_same_time(put, tmp_path, monkeypatch):
    manual = put({**ASCII, "sentences.tgz": tgz(tree())})
    extract_tar = archives._extract_tar

    def slowly(*args):
        monkeypatch.setattr(archives, "_extract_tar", extract_tar)
        monkeypatch.setattr(os, "getpid", lambda: -1)
        assert len(IamDatabase(manual, extract_dir=tmp_path / "extracted").lines) == 4  # the other one
        extract_tar(*args)

    monkeypatch.setattr(archives, "_extract_tar", slowly)
    assert len(IamDatabase(manual, extract_dir=tmp_path / "extracted").lines) == 4
    assert len(list((tmp_path / "extracted").iterdir())) == 1


def with_member(
    type: bytes = tarfile.REGTYPE, name: str = "a01/x.png", link: str = "", data: bytes = b"x"
) -> bytes:
    """A good archive with one odd member in its middle."""
    out = io.BytesIO()
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = type, link, len(data)
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        good = tarfile.TarInfo("a01/good.png")
        tar.addfile(good)
        tar.addfile(member, io.BytesIO(data))
        good.name = "a01/last.png"
        tar.addfile(good)
    return out.getvalue()


def with_broken_header() -> bytes:
    """tarfile takes it for the end of the archive."""
    tar = bytearray(gzip.decompress(tgz(tree())))
    second = 2 * tarfile.BLOCKSIZE
    tar[second : second + 8] = b"\xff" * 8
    return gzip.compress(bytes(tar))


def with_wrong_checksum() -> bytes:
    data = bytearray(tgz(tree()))
    data[-8] ^= 1
    return bytes(data)


def with_negative_size() -> bytes:
    """Its data would end before they begin: a reader could go round in circles."""
    member = tarfile.TarInfo("a01/x.png")
    member.size = -1024
    return gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + bytes(1024))


def encrypted_zip() -> bytes:
    """An archive that claims, in both places, that its file is encrypted."""
    data = bytearray(zipped({"a01/x.png": b"x" * 20}))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    return bytes(data)


EVIL = {
    "would be written outside": (
        with_member(name="a01/../../x.png"),
        "'a01/../../x.png' would be written outside",
    ),
    "leads outside at once": (with_member(name="../x.png"), "'../x.png' would be written outside"),
    "symbolic link": (
        with_member(tarfile.SYMTYPE, link="../../../outside"),
        "'a01/x.png' is neither a file nor a folder",
    ),
    "hard link": (
        with_member(tarfile.LNKTYPE, link="/etc/passwd"),
        "'a01/x.png' is neither a file nor a folder",
    ),
    "pipe": (with_member(tarfile.FIFOTYPE), "'a01/x.png' is neither a file nor a folder"),
    "device": (with_member(tarfile.CHRTYPE), "'a01/x.png' is neither a file nor a folder"),
    "sparse": (with_member(tarfile.GNUTYPE_SPARSE), "'a01/x.png' is neither a file nor a folder"),
    "a negative size": (with_negative_size(), ""),
    "a file as folder": (with_member(name="a01/good.png/x.png"), "cannot be extracted .*"),
    "too large": (with_member(data=bytes(2001)), "'a01/x.png' is larger than 2,000 bytes"),
    "a name too long": (with_member(name="x" * 3000), "a part of 3,072 bytes"),
    "too many": (tgz({f"{i}.png": "" for i in range(11)}), "more than 10 files"),
    "too large in all": (tgz({f"{i}.png": bytes(1500) for i in range(9)}), "more than 9,000 bytes"),
    "truncated": (tgz(tree())[:-30], "cannot be read as a tar or zip archive.*Download it again"),
    "truncated much": (tgz(tree())[:50], "cannot be read as a tar or zip archive.*Download it again"),
    "truncated, not compressed": (
        gzip.decompress(tgz(tree()))[:1100],
        "cannot be read as a tar or zip archive",
    ),
    "truncated between members": (
        gzip.decompress(tgz(tree()))[:1024],
        "cannot be read as a tar or zip archive",
    ),
    "a wrong checksum": (with_wrong_checksum(), "cannot be read as a tar or zip archive"),
    "empty": (b"", "cannot be read as a tar or zip archive"),
    "zip, truncated": (zipped(tree())[:-30], "cannot be read as a tar or zip archive"),
    "zip, a wrong checksum": (
        zipped({"a01/x.png": "precious"}, zipfile.ZIP_STORED).replace(b"precious", b"previous"),
        "cannot be read as a tar or zip archive",
    ),
    "zip, encrypted": (encrypted_zip(), "is encrypted.*Unpack it with another program"),
    "zip, too large": (zipped({"x.png": bytes(2001)}), "'x.png' is larger than 2,000 bytes"),
    "zip, too many": (
        zipped({f"{i}.png": "" for i in range(11)}),
        "more than 10 files",
    ),
    "zip, too large in all": (
        zipped({f"{i}.png": bytes(1500) for i in range(9)}),
        "more than 9,000 bytes",
    ),
    "a login page": (b"<html>Please log in" * 99, "a web page that was saved"),
}


@pytest.mark.parametrize(("data", "message"), EVIL.values(), ids=EVIL.keys())
def test_evil_archives(put, tmp_path, monkeypatch, data, message):
    monkeypatch.setattr(archives, "MAX_MEMBERS", 10)
    monkeypatch.setattr(archives, "MAX_MEMBER_BYTES", 2000)
    monkeypatch.setattr(archives, "MAX_BYTES", 9000)
    manual = put({**ASCII, "sentences.tgz": data})
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ArchiveError, match=f"(?s)sentences\\.tgz.*{message}"):
        IamDatabase(manual, extract_dir=tmp_path / "extracted")
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / "extracted"])


def test_a_broken_header_is_no_end(put, tmp_path):
    manual = put({**ASCII, "sentences.tgz": with_broken_header()})
    with pytest.raises(ArchiveError, match="no end mark"):
        IamDatabase(manual, extract_dir=tmp_path / "extracted")


@pytest.mark.parametrize("name", ["/outside/x.png", "..\\x.png", "C:x.png"])
def test_names_that_lead_outside_elsewhere_or_are_absolute_stay_inside(put, tmp_path, name):
    """tarfile's filter makes the first relative; the others are harmless names here, and refused on Windows."""
    archive = put({"sentences.tgz": with_member(name=name)}) / "sentences.tgz"
    before = set(tmp_path.rglob("*"))
    folder = archives.extract(archive, tmp_path / "extracted", lambda name: True)
    new = {path for path in tmp_path.rglob("*") if path not in before} - {tmp_path / "extracted", folder}
    assert all(folder in path.parents for path in new)
    assert (folder / name.lstrip("/")).read_bytes() == b"x"


@pytest.mark.parametrize("name", ["../x.png", "/outside/x.png", "a01/../../../x.png"])
def test_names_of_a_zip_archive_stay_inside(put, tmp_path, name):
    archive = put({"sentences.zip": zipped({name: "x"})}) / "sentences.zip"
    folder = archives.extract(archive, tmp_path / "extracted", lambda name: True)
    assert [path.read_bytes() for path in folder.rglob("*.png")] == [b"x"]
    assert [path for path in tmp_path.rglob("*.png") if folder not in path.parents] == []


def test_of_a_name_twice_in_a_tar_archive_the_last_counts(put, tmp_path):
    """This is how tar appends a newer file to an archive."""
    archive = put({"sentences.tgz": with_member(name="a01/good.png")}) / "sentences.tgz"
    folder = archives.extract(archive, tmp_path / "extracted", lambda name: True)
    assert (folder / "a01/good.png").read_bytes() == b"x"


@pytest.mark.slow
def test_every_damaged_byte_of_an_archive_is_survived(put, tmp_path):
    """A damaged archive is either extracted or raises ArchiveError, whatever the damage is."""
    good = gzip.decompress(tgz(dict(list(tree().items())[:1])))[:2048]
    archive = put({}) / "sentences.tar"
    for position in range(512):
        bad = bytearray(good)
        bad[position] ^= 0x80
        checksum = (
            sum(bad[:148]) + sum(bad[156:512]) + 8 * ord(" ")
        )  # so that the damage is not noticed at once
        if not 148 <= position < 156:
            bad[148:156] = f"{checksum:06o}\0 ".encode()
        archive.write_bytes(bad)
        with contextlib.suppress(ArchiveError):
            archives.extract(archive, tmp_path / "extracted", lambda name: True)
    assert {path.name for path in tmp_path.iterdir()} == {"manual", "extracted"}


def test_fingerprint_tells_files_apart_and_places_not(put, tmp_path):
    files = {**tables(), **tree()}
    first = IamDatabase(put(files)).fingerprint
    assert IamDatabase(put({})).fingerprint == first
    other_image = IamDatabase(put({"b02/b02-017/b02-017-s00-00.png": png(width=99)})).fingerprint
    other_index = IamDatabase(put({"forms.txt": FORMS + "\n"})).fingerprint
    fewer = put({})
    (fewer / "b02/b02-017/b02-017-s00-00.png").unlink()
    assert len({first, other_image, other_index, IamDatabase(fewer).fingerprint}) == 4
    moved = fewer / "sentences"
    moved.mkdir()
    put({**tables(), **below("sentences", tree())})
    assert IamDatabase(fewer).fingerprint == first


REAL = os.environ.get("IAM_DIR")
needs_iam = pytest.mark.skipif(
    not REAL, reason="IAM_DIR is not set to a folder that holds IAM or a part of it"
)


@needs_iam
def test_real_iam():
    start = time.monotonic()
    iam = IamDatabase(REAL)
    assert time.monotonic() - start < 5  # 0.2 s on a quiet machine
    found = Census.of(iam.lines)
    assert iam.expected == Census(images=16_752, writers=657, forms=1_539)
    assert 2 <= found.writers <= iam.expected.writers
    assert found.images <= iam.expected.images
    assert iam.read(iam.lines[0]).startswith(b"\x89PNG")


@needs_iam
def test_rows_are_the_lines_of_real_iam():
    """The pieces of a row together hold the words of exactly one line of lines.txt."""
    index = {path.stem: path for path in pathlib.Path(REAL).rglob("*.txt")}
    if not {"sentences", "lines"} <= index.keys():
        pytest.skip("sentences.txt and lines.txt do not lie loose in IAM_DIR")
    pieces = iam_index.read_pieces(index["sentences"], "sentences").by_id
    lines = iam_index.read_pieces(index["lines"], "lines").by_id
    rows = {}
    for id, row in physical_rows(pieces.values()).items():
        rows.setdefault((pieces[id].form, row), []).append(pieces[id].text)
    found = sorted((form, " ".join(texts)) for (form, _), texts in rows.items())
    assert found == sorted((line.form, line.text) for line in lines.values())
