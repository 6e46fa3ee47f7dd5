"""iam_writer/training/settings.py: what flags say of several datasets."""

import pytest

from iam_writer.common.errors import FlagError
from iam_writer.training.settings import datasets_of


@pytest.mark.parametrize(
    ("configs", "manual_dir", "expected"),
    [
        ("top50", None, [None]),
        ("top50", "/a,b", ["/a,b"]),  # One folder, of that name.
        ("top50 synthetic folder", None, [None, None, None]),
        ("top50 synthetic folder", "/a,/b", ["/a", None, "/b"]),
        ("top50 folder", "/a", ["/a", "/a"]),
        ("top50 folder", ",/b", [None, "/b"]),  # The first is built already.
    ],
)
def test_a_folder_for_each_dataset(configs, manual_dir, expected):
    configs = configs.split()
    dataset = ",".join(f"iam_writer/{config}" for config in configs)
    assert datasets_of(dataset, manual_dir) == dict(zip(configs, expected, strict=True))


def test_too_many_folders():
    with pytest.raises(FlagError, match=r"names 2 folders, and 1 .*: folder\. Name one for each"):
        datasets_of("iam_writer/folder,iam_writer/synthetic", "/a,/b")
