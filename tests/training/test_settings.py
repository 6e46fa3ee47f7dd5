"""iam_writer/training/settings.py: what flags say of several datasets, and whether a checkpoint is of this run."""

import pytest

from iam_writer.common import specs
from iam_writer.common.errors import FlagError, OtherRunError
from iam_writer.common.specs import DatasetSpec
from iam_writer.training.settings import Settings, check_same_run


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
    settings = Settings(",".join(f"iam_writer/{config}" for config in configs), manual_dir)
    assert settings.specs == tuple(map(DatasetSpec, configs, expected))
    assert settings.decides_weights["dataset"] == [f"iam_writer/{config}" for config in configs]


def test_too_many_folders():
    with pytest.raises(FlagError, match=r"names 2 folders, but 1 .*: folder\. Name one folder for each"):
        _ = Settings("iam_writer/folder,iam_writer/synthetic", "/a,/b").specs


def test_home_is_resolved_in_each_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/me")
    assert specs.expanduser("iam_writer/top50,iam_writer/folder", "~/a,~/b") == "/me/a,/me/b"
    assert specs.expanduser("iam_writer/folder", "~/a,~/b") == "/me/a,~/b"  # One folder, of that name.


def refused(before, now, *datasets):
    """The message about a checkpoint of another run."""
    with pytest.raises(
        OtherRunError, match=r"^This command does not continue the run of x\.keras, because they differ: "
    ) as caught:
        check_same_run(before, now, "x.keras", datasets)
    return str(caught.value)


def test_a_checkpoint_of_an_older_version_is_of_the_same_run_if_what_was_removed_did_nothing():
    check_same_run(
        {"model": "article", "weight_decay": 0.0, "ema_momentum": 0.0}, {"model": "article"}, "x.keras", []
    )
    assert "weight_decay was 0.1" in refused({"model": "article", "weight_decay": 0.1}, {"model": "article"})


def test_of_which_dataset_the_files_have_changed():
    before = {
        "dataset": ["iam_writer/top50", "iam_writer/folder"],
        "fingerprint": ["a", "b"],
        "writers": ["x"],
    }
    scans = DatasetSpec("folder", "/scans")
    said = refused(
        before, before | {"fingerprint": ["a", "c"], "writers": ["y"]}, DatasetSpec("top50"), scans
    )
    assert "the scans or files of the dataset iam_writer/folder in /scans have changed" in said
    assert "restore the files" in said and "--workdir" in said
    assert "top50" not in said and "fingerprint" not in said and "writers" not in said
    assert "top50 that were found in --data_dir have" in refused(
        before, before | {"fingerprint": ["z", "b"]}, DatasetSpec("top50"), scans
    )


def test_other_invented_writers():
    before, now = ({"fingerprint": [model], "model": model} for model in ("article", "compact"))
    said = refused(before, now, DatasetSpec("synthetic"))
    assert "--synthetic_seed" in said and "model was 'article', now 'compact'" in said and "flags.txt" in said


@pytest.mark.parametrize("schedule", [{"learning_rate_schedule": "cosine"}, {"warmup_fraction": 0.1}])
def test_why_a_run_with_a_schedule_cannot_be_extended(schedule):
    before, now = (Settings(epochs=epochs, **schedule).decides_weights for epochs in (2, 3))
    said = refused(before, now)
    assert "epochs was 2, now 3" in said
    assert "learning rate of each step depends on --epochs" in said and "Choose another --workdir" in said
    assert "epochs" not in refused(before, Settings().decides_weights).partition("The checkpoint")[0]


def test_more_epochs_at_a_constant_rate_are_the_same_run():
    check_same_run(Settings(epochs=2).decides_weights, Settings(epochs=3).decides_weights, "x.keras", [])


def test_random_changes_that_differ_are_named():
    before, now = (Settings(augment=names).decides_weights for names in (["blur", "scale"], []))
    assert "augment was blur, scale, now none" in refused(before, now)
