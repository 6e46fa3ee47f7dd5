"""ways.py: pages that are upside down, mirrored, or whose file tells no resolution, are read as they fit the known hands."""

import numpy as np
import pytest
from handwriting_pages import written_line
from invented_pages import write_pages
from PIL import Image

from iam_writer.recognition import described, descriptor, hands, ways

pytestmark = pytest.mark.slow  # Each test counts the shapes of pages in several ways.


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The samples of four known writers, and a page by each of them to ask about."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        known, asked = write_pages(tmp_path_factory.mktemp("pages"), lines=5)
        return hands.known_writers(known)[0], asked


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_counts_of_a_turned_line_are_those_of_the_line_in_other_places():
    line = written_line()
    counts = descriptor.counts(line)
    for change, picture in (
        (descriptor.upside_down, line[::-1, ::-1]),
        (descriptor.mirrored, line[:, ::-1]),
    ):
        changed = descriptor.counts(np.ascontiguousarray(picture))
        assert not np.array_equal(counts, changed)
        assert np.array_equal(change(counts), changed)


TURNED = {
    "it was upside down, and was turned": lambda page: page[::-1, ::-1],
    "it was mirrored, and was turned right": lambda page: page[:, ::-1],
    "it was mirrored and upside down, and was turned right": lambda page: page[::-1],
}


@pytest.mark.parametrize("said", TURNED)
def test_a_turned_page_is_named_and_said_to_be_turned(pages, tmp_path, said):
    known, asked = pages
    for path in asked[:2]:
        turned = tmp_path / f"{path.stem}.png"
        Image.fromarray(np.ascontiguousarray(TURNED[said](np.asarray(Image.open(path))))).save(turned)
        found = hands.identify(known, turned)
        assert found.writer == path.stem
        assert said in found.warnings


def test_an_upright_page_is_not_said_to_be_turned(pages):
    known, asked = pages
    for path in asked[:2]:
        assert hands.identify(known, path).warnings == ()


def test_the_resolution_that_a_file_does_not_tell_is_found(pages, tmp_path):
    known, asked = pages
    dpi = 150
    for path in asked[:2]:
        page = Image.open(path)
        coarse = tmp_path / f"{path.stem}.png"
        page.resize([round(side * dpi / 300) for side in page.size], Image.Resampling.BOX).save(coarse)
        assert described.describe(coarse).dpi is None
        found = hands.identify(known, coarse)
        assert found.writer == path.stem
        assert f"its file tells no resolution; the known hands fit best at {dpi} dpi" in found.warnings


def test_a_resolution_that_the_file_tells_is_believed(pages, tmp_path, monkeypatch):
    known, asked = pages
    Image.open(asked[0]).save(tmp_path / "page.png", dpi=(300, 300))
    assert described.describe(tmp_path / "page.png").dpi == pytest.approx(300, abs=0.01)
    monkeypatch.setattr(
        ways, "describe", lambda path, dpi: pytest.fail("it was counted at another resolution")
    )
    strangers = {name: sample for name, sample in known.items() if name != asked[0].stem}
    assert hands.identify(strangers, tmp_path / "page.png").writer is None


def test_the_resolution_is_named_as_a_reason_where_the_file_tells_none_and_no_hand_fits(pages):
    known, asked = pages
    strangers = {name: sample for name, sample in known.items() if name != asked[1].stem}
    found = hands.identify(strangers, asked[1])
    assert found.writer is None
    assert found.warnings == (ways.NONE_FITS,)


def test_the_lines_of_a_page_are_searched_once_for_all_resolutions(pages, tmp_path, monkeypatch):
    known, asked = pages
    read, searched = described.pages.read, []
    monkeypatch.setattr(described.pages, "read", lambda path: searched.append(path) or read(path))
    page = tmp_path / "page.png"
    page.write_bytes(asked[0].read_bytes())
    hands.identify(known, page)
    assert searched == [str(page)]
    page.write_bytes(asked[1].read_bytes())  # Another page under the same name.
    assert hands.identify(known, page).writer == asked[1].stem
    assert searched == [str(page)] * 2
