"""iam_writer/handwriting/sources.py and documents.py: folders, patterns, and pages of PDF and TIFF files."""

import numpy as np
import pytest
from handwriting_pages import written_page
from PIL import Image

from iam_writer.common import errors
from iam_writer.handwriting import documents, images, pages, sources


@pytest.fixture
def three():
    """Three pages with 2, 3 and 4 lines. (Pillow keeps in an image how it was saved last, so each test has its own.)"""
    return [Image.fromarray(written_page(lines)[0]) for lines in (2, 3, 4)]


def test_folders_patterns_and_files(tmp_path):
    for name in ("b/page10.png", "b/page2.jpg", "b/.hidden/x.png", "b/notes.txt", "c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = sources.pages([tmp_path / "b", f"{tmp_path}/*.png", tmp_path / "c.png", "gone.png"])
    assert found == [*(str(tmp_path / name) for name in ("b/page2.jpg", "b/page10.png", "c.png")), "gone.png"]
    with pytest.raises(errors.MissingDataError, match=r"There is no image in .*x"):
        sources.pages([f"{tmp_path}/x*.png"])


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["pdf", "tif"])
def test_each_page_of_a_file(tmp_path, three, suffix):
    if suffix == "pdf":
        pytest.importorskip("pypdfium2")
    path = tmp_path / f"scans.{suffix}"
    resolution = {"resolution": 300} if suffix == "pdf" else {"dpi": (300, 300)}
    three[0].save(path, save_all=True, append_images=three[1:], **resolution)
    names = sources.pages([path])
    assert names == [f"{path}#{number}" for number in (1, 2, 3)]
    assert [len(pages.read(name).lines) for name in names] == [2, 3, 4]
    shape = images.read_page(names[2], 4000).shape
    assert np.abs(np.subtract(shape, np.asarray(three[2]).shape)).max() <= 1
    with pytest.raises(errors.BadImageError, match=r"has no page 4. It has 3"):
        documents.content(f"{path}#4")


@pytest.mark.slow
def test_a_pdf_of_several_pages_needs_a_number(tmp_path, three):
    pytest.importorskip("pypdfium2")
    path = tmp_path / "scans.pdf"
    three[0].save(path, save_all=True, append_images=three[1:2])
    with pytest.raises(errors.BadImageError, match=r"has 2 pages. Name one of them: .*scans.pdf#1"):
        pages.read(path)
    three[0].save(path)
    assert sources.pages([path]) == [str(path)]
    assert len(pages.read(path).lines) == 2


@pytest.mark.parametrize("data", [b"", b"%PDF-1.4 damaged", b"II*\0 damaged"])
def test_a_damaged_file_is_named(tmp_path, data):
    path = tmp_path / "bad.pdf"
    path.write_bytes(data)
    for name in (path, f"{path}#2"):
        with pytest.raises(errors.BadImageError, match=r"bad\.pdf"):
            pages.read(name)


def test_a_file_whose_name_looks_like_a_page(tmp_path, three):
    path = tmp_path / "letter#2"
    three[1].save(path, format="PNG")
    assert documents.split(str(path)) == (str(path), None)
    assert len(pages.read(path).lines) == 3
