"""iam_writer/evidence/ratio.py, population.py, specimens.py, and the program verify without a network."""

import dataclasses
import json

import numpy as np
import pytest
from browser import CHROMIUM, browse, print_page
from conftest import run_without_tensorflow
from invented_pages import write_pages
from PIL import Image

from iam_writer.common import errors
from iam_writer.evidence import changes, parts, ratio, ratio_report, scale, specimens
from iam_writer.evidence import population as populations
from iam_writer.recognition import descriptor, hands, reference


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The folder of known writers, and a page by each of them to ask about."""
    return write_pages(tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.mark.parametrize(
    ("log10", "words"),
    [
        (0.2, "no support for one hypothesis rather than the other"),
        (0.31, "weak support for H1, rather than H2"),
        (-1.0, "moderate support for H2, rather than H1"),
        (2.0, "moderately strong support for H1, rather than H2"),
        (-3.5, "strong support for H2, rather than H1"),
        (5.0, "very strong support for H1, rather than H2"),
        (6.0, "extremely strong support for H1, rather than H2"),
    ],
)
def test_words_for_a_ratio(log10, words):
    assert scale.supports(log10) == words


@pytest.mark.slow
def test_one_hand_and_two(pages):
    known, asked = pages
    same = ratio.verify([asked[0]], [known / "w00/page.png"])
    other = ratio.verify([asked[1]], [known / "w00/page.png"])
    assert same.log10 > 0.5 and other.log10 < -0.5
    assert max(abs(same.log10), abs(other.log10)) <= same.bound == np.log10(reference.read().writers)
    assert 0 < same.errors[0] < 0.2 and 0 < same.errors[1] < 0.2
    assert "speak for one hand" in same.as_text() and "speak for two hands" in other.as_text()
    text = same.as_text()
    for part in (f"also wrote {asked[0]}", "Another person wrote", "log10 LR +", "ENFSI", "invented writers"):
        assert part in text
    assert "%" not in text.split("Population")[0]


def test_several_pages_on_a_side(pages):
    known, asked = pages
    both = ratio.verify([asked[0]], [known / "w00/page.png", asked[1]])
    assert both.amounts[1] > 1.5 * both.amounts[0]
    assert "page.png and 1 more page" in both.as_text()


def test_json_says_where_the_number_comes_from(pages):
    known, asked = pages
    found = json.loads(json.dumps(ratio.verify([asked[0]], [known / "w00/page.png"]).as_json()))
    assert found["applies"] and found["log10_lr"] == ratio.verify([asked[0]], [known / "w00/page.png"]).log10
    assert len(found["questioned"][0]["sha256"]) == 64 and found["known"][0]["lines"] == 6
    assert found["versions"]["iam_writer"] and found["date"].endswith("+00:00") and found["command"]


@pytest.mark.slow
def test_a_page_and_its_copy_are_the_same_page(pages, tmp_path):
    page = pages[1][0]
    Image.open(page).convert("RGB").save(tmp_path / "copy.jpg", quality=60)
    for other in (page, tmp_path / "copy.jpg"):
        found = ratio.verify([page], [other])
        assert found.log10 is None and found.as_json()["log10_lr"] is None
        assert "show the same page" in found.as_text() and "log10" not in found.as_text()


def test_too_little_writing_gets_no_number(pages, tmp_path):
    known, asked = pages
    with Image.open(asked[0]) as page:
        page.crop((100, 90, 400, 260)).save(tmp_path / "word.png")
    found = ratio.verify([tmp_path / "word.png"], [known / "w00/page.png"])
    assert found.log10 is None and "lines of writing, and 1 is the least" in found.as_text()


def test_what_no_writer_writes_gets_no_number(pages, tmp_path):
    """Noise: its shapes are far from those of all invented writers."""
    known, _ = pages
    sample = hands.sample("known", [str(known / "w00/page.png")])
    random = np.random.default_rng(0).integers(0, 500, (2, descriptor.SIZE))
    noise = hands.Sample(
        "x", (dataclasses.replace(sample.pages[0], counts=random, sha256="", look=sample.pages[0].look * 0),)
    )
    wheel = reference.read()
    found = ratio.compare(noise, sample, populations.of_wheel(wheel), wheel)
    assert found.log10 is None and "unlike all writing of the population" in found.as_text()


@pytest.mark.slow
def test_the_resolution_that_a_file_says_is_used(pages, tmp_path):
    """A page with half the pixels in two files. One says 150 dpi; the other says 72 dpi, which counts as unknown."""
    known, asked = pages
    with Image.open(asked[0]) as page:
        half = page.resize((page.width // 2, page.height // 2), Image.Resampling.BOX)
    half.save(tmp_path / "told.png", dpi=(150, 150))
    half.save(tmp_path / "untold.png", dpi=(72, 72))
    told, untold = (
        ratio.verify([tmp_path / f"{name}.png"], [known / "w00/page.png"]) for name in ("told", "untold")
    )
    assert told.log10 > 0 and "its file says 150 dpi" in " ".join(told.warnings)
    assert untold.log10 is None or untold.log10 < 0


@pytest.fixture(scope="module")
def collection():
    """Counts of two pages each by thirty writers, whose pages have something in common, and their names."""
    random = np.random.default_rng(0)
    hands_ = random.gamma(0.5, 40, (30, 1, 1, descriptor.SIZE)) + random.gamma(0.5, 40, descriptor.SIZE)
    counts = random.poisson(np.broadcast_to(hands_ * 2, (30, 2, 2, descriptor.SIZE))).reshape(60, 2, -1)
    return counts, [f"w{number // 2}" for number in range(60)]


@pytest.mark.parametrize("anchors", list(populations.ANCHORS))
def test_a_population_of_the_same_collection(collection, anchors):
    counts, writers = collection
    wheel = reference.read()
    found = populations.of_pages(wheel, counts[20:], writers[20:], anchors)
    assert found.writers == 20 and populations.ANCHORS[anchors] in found.about
    odds = found.comparer.log_odds(counts[:20], counts[:20])
    first, second = np.triu_indices(20, 1)
    same = np.array([writers[a] == writers[b] for a, b in zip(first, second, strict=True)])
    assert odds[first, second][same].mean() > 0 > odds[first, second][~same].mean()
    assert np.abs(odds).max() <= np.log(20)


def test_few_pairs_that_are_all_told_apart_do_not_make_ratios_surer(collection):
    """They would fit many calibrations. Twenty writers cannot say that another one than that of invented writers holds."""
    counts, writers = collection
    wheel = reference.read()
    found = populations.of_pages(wheel, counts[:40], writers[:40]).comparer
    np.testing.assert_allclose(found.odds, wheel.odds_among, rtol=0.3)


def test_few_writers_or_none_known_are_told(collection):
    counts, writers = collection
    wheel = reference.read()
    assert "not told" in populations.of_pages(wheel, counts, None).about
    assert "Fewer than 10" in populations.of_pages(wheel, counts[:12], writers[:12]).about


@pytest.mark.slow
def test_a_population_leaves_out_who_is_in_question(pages):
    known, _ = pages
    found = specimens.read(known)
    assert found.writers == ["w00", "w01", "w02", "w03"] and found.counts.shape == (4, 2, descriptor.SIZE)
    rest = found.without({str((known / "w01/page.png").resolve())})
    assert rest.writers == ["w00", "w02", "w03"]
    with pytest.raises(errors.MissingDataError, match="no page that is not in question"):
        rest.without({str((known / f"w0{number}/page.png").resolve()) for number in (0, 2, 3)})
    unlabelled = specimens.read(known / "w00")
    assert unlabelled.writers is None and len(unlabelled.pages) == 1


@pytest.mark.slow
def test_the_program(pages, tmp_path):
    known, asked = pages
    done = run_without_tensorflow("verify", "--questioned", asked[1], "--known", known / "w01", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["log10_lr"] > 0, done.stderr
    done = run_without_tensorflow("verify", f"--questioned={asked[1]}", f"--known={known}/w00/*.png")
    assert done.returncode == 2 and "two hands" in done.stdout, done.stderr
    report = tmp_path / "report.html"
    done = run_without_tensorflow("verify", asked[1], known / "w01/page.png", "--report", report)
    assert done.returncode == 0, done.stderr
    text = report.read_text()
    for part in (
        "H1: ",
        "<svg",
        "this pair",
        "data:image/jpeg",
        "SHA-256",
        "log10 LR +",
        "not the probability",
        "iam_writer",
    ):
        assert part in text
    assert text.count("<svg") == 2 and text.count("<img") >= 2 and "http" not in text
    done = run_without_tensorflow("verify", asked[1], asked[1])
    assert done.returncode == 3 and "show the same page" in done.stdout
    done = run_without_tensorflow("verify", asked[1], asked[2], "--population", known)
    assert done.returncode == 2 and "fewer than 20 writers" in done.stdout, done.stderr
    done = run_without_tensorflow("verify", "--questioned", asked[1])
    assert done.returncode == 1 and "--questioned and --known go together" in done.stderr
    done = run_without_tensorflow("verify", asked[1])
    assert done.returncode == 1 and "--questioned a.png b.png --known c.png" in done.stdout + done.stderr


@pytest.fixture(scope="module")
def glued(pages, tmp_path_factory):
    """A page whose first six lines are by w00 and the other six by w01."""
    halves = [np.asarray(Image.open(path)) for path in pages[1][:2]]
    width = max(half.shape[1] for half in halves)
    whole = [np.pad(half, ((0, 0), (0, width - half.shape[1])), constant_values=255) for half in halves]
    path = tmp_path_factory.mktemp("glued") / "glued.png"
    Image.fromarray(np.concatenate(whole)).save(path)
    return path


@pytest.mark.slow
def test_a_page_of_two_hands_is_told_and_which_lines_speak_for_whom(pages, glued):
    known, asked = pages
    text = ratio.verify([glued], [known / "w00/page.png"]).as_text()
    assert f"{glued} does not look like the writing of one hand" in text
    assert "lines 1-6 speak for one hand" in text and "lines 7-12 speak for two hands" in text
    assert "does not look" not in ratio.verify([asked[0]], [known / "w00/page.png"]).as_text()


def test_parts_of_a_page_are_identified(pages, glued):
    known, asked = pages
    wheel = reference.read()
    writers, _ = hands.known_writers(known)
    page = hands.sample("x", [str(glued)]).pages[0]
    found = parts.of_page(page, writers, wheel)
    assert [(part["lines"], part["writer"]) for part in found] == [
        ("lines 1-6", "w00"),
        ("lines 7-12", "w01"),
    ]
    assert "lines 7-12: w01 (" in parts.as_text(found)
    del writers["w01"]
    assert "lines 7-12: none of the known writers; the nearest is" in parts.as_text(
        parts.of_page(page, writers, wheel)
    )
    whole = hands.sample("x", [str(asked[0])]).pages[0]
    assert changes.divided(whole, wheel) == [] and parts.as_text(parts.of_page(whole, writers, wheel)) == ""


LOOK = """
<script>
const look = () => console.log("TRIED " + JSON.stringify({
  window: innerWidth, width: document.documentElement.scrollWidth,
  loaded: [...document.images].every(one => one.complete && one.naturalWidth > 0), images: document.images.length,
  empty: [...document.querySelectorAll("h2, h3")].filter(one => !one.nextElementSibling.getBoundingClientRect().height).length,
  charts: [...document.querySelectorAll("svg")].filter(one => one.getBoundingClientRect().height > 50).length,
  heads: [...document.querySelectorAll("h2")].map(one => one.textContent),
}));
addEventListener("load", look); addEventListener("resize", look);
</script>
"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)")
def test_the_report_in_a_browser(pages, glued, tmp_path):
    known, _ = pages
    text = ratio_report.as_page(ratio.verify([glued], [known / "w00/page.png"]))
    for width in (1280, 400):
        seen, errors = browse(text + LOOK, width, tmp_path)
        assert errors == [] and seen["window"] == width and seen["width"] <= width
        assert seen["loaded"] and seen["images"] > 2 and not seen["empty"] and seen["charts"] == 2
        for head in ("Letters of nearly the same shape", "Warnings", "Limits", "Files"):
            assert head in seen["heads"]
    pdf = print_page(text, tmp_path)
    assert pdf.startswith(b"%PDF") and len(pdf) > 50_000
