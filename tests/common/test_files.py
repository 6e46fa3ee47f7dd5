"""files.py: a file is either complete or absent."""

import errno

import pytest

from iam_writer.common import files
from iam_writer.common.files import write_beside


@pytest.mark.parametrize(("data", "written"), [("ä", "ä".encode()), (b"\x00", b"\x00")])
def test_what_is_written(tmp_path, data, written):
    write_beside(tmp_path / "x", data)
    assert (tmp_path / "x").read_bytes() == written
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_failure_leaves_what_was_there(tmp_path):
    (tmp_path / "x").mkdir()  # A file cannot replace a folder.
    with pytest.raises(OSError):
        write_beside(tmp_path / "x", "new")
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_an_error_of_a_library_about_a_full_disk_becomes_an_oserror(tmp_path):
    with pytest.raises(OSError, match="No space left") as raised, files.full_disk_as_oserror(tmp_path):
        raise RuntimeError("part-00000; No space left on device [Op:SaveV2]")
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(tmp_path))
    with pytest.raises(RuntimeError, match="else"), files.full_disk_as_oserror(tmp_path):
        raise RuntimeError("something else")
