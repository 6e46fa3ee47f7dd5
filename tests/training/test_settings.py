"""iam_writer/training/settings.py: what flags say of several datasets."""

import pytest

from iam_writer.common.errors import FlagError, OtherRunError
from iam_writer.training.settings import check_same_run, datasets_of


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


def test_a_checkpoint_of_an_older_version_is_of_the_same_run_if_what_was_removed_did_nothing():
    check_same_run(
        {"model": "article", "weight_decay": 0.0, "ema_momentum": 0.0}, {"model": "article"}, "x.keras"
    )
    with pytest.raises(OtherRunError, match=r"weight_decay was 0\.1"):
        check_same_run({"model": "article", "weight_decay": 0.1}, {"model": "article"}, "x.keras")
