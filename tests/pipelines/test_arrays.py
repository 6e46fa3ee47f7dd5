"""arrays.py: what NumPy writes is read, and a damaged file is refused before memory is reserved for it."""

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from PIL import Image

from pipelines import strips
from pipelines.strips import Example
from pipelines.system.arrays import load_array, load_arrays
from tests.handwriting_pages import written_line

ARRAYS = {
    "numbers": np.arange(6.0).reshape(2, 3),
    "columns_first": np.asfortranarray(np.arange(6, dtype=np.int32).reshape(2, 3)),
    "texts": np.array(["ada", "bob"]),
    "no_texts": np.array([], np.str_),
    "empty_texts": np.zeros(3, "<U0"),
    "one": np.array(7),
    "nothing": np.zeros((0, 5), np.float32),
}


def _npz(save=np.savez, **arrays):
    out = io.BytesIO()
    save(out, **arrays)
    return out.getvalue()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_all_that_numpy_writes_is_read(tmp_path, save):
    (tmp_path / "a.npz").write_bytes(_npz(save, **ARRAYS))
    for found in (load_arrays(tmp_path / "a.npz"), load_arrays(_npz(save, **ARRAYS))):
        assert found.keys() == ARRAYS.keys()
        for name, array in ARRAYS.items():
            assert found[name].dtype == array.dtype
            np.testing.assert_array_equal(found[name], array)
    found["numbers"][0] = 1  # It may be changed.
    np.save(tmp_path / "a.npy", ARRAYS["numbers"])
    np.testing.assert_array_equal(load_array(tmp_path / "a.npy"), ARRAYS["numbers"])


def _with_shape(shape: str) -> bytes:
    """An .npy file of six numbers whose header tells another shape."""
    file = io.BytesIO()
    np.save(file, np.arange(6.0))
    data = file.getvalue()
    return (
        data[:10]
        + data[10:128].replace(b"(6,), }" + b" " * len(shape), f"{shape}, }}    ".encode())
        + data[128:]
    )


@pytest.mark.parametrize(
    "shape", ["(99999999999,)", "(-1,)", "(7,)", "(5,)", "(2, 99999999999, 0)", "(())" * 3, "6", "None"]
)
def test_a_shape_that_does_not_fit_the_bytes_is_refused(tmp_path, shape):
    data = _with_shape(shape)
    assert len(data) == 128 + 48 and shape.encode() in data
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.npy|header"):
        load_array(tmp_path / "a.npy")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.npy", data)
    with pytest.raises(ValueError, match=r"a\.npy|header"):
        load_arrays(out.getvalue())


def test_sizes_that_an_archive_cannot_hold_are_refused():
    data = _npz(a=np.zeros(1000))
    place = data.index(b"PK\x01\x02")
    huge = data[: place + 20] + struct.pack("<II", 2**31, 2**31) + data[place + 28 :]
    with pytest.raises(ValueError, match="2,147,483,648 bytes"):
        load_arrays(huge)


def test_other_damage_is_refused(tmp_path):
    whole = _npz(a=np.arange(1000))
    flipped = bytearray(whole)
    flipped[500] ^= 1
    objects = _npz(a=np.array([{}], dtype=object))
    for damaged in (b"", b"PK", whole[:900], bytes(flipped), objects):
        with pytest.raises(ValueError):
            load_arrays(damaged)
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x03\x00")
    with pytest.raises(ValueError, match="version"):
        load_array(tmp_path / "a.npy")
    with pytest.raises(FileNotFoundError):
        load_arrays(tmp_path / "b.npz")


@pytest.mark.parametrize(("name", "folder"), [("index.npz", "s"), ("written.npz", "s.incomplete")])
def test_strips_with_an_absurd_shape_are_built_again_within_little_memory(tmp_path, name, folder):
    """A find of the fuzz: the header told a shape that needs 8 GB."""

    def examples():
        out = io.BytesIO()
        Image.fromarray(written_line(160, 12)).save(out, "PNG")
        return [Example(out.getvalue(), 0, "line", "form")]

    def build():
        return strips.open_or_build(
            tmp_path / "s", examples, height=32, min_width=40, black_on_white=True, source="s"
        )

    columns = (build().folder / "columns").read_bytes()
    place = tmp_path / folder
    (tmp_path / "s").rename(place)
    members = {}
    with zipfile.ZipFile(place / "index.npz") as archive:
        for member in archive.namelist():
            members[member] = archive.read(member)
    first = members["first_column.npy"]
    members["first_column.npy"] = first.replace(b"(2,), }" + b" " * 8, b"(999999999,), }")
    assert len(members["first_column.npy"]) == len(first) and members["first_column.npy"] != first
    (place / "index.npz").unlink()
    with zipfile.ZipFile(place / name, "w") as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    tracemalloc.start()  # It also counts memory that is reserved and not yet used.
    build()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (tmp_path / "s/columns").read_bytes() == columns
    assert peak < 100 * 2**20
