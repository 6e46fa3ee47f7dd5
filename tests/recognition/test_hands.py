"""iam_writer/recognition/hands.py, described.py, and the programs that need no checkpoint."""

import json

import numpy as np
import pytest
from conftest import run_without_tensorflow
from invented_pages import write_pages

from iam_writer.common import errors
from iam_writer.recognition import described, hand_gallery, hands, reference


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The folder of known writers, and a page by each of them to ask about."""
    return write_pages(tmp_path_factory.mktemp("pages"))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.slow
def test_each_page_is_named(pages):
    known, asked = pages
    samples, _ = hands.known_writers(known)
    assert [hands.identify(samples, path).writer for path in asked] == ["w00", "w01", "w02", "w03"]
    assert hands.identify(known, asked[0]).writer == "w00"


@pytest.mark.slow
def test_a_stranger_is_none_of_the_known_writers(pages):
    known, asked = pages
    samples, _ = hands.known_writers(known)
    del samples["w02"]
    found = hands.identify(samples, asked[2])
    assert found.writer is None and "none of the known writers" in found.as_text()
    assert "%" not in found.as_text()


@pytest.mark.slow
@pytest.mark.parametrize(("known", "times", "named"), [(4, 30, True), (40, 30, False), (40, 50, True)])
def test_among_many_writers_a_page_must_speak_more_strongly(pages, monkeypatch, known, times, named):
    """One of forty writers is somewhat like any page by chance."""
    samples, _ = hands.known_writers(pages[0])
    of_two = list(samples.values())[:2]
    many = {f"w{number:02}": of_two[number > 0] for number in range(known)}

    def unbounded(self, asked, others):
        return np.log([[times, *[0.1] * (len(others) - 1)]])

    monkeypatch.setattr(reference.Comparer, "unbounded", unbounded)
    found = hands.rank(hands.sample("a", [str(pages[1][0])]), many, reference.read())
    assert found.writer == ("w00" if named else None)
    assert found.as_json()["known_writers"] == known
    assert found.candidates[0] == ("w00", pytest.approx(np.log10(times)))
    assert ("So more than 40 times is needed" in found.as_text()) is not named


@pytest.mark.slow
def test_a_file_that_is_no_image_is_left_out_and_named(pages, tmp_path):
    (tmp_path / "known/ada").mkdir(parents=True)
    (tmp_path / "known/ada/good.png").write_bytes(pages[1][0].read_bytes())
    (tmp_path / "known/ada/bad.png").write_bytes(b"no image")
    samples, left_out = hands.known_writers(tmp_path / "known")
    assert list(samples) == ["ada"] and len(samples["ada"].pages) == 1
    assert len(left_out) == 1 and "bad.png" in left_out[0]


@pytest.mark.parametrize(
    ("make", "message"), [(False, "There is no folder"), (True, "Make a folder for each writer")]
)
def test_no_known_writers(tmp_path, make, message):
    if make:
        (tmp_path / "known/ada").mkdir(parents=True)
    with pytest.raises(errors.MissingDataError, match=message):
        hands.known_writers(tmp_path / "known")


def test_a_page_is_counted_once(pages, cache, monkeypatch):
    page = pages[1][0]
    first = described.describe(page)
    assert len(list(cache.rglob("*.npz"))) == 1
    monkeypatch.setattr(described, "_described", None)  # It must not be called again.
    again = described.describe(page)
    for name in ("counts", "of_lines", "boxes"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert (first.size, first.dpi, first.thumbnail) == (again.size, again.dpi, again.thumbnail)
    assert (first.lines, first.sha256) == (again.lines, again.sha256) and again.lines == 6


@pytest.mark.slow
def test_what_is_kept_may_be_damaged(pages, cache):
    page = pages[1][0]
    first = described.describe(page)
    kept = next(cache.rglob("*.npz"))
    kept.write_bytes(kept.read_bytes()[:100])
    np.testing.assert_array_equal(described.describe(page).counts, first.counts)


@pytest.mark.slow
def test_programs_without_a_checkpoint_do_not_load_tensorflow(pages, tmp_path):
    known, asked = pages
    done = run_without_tensorflow("verify", asked[0], known / "w00/page.png")
    assert done.returncode == 0 and "speak for one hand" in done.stdout, done.stderr
    done = run_without_tensorflow("identify", f"--known={known}", "--json", asked[1])
    assert done.returncode == 0 and json.loads(done.stdout)["writer"] == "w01", done.stderr


@pytest.mark.slow
def test_a_gallery(pages, tmp_path):
    known, asked = pages
    path = tmp_path / "g.npz"
    for writer in ("w00", "w01"):
        done = run_without_tensorflow(
            "enroll", f"--gallery={path}", f"--writer={writer}", known / writer / "page.png"
        )
        assert done.returncode == 0, done.stderr
    assert "now holds 2 writers; w01 has 1 page." in done.stdout
    done = run_without_tensorflow("enroll", f"--gallery={path}", "--writer=W00", known / "w00/page.png")
    assert (
        "differs from 'W00' only in capital letters" in done.stderr and "is enrolled for w00" in done.stderr
    )
    done = run_without_tensorflow("gallery", path, "--rename=W00", "--to=w00")
    assert done.stdout == "w00: 1 page, 6 lines\nw01: 1 page, 6 lines\n"
    done = run_without_tensorflow("identify", f"--gallery={path}", "--json", asked[1])
    assert json.loads(done.stdout)["writer"] == "w01"
    done = run_without_tensorflow("gallery", path, "--remove=w01")
    assert done.stdout == "w00: 1 page, 6 lines\n"
    done = run_without_tensorflow("gallery", path, "--remove=nobody")
    assert (
        done.returncode == 1 and done.stderr == "There is no writer 'nobody' in the gallery. It has: w00.\n"
    )


@pytest.mark.parametrize("content", [None, b"", b"no gallery"])
def test_what_is_no_gallery(tmp_path, content):
    if content is not None:
        (tmp_path / "g.npz").write_bytes(content)
    with pytest.raises(errors.GalleryError, match=r"g\.npz"):
        hand_gallery.enrolled(tmp_path / "g.npz", reference.read())


@pytest.mark.parametrize(
    "change",
    [
        {"counts": np.zeros((1, 2, 3))},
        {"counts": np.full((1, 2, described.descriptor.SIZE), np.nan)},
        {"counts": np.full((1, 2, described.descriptor.SIZE), b"1")},
        {"looks": np.zeros((2, 32, 32), np.float32)},
        {"looks": np.zeros((1, 32, 32), np.int64)},
        {"about": np.array("{}")},
        {"about": np.array('[{"writer": 7, "path": "x", "sha256": "y", "lines": 1, "warnings": []}]')},
        {"about": np.array('[{"writer": "ada", "path": "x", "sha256": "y", "lines": 1, "warnings": [1]}]')},
        {"about": np.array("[1]")},
    ],
    ids=range(9),
)
def test_parts_of_a_gallery_that_do_not_fit_together(tmp_path, change):
    """Such galleries ended in tracebacks under the fuzz."""
    row = {"writer": "ada", "path": "x", "sha256": "y", "lines": 1, "warnings": []}
    arrays = {
        "reference": np.array(reference.read().fingerprint),
        "about": np.array(json.dumps([row])),
        "counts": np.ones((1, 2, described.descriptor.SIZE), np.int64),
        "looks": np.zeros((1, described.LOOK, described.LOOK), np.float32),
    }
    np.savez(tmp_path / "g.npz", **arrays)
    assert list(hand_gallery.enrolled(tmp_path / "g.npz", reference.read())) == ["ada"]
    np.savez(tmp_path / "g.npz", **arrays | change)
    with pytest.raises(errors.GalleryError, match="cannot be read as a gallery"):
        hand_gallery.enrolled(tmp_path / "g.npz", reference.read())
