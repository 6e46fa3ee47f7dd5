"""iam_writer/scribes.py, evidence/scribes.py, changes.py and the reports, also in a browser."""

import csv
import shutil

import numpy as np
import pytest
from browser import CHROMIUM, browse
from conftest import run_without_tensorflow
from invented_pages import write_pages
from PIL import Image

from iam_writer.evidence import changes, clustering, page, scribes_report
from iam_writer.evidence.scribes import Region, Scribes
from iam_writer.recognition import described, reference


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two pages each by three writers, and a page whose first six lines are by one and the other six by another writer."""
    folder = tmp_path_factory.mktemp("scribes")
    known, asked = write_pages(folder / "made", writers=3)
    (folder / "pages").mkdir()
    for number, path in enumerate([*sorted(known.glob("*/page.png")), *asked], 1):
        shutil.copy(path, folder / f"pages/p{number}.png")
    halves = [np.asarray(Image.open(folder / f"pages/p{number}.png")) for number in (1, 2)]
    width = max(half.shape[1] for half in halves)
    glued = [np.pad(half, ((0, 0), (0, width - half.shape[1])), constant_values=255) for half in halves]
    Image.fromarray(np.concatenate(glued)).save(folder / "pages/p7.png")
    return folder / "pages"


@pytest.fixture(scope="module")
def done(folder, tmp_path_factory):
    """What scribes printed about the folder, with a damaged file in it, and its output."""
    output = tmp_path_factory.mktemp("output")
    (folder / "p8.png").write_bytes(b"no image")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return run_without_tensorflow("scribes", folder, f"--output={output}"), output


@pytest.mark.slow
def test_the_hand_of_each_page_and_each_part(done):
    result, output = done
    assert result.returncode == 2, result.stderr
    assert "p8.png is not an image" in result.stderr
    rows = list(csv.DictReader((output / "scribes.csv").open()))
    assert [row["file"].rpartition("/")[2] for row in rows] == [
        *(f"p{n}.png" for n in range(1, 7)),
        "p7.png",
        "p7.png",
    ]
    hands = [row["hand"] for row in rows]
    assert hands[:3] == ["hand 1", "hand 2", "hand 3"] and hands[6:] == ["hand 1", "hand 2"]
    assert [(row["first_line"], row["last_line"]) for row in rows[6:]] == [("1", "6"), ("7", "12")]
    assert "The hand changes on" in result.stdout and "at line 7" in result.stdout


@pytest.mark.slow
def test_a_page_by_one_hand_is_not_divided(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    wheel = reference.read()
    for number in (1, 2):
        of_lines = described.describe(folder / f"p{number}.png").of_lines
        assert changes.parts(of_lines, wheel, 0.1) == [range(6)]
        assert changes.parts(of_lines[:3], wheel, 0.1) == [range(3)]


@pytest.fixture
def made():
    """Four pages by two hands, as `scribes.find` gives them."""
    odds = np.where(np.arange(4)[:, None] % 2 == np.arange(4) % 2, 3.0, -3.0)
    picture = Image.new("L", (40, 60), 120)
    pages = [
        described.DescribedPage(
            f"a/p<{number}>.png", "0", np.zeros((2, 0)), 5, np.zeros((1, 1)), (), thumbnail=_jpeg(picture)
        )
        for number in range(4)
    ]

    regions = tuple(Region(number, range(5), number % 2, 0.9, False) for number in range(4))
    return Scribes(regions, 2, (2, 3), odds, clustering.tree(odds), 0.5), pages


def _jpeg(picture):
    return described._thumbnail(np.asarray(picture))


def test_the_table_and_the_text(made):
    rows = list(csv.DictReader(scribes_report.as_csv(*made).splitlines()))
    assert [row["hand"] for row in rows] == ["hand 1", "hand 2", "hand 1", "hand 2"]
    assert [row["hand_changes"] for row in rows] == ["0", "1", "1", "1"]
    assert rows[0]["nearest"] == "a/p<2>.png" and rows[0]["nearest_log10_odds"] == "3.00"
    assert "4 pages, 2 hands (2 to 3 when lines are drawn anew)." in scribes_report.as_text(*made)
    found = scribes_report.as_json(*made, ["x.png is empty"], {"false_merges": 0.5})
    assert (found["hands"], found["left_out"], found["false_merges"]) == (2, ["x.png is empty"], 0.5)
    assert len(found["regions"]) == 4 and len(found["regions"][0]["nearest"]) == 3


TRY = """
<script>
const attempt = () => {
  get("back").click();
  const seen = [], note = () => seen.push({
    hands: get("hands").textContent,
    colours: new Set([...document.querySelectorAll("#map button")].map(one => one.style.borderTopColor)).size,
    texts: new Set([...document.querySelectorAll("#tree text")].map(one => one.style.fill)).size,
  });
  note();
  for (const value of [slider.max, slider.min]) { slider.value = value; slider.oninput(); note(); }
  document.querySelectorAll("#map button")[1].click();
  console.log("TRIED " + JSON.stringify({
    seen, window: innerWidth, width: document.documentElement.scrollWidth,
    near: [...document.querySelectorAll("#near li")].map(one => one.textContent),
    loaded: [...document.images].every(one => one.complete && one.naturalWidth > 0),
    empty: [...document.querySelectorAll("h2")].filter(one => !one.nextElementSibling.getBoundingClientRect().height).length,
  }));
};
addEventListener("load", attempt);
addEventListener("resize", attempt);  // A window is not as narrow as it was asked to be when it opens.
</script>
"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)")
@pytest.mark.parametrize("width", [1280, 400])
def test_the_slider_changes_the_groups(made, tmp_path, width):
    text = scribes_report.as_page(*made, {"command": ["</script>"]}, ["x.png is empty"], 0.5)
    tried, errors = browse(text + TRY, width, tmp_path)
    assert errors == []
    assert [one["hands"] for one in tried["seen"]] == ["2", "4", "1"]
    assert [one["colours"] for one in tried["seen"]] == [one["texts"] for one in tried["seen"]] == [2, 4, 1]
    assert tried["window"] == width and tried["width"] <= width
    assert len(tried["near"]) == 3 and tried["near"][0].startswith("a/p<3>.png (hand 1)")
    assert tried["loaded"] and not tried["empty"]


def test_a_page_says_what_it_is_given_and_no_more():
    text = page.page("a <b>", [page.paragraph("<x>"), page.table(["<h>"], [["<c>"]]), page.listing(["<l>"])])
    for inside in ("a &lt;b&gt;", "&lt;x&gt;", "&lt;h&gt;", "&lt;c&gt;", "&lt;l&gt;"):
        assert inside in text
    assert "http" not in text
