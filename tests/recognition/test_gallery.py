"""gallery.py: embeddings in, the most similar hands out."""

import io

import numpy as np
import pytest
from calibrations import made

from iam_writer.common.errors import GalleryError
from iam_writer.recognition.gallery import Gallery


def gallery():
    found = Gallery.empty("c0ffee", 2).with_pages("bob", np.array([[0.0, 1.0], [0.0, 3.0]]))
    return found.with_pages("ada", np.array([[1.0, 0.0]]))


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_pages_of_one_writer_add_up():
    found = gallery().with_pages("bob", np.array([[4.0, 0.0]]))
    assert found.writers == ["ada", "bob"]
    assert found.sums.tolist() == [[1, 0], [4, 4]]
    assert found.windows.tolist() == [1, 3]


@pytest.mark.parametrize(("threshold", "known"), [(0.5, True), (1.5, False)])
def test_the_most_similar_writer_is_first_if_similar_enough(threshold, known):
    # Cosines are 0.8 with ada and 0.6 with bob, so log-odds 2 × 0.8 - 1 and 2 × 0.6 - 1.
    probabilities, accepted = gallery().rank(np.array([8.0, 6.0]), made(pair_threshold=np.array(threshold)))
    assert probabilities == pytest.approx([1 / (1 + np.exp(-0.4)), 1 / (1 + np.exp(0.4))])
    assert accepted == known


def test_it_is_read_as_it_was_written(tmp_path):
    gallery().write(tmp_path / "g.npz")
    found = Gallery.read(tmp_path / "g.npz")
    assert (found.checkpoint, found.writers) == ("c0ffee", ["ada", "bob"])
    np.testing.assert_array_equal(found.sums, gallery().sums)
    assert [p.name for p in tmp_path.iterdir()] == ["g.npz"]


@pytest.mark.parametrize("content", [b"", b"PK", b"text", npy(np.zeros(3))])
def test_what_is_no_gallery(tmp_path, content):
    (tmp_path / "g.npz").write_bytes(content)
    with pytest.raises(GalleryError, match="cannot be read as a gallery"):
        Gallery.read(tmp_path / "g.npz")


@pytest.mark.parametrize(
    "change",
    [
        {"writers": np.array([b"ada", b"bob"])},
        {"writers": np.array(["ada", "ada"])},
        {"sums": np.array([b"1", b"2"])},
        {"sums": np.zeros(2)},
        {"sums": np.full((2, 2), np.nan)},
        {"windows": np.array([1, 0])},
        {"windows": np.array([1.5, 2.5])},
        {"windows": np.array([1])},
    ],
    ids=str,
)
def test_parts_that_do_not_fit_together(tmp_path, change):
    """The fuzz found galleries whose arrays had other kinds. They were read, and the answer ended in a traceback."""
    found = gallery()
    arrays = {
        "checkpoint": np.array("c0ffee"),
        "writers": np.array(found.writers),
        "sums": found.sums,
        "windows": found.windows,
    }
    np.savez(tmp_path / "g.npz", **arrays | change)
    with pytest.raises(GalleryError, match="cannot be read as a gallery"):
        Gallery.read(tmp_path / "g.npz")


def test_a_gallery_whose_packed_bytes_are_damaged(tmp_path):
    np.savez_compressed(tmp_path / "g.npz", checkpoint=np.array("c0ffee"), sums=np.zeros((9, 99)))
    data = bytearray((tmp_path / "g.npz").read_bytes())
    for place in range(40, len(data) - 200, 7):
        data[place] ^= 0xFF
    (tmp_path / "g.npz").write_bytes(data)
    with pytest.raises(GalleryError, match="cannot be read as a gallery"):
        Gallery.read(tmp_path / "g.npz")


def test_no_gallery(tmp_path):
    with pytest.raises(GalleryError, match="enroll"):
        Gallery.read(tmp_path / "g.npz")
