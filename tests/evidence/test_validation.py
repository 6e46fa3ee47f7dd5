"""iam_writer/validate.py and evidence/validation.py: pages of a made collection, judged in all ways."""

import json

import numpy as np
import pytest

from iam_writer.common import errors
from iam_writer.evidence import validation, validation_report
from iam_writer.evidence.specimens import Specimen, Specimens, drawn
from iam_writer.recognition import descriptor, reference

pytestmark = pytest.mark.slow  # Each test compares many hundred pairs of pages.


@pytest.fixture(scope="module")
def specimens():
    """Two pages of three lines by each of thirty writers. Their counts are near the mean of what invented writers write."""
    random = np.random.default_rng(0)
    wheel = reference.read()
    # Shares of each histogram, from the mean vector of the whitening.
    mean = np.zeros(descriptor.SIZE)
    place = 0
    for name, bins in descriptor.HISTOGRAMS.items():
        if name.startswith(("patterns around paper", "smooth edges")):  # The whitening does not see them.
            continue
        share = np.maximum(wheel.whitening.mean[place : place + bins], 0) ** 2
        descriptor.histogram(mean, name)[:] = 40_000 * share / share.sum()
        place += bins
    pages = []
    for writer in range(30):
        hand = mean * random.gamma(100, 1 / 100, descriptor.SIZE)
        for page in range(2):
            lines = random.poisson(hand, (3, descriptor.SIZE)).astype(np.int32)
            pages.append(Specimen(f"{writer}-{page}", f"w{writer}", lines, ()))
    return Specimens(tuple(pages), ())


@pytest.fixture(scope="module")
def found(specimens):
    return validation.validate(specimens, reference.read(), lines=(2,))


def test_all_ways_and_amounts(found):
    assert (found.writers, found.pages, found.refused) == (30, 60, ())
    assert [(one.way, one.lines) for one in found.pairs] == [
        (way, lines) for lines in (None, 2) for way in validation.WAYS
    ]
    for pairs in found.pairs:
        assert pairs.same.sum() == 30 and len(pairs.same) == 60 * 59 // 2
        quality = pairs.quality
        assert 0 <= quality.cllr_min <= quality.cllr and quality.equal_error < 0.2


def test_other_writers_of_the_collection_calibrate_best(found):
    assert found.of("collection").quality.cllr < min(0.2, found.of("wheel").quality.cllr)


def test_reports(found):
    text = validation_report.text(found)
    assert "60 pages by 30 writers" in text and text.count("\ncollection ") == 2
    page = validation_report.as_page(found, "x", {}, ["y.png is empty"])
    assert page.count("<svg") == 2 * 3 + 1 and "y.png is empty" in page and "nan" not in page
    results = json.loads(json.dumps(found.as_json()))["results"]
    assert len(results) == 6 and results[0]["misleading_one"]["number"] == 60 * 59 // 2 - 30


def test_what_verify_refuses_is_left_out(specimens):
    wrong = Specimen("noise", "w0", np.full((3, descriptor.SIZE), 500, np.int32), ())
    found = validation.validate(Specimens((*specimens.pages, wrong), ()), reference.read(), ())
    assert found.pages == 60 and len(found.refused) == 1 and found.refused[0].startswith("noise is unlike")


def test_writers_and_pages_are_drawn(specimens):
    some = drawn(specimens, 5, 2, "a")
    assert len(some.pages) == 10 and len({page.writer for page in some.pages}) == 5
    assert some.pages == drawn(specimens, 5, 2, "a").pages != drawn(specimens, 5, 2, "b").pages


@pytest.mark.parametrize(
    ("writers", "message"), [((None, None), "Who wrote which page"), (("a", "b"), "2 pages by 2 writers")]
)
def test_what_cannot_be_validated(specimens, writers, message):
    pages = tuple(
        Specimen(str(number), writer, specimens.pages[number].of_lines, ())
        for number, writer in enumerate(writers)
    )
    with pytest.raises(errors.MissingDataError, match=message):
        validation.validate(Specimens(pages, ()), reference.read())
