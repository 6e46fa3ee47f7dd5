"""Public sets in the layouts of their own archives, with images made here."""

import json
import pathlib
import re
import zipfile

import pytest
from conftest import png, run_module, scribble
from handwriting_pages import written_page
from invented_pages import page as invented_page

from iam_writer.common.errors import IndexFileError, MissingDataError
from iam_writer.handwriting import splits
from iam_writer.handwriting.public_sets import SETS, PublicHandwriting
from iam_writer.handwriting.synthetic import SyntheticHandwriting
from iam_writer.iam_writer_dataset_builder import prepare

LAYOUTS = {
    "cvl": [
        *(
            f"cvl-database-1-1/testset/lines/{w}/{w}-{p}-{i}.tif"
            for w in ("0052", "0053")
            for p in (1, 2, 3, 4, 6)
            for i in (0, 2)
        ),
        *(
            f"cvl-database-1-1/testset/words/{w}/{w}-{p}-0-1-well-known.tif"
            for w in ("0052", "0053")
            for p in (1, 2)
        ),
        *(f"cvl-database-1-1/testset/pages/{w}-{p}.tif" for w in ("0052", "0053") for p in (1, 2)),
        "cvl-database-1-1/testset/xml/0052-1_attributes.xml",
    ],
    "firemaker": [
        *(
            f"300dpi/{task}/{w}0{p}.tif"
            for w in (152, 153)
            for p, task in enumerate(
                ("p1-copy-normal", "p2-copy-upper", "p3-copy-forged", "p4-self-natural"), 1
            )
        ),
        "300dpi/space.gif",
        "Firemaker-writer-info.dat",
    ],
    "icdar2013": [f"icdar2013_benchmarking_dataset/{w}_{p}.tif" for w in (101, 102) for p in (1, 2, 3, 4)],
    "cerug": [
        f"CERUG-{c}/Writer01{w}_0{p}.png"
        for w in ("01", "02")
        for c, p in (("CN", 1), ("CN", 2), ("EN", 3), ("MIXED", 4))
    ],
    "csafe": [
        f"{w}/{w}_s0{s}_p{t}_r0{r}.png"
        for w in ("w0001", "w0002")
        for s in (1, 2)
        for t in ("LND", "WOZ")
        for r in (1, 2)
    ],
}
PAGES = {"cvl": 10, "firemaker": 8, "icdar2013": 8, "cerug": 8, "csafe": 16}


def write(root, paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(png(scribble(path, 40, 200)))
    return root


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_layout_of_each_set_is_read(tmp_path, name):
    handwriting = PublicHandwriting(name, write(tmp_path / "set", LAYOUTS[name]), tmp_path / "cache")
    assert (handwriting.expected.writers, handwriting.expected.forms) == (2, PAGES[name])
    assert len(handwriting.lines) == (20 if name == "cvl" else PAGES[name])
    divided = splits.split_by_form(handwriting.lines)
    assert all(len({line.writer for line in lines}) == 2 for lines in divided.values())
    assert any(re.fullmatch(unit, pathlib.Path(SETS[name].example).stem) for unit in SETS[name].units)
    assert handwriting.read(handwriting.lines[0]).startswith(b"\x89PNG")


def test_pages_are_cut_into_lines(tmp_path):
    for seed, page in enumerate(("0052-1-cropped", "0052-2-cropped", "0053-1-cropped")):
        path = tmp_path / f"set/{page}.tif"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png(written_page(lines=3, width=900, seed=seed)[0]))
    lines = PublicHandwriting("cvl", tmp_path / "set", tmp_path / "cache").lines
    assert {line.form for line in lines} == {"0052/0052-1", "0052/0052-2", "0053/0053-1"} and len(lines) == 9


def test_an_archive_is_unpacked(tmp_path):
    files = write(tmp_path / "loose", LAYOUTS["cvl"])
    (tmp_path / "set").mkdir()
    with zipfile.ZipFile(tmp_path / "set/cvl-database-1-1.zip", "w") as archive:
        for path in sorted(files.rglob("*.*")):
            archive.write(path, path.relative_to(files))
    assert len(PublicHandwriting("cvl", tmp_path / "set", tmp_path / "cache").lines) == 20


@pytest.mark.slow
@pytest.mark.parametrize("name", ["firemaker", "csafe"])
def test_a_config_prepares_a_set(tmp_path, name):
    builder = prepare(name, data_dir=tmp_path / "tfds", manual_dir=write(tmp_path / "set", LAYOUTS[name]))
    assert builder.info.splits["test"].num_examples >= 2


def test_another_folder_is_told_apart(tmp_path):
    root = write(tmp_path / "set", ["ada/letter1.png"])
    with pytest.raises(
        MissingDataError, match=r"It holds: ada/letter1\.png\.\n.*CVL.*\n.*zenodo.*\n.*0052-1-0\.tif"
    ):
        PublicHandwriting("cvl", root)


def test_two_parts_with_the_same_names(tmp_path):
    root = write(tmp_path / "set", ["experimental/001_1.tif", "benchmarking/001_1.tif"])
    with pytest.raises(IndexFileError, match="have one name"):
        PublicHandwriting("icdar2013", root)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["firemaker", "csafe", "icdar2013", "cerug", "cvl"])
def test_one_command_leads_from_the_layout_of_a_set_to_a_table(tmp_path, name):
    """Pages of invented writers under the names of a set: training and the test need one command."""
    places = {
        "firemaker": "300dpi/p{p}/{w:03}0{p}.tif",
        "csafe": "w{w:04}/w{w:04}_s0{p}_pLND_r01.png",
        "icdar2013": "{w:03}_{p}.tif",
        "cerug": "CERUG/Writer{w:04}_0{p}.png",
        "cvl": "cvl-database-cropped-1-1/testset/{w:04}-{p}-cropped.tif",
    }
    handwriting = SyntheticHandwriting(3, 4, 3, seed=5)
    forms = sorted({(line.writer, line.form) for line in handwriting.lines})
    writers = sorted({writer for writer, _ in forms})
    for number, (writer, form) in enumerate(forms):
        path = tmp_path / "set" / places[name].format(w=writers.index(writer) + 1, p=number % 4 + 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(invented_page(handwriting, form)))
    done = run_module(
        "train",
        f"--dataset=iam_writer/{name}",
        f"--manual_dir={tmp_path / 'set'}",
        "--model=descriptor",
        f"--workdir={tmp_path / 'run'}",
        f"--data_dir={tmp_path / 'tfds'}",
    )
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert result["dataset"] == [f"iam_writer/{name}/1.0.0"] and result["test.line_top1"] > 0.5
    assert "test" in done.stdout
