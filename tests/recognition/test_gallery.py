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


def test_no_gallery(tmp_path):
    with pytest.raises(GalleryError, match="enroll"):
        Gallery.read(tmp_path / "g.npz")
