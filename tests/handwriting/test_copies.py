"""Copies of a scan are found in other formats, and stay in one split; different scans are not taken for copies."""

import itertools
import shutil

import numpy as np
import pytest
from conftest import png, scribble
from handwriting_pages import written_line, written_page
from PIL import Image

from iam_writer.handwriting import copies, splits
from iam_writer.handwriting.folder import HandwritingFolder


def page(seed):
    return written_page(lines=5, width=900, seed=seed)[0]


def line(seed):
    return written_line(width=900, height=60, seed=seed)


def saved(image, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, **options)


def groups(folder):
    paths = {path.stem: str(path) for path in folder.glob("*.*")}
    sizes = {id: Image.open(path).size for id, path in paths.items()}
    return copies.groups(paths, sizes, folder / "cache")


@pytest.mark.parametrize("draw", [page, line], ids=["pages", "lines"])
def test_copies_in_other_formats_and_sizes_are_found_and_no_others(tmp_path, draw):
    for seed in range(6):
        saved(draw(seed), tmp_path / f"{seed}.png")
    saved(draw(0), tmp_path / "0jpeg.jpg", quality=40)
    half = Image.fromarray(draw(1)).reduce(2)
    half.save(tmp_path / "1half.png")
    saved((draw(2) * 0.7 + 40).astype(np.uint8), tmp_path / "2gray.png")
    noise = np.random.default_rng(0).normal(0, 8, draw(3).shape)
    saved(np.clip(draw(3) + noise, 0, 255).astype(np.uint8), tmp_path / "3noise.png")
    shutil.copy(tmp_path / "4.png", tmp_path / "4copy.png")
    found = [["0", "0jpeg"], ["1", "1half"], ["2", "2gray"], ["3", "3noise"], ["4", "4copy"]]
    assert sorted(groups(tmp_path)) == found
    assert sorted(groups(tmp_path)) == found  # From the cache.
    (tmp_path / "cache/looks.npz").write_bytes(b"damaged")
    assert sorted(groups(tmp_path)) == found


def test_full_stops_words_and_blank_pages_are_no_copies_of_each_other_by_their_looks(tmp_path):
    for i in range(3):
        saved(np.full((400 + i, 500), 255 - i, np.uint8), tmp_path / f"blank{i}.png")
        saved(np.zeros((9, 9 + i), np.uint8), tmp_path / f"stop{i}.png")
        saved(np.pad(np.zeros((40, 60), np.uint8), 30 + i, constant_values=255), tmp_path / f"word{i}.png")
    assert groups(tmp_path) == []


def test_a_scan_that_is_changed_is_looked_at_again(tmp_path):
    saved(page(0), tmp_path / "a.png")
    saved(page(0), tmp_path / "b.jpg")
    assert groups(tmp_path) == [["a", "b"]]
    saved(page(1), tmp_path / "b.jpg")
    assert groups(tmp_path) == []


def test_chains_are_joined():
    assert copies.joined([("c", "b"), ("d", "e"), ("b", "a"), ("e", "f")]) == [
        ["a", "b", "c"],
        ["d", "e", "f"],
    ]


@pytest.mark.slow
def test_pages_that_are_copies_come_into_one_split_and_are_told(tmp_path):
    root = tmp_path / "scans"
    for writer, seed in (("ada", 0), ("bob", 10)):
        for i in range(4):
            saved(page(seed + i), root / writer / f"letter{i}.png")
        for name in ("letter0 (1).png", "Copy of letter0.png"):
            shutil.copy(root / writer / "letter0.png", root / writer / name)
        saved(page(seed), root / writer / "small.jpg", quality=50)
    handwriting = HandwritingFolder(root, tmp_path / "cut")
    divided, left_out = splits.one_side(splits.split_by_form(handwriting.lines))
    assert left_out == []
    of_split = {name: {line.form for line in lines} for name, lines in divided.items()}
    same = {"ada/letter0", "ada/letter0 (1)", "ada/Copy of letter0", "ada/small"}
    assert [forms & same for forms in of_split.values() if forms & same] == [same]
    assert all(of_split.values())
    [told] = [warning for warning in handwriting.warnings if "copies" in warning]
    assert told.startswith(
        "8 scans are copies of each other, or nearly so, and stay in one split: ada/Copy of"
    )


def test_lines_of_a_page_with_a_copy_go_with_the_copy(tmp_path):
    """One line image is a copy: then the pages of both are one for the splits."""
    for form, i in itertools.product("xyz", range(3)):
        saved(line(ord(form) * 10 + i), tmp_path / f"scans/ada/{form}-{i}.png")
    saved(line(ord("x") * 10), tmp_path / "scans/ada/y-9.jpg", quality=60)
    names = {line.form: line.copies for line in HandwritingFolder(tmp_path / "scans").lines}
    assert names["ada/x"] == names["ada/y"] != "" and names["ada/z"] == ""


def test_copies_in_the_splits_of_a_person_are_left_out_of_train(tmp_path):
    for split, writer in itertools.product(("train", "val", "test"), ("ada", "bob")):
        saved(line(len(split) + 10 * ord(writer[0])), tmp_path / f"{split}/{writer}/x-1.png")
    saved(line(500), tmp_path / "train/ada/y-1.png")
    saved(line(500), tmp_path / "val/ada/y-1.png")
    saved(line(500), tmp_path / "test/bob/y-1.png")
    handwriting = HandwritingFolder(tmp_path)
    divided, left_out = splits.one_side(splits.split_as_chosen(handwriting.lines))
    assert sorted(left_out) == ["train/ada/y-1", "val/ada/y-1"]
    assert {name: len(lines) for name, lines in divided.items()} == {"train": 2, "validation": 2, "test": 3}
    assert any("in the folders of several writers" in warning for warning in handwriting.warnings)


def test_scribbles_of_one_size_are_different(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.png").write_bytes(png(scribble(name, 40, 400)))
    assert groups(tmp_path) == []
