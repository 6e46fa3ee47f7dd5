"""A long folder with damaged files: each good page is answered, each bad file is named."""

import csv
import json
import shutil

import pytest
from conftest import run_without_tensorflow
from handwriting_pages import written_page
from layout_xml import boxes, page_xml
from PIL import Image

BAD = {
    "page007.png": b"", "page050.png": b"no image", "page100.png": b"\x89PNG\r\n\x1a\n cut", "page150.png": b"GIF89a",
    "page199.png": b"II*\0",
}  # fmt: skip


@pytest.mark.slow
def test_200_pages_of_which_5_are_damaged(tmp_path, monkeypatch):
    """Four pictures, copied: what was counted on one is taken for its copies. One of them has a PAGE-XML file beside it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder, output = tmp_path / "pages", tmp_path / "output"
    folder.mkdir()
    for seed in range(4):
        picture, extents = written_page(2, 90, 500, seed=seed)
        Image.fromarray(picture).save(tmp_path / f"{seed}.png")
    for number in range(200):
        shutil.copy(tmp_path / f"{number % 4}.png", folder / f"page{number:03}.png")
    (folder / "page003.xml").write_text(page_xml(boxes(extents, 500), (500, 380), picture="page003.png"))
    (folder / "page011.xml").write_text("<PcGts>")
    for name, data in BAD.items():
        (folder / name).write_bytes(data)
    done = run_without_tensorflow(
        "scribes", folder, f"--output={output}", "--formats=json,csv,page,tei,iiif", "--csv"
    )
    assert done.returncode == 2, done.stderr
    found = json.loads((output / "scribes.json").read_text())
    assert len({region["file"] for region in found["regions"]}) == 195 == len(found["files"])
    assert len(found["left_out"]) == 5
    for name in BAD:
        assert sum(name in sentence for sentence in found["left_out"]) == 1 and done.stderr.count(name) == 1
    assert "The lines of 1 of 195 pages are from PAGE-XML or ALTO files beside them." in done.stderr
    assert done.stderr.count("page011.xml was not used") == 1
    assert found["files"][3]["lines_from"] == str(folder / "page003.xml")
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert len(rows) == len(found["regions"]) and {"file", "hand", "nearest.1.file"} <= rows[0].keys()
    lines = list(csv.DictReader((output / "lines.csv").open()))
    assert [row["text"] for row in lines if row["file"].endswith("page003.png")] == [
        "line number 0",
        "line number 1",
    ]
    assert (
        len(list((output / "page").glob("*.xml"))) == 195 == len(list((output / "iiif").glob("page*.json")))
    )
