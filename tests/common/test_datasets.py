"""iam_writer/common/datasets.py: finds prepared datasets, and joins several into one without mixing up their writers."""

import pathlib

import numpy as np
import pytest
from conftest import png, scribble

from iam_writer.common import datasets, errors
from iam_writer.iam_writer_dataset_builder import prepare, synthetic_config

SPLITS = ("train", "validation", "test")


def write_scans(folder, turned=False):
    """Writers w00 and w01, who and whose pages have the same names as invented writers and their pages."""
    for name in ("w00", "w01"):
        for form in range(3):
            path = folder / f"{name}/{name}-f0{form}-00.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = scribble(f"{name}{form}", 40, 300)
            path.write_bytes(png(pixels[::-1] if turned else pixels))
    return folder


@pytest.fixture
def two(tmp_path):
    """Three invented writers, and the two writers with the same names."""
    config = synthetic_config(num_writers=3, forms_per_writer=3, lines_per_form=2)
    manual_dir = write_scans(tmp_path / "scans")
    return {
        "synthetic": prepare(config, data_dir=tmp_path),
        "folder": prepare("folder", data_dir=tmp_path, manual_dir=manual_dir),
    }


def pixels(strips):
    first, *_, last = strips.first_column
    return strips.columns().numpy()[first:last]


@pytest.mark.slow
def test_several_datasets_lie_one_after_the_other(two):
    for split in SPLITS:
        joint = datasets.joint_strips(two, split, 32, 40)
        invented, scans = (datasets.line_strips(builder, split, 32, 40) for builder in two.values())
        assert np.array_equal(pixels(joint), np.concatenate([pixels(invented), pixels(scans)]))
        assert joint.labels.tolist() == [*invented.labels, *(3 + scans.labels)]
        assert joint.ids.tolist() == [*invented.ids, *scans.ids]
        forms = [f"synthetic: {form}" for form in invented.groups] + [
            f"folder: {form}" for form in scans.groups
        ]
        assert joint.groups.tolist() == forms
    assert datasets.writers(two) == [f"synthetic: w0{k}" for k in range(3)] + ["folder: w00", "folder: w01"]


@pytest.mark.slow
def test_no_form_is_in_two_splits_of_several_datasets(two):
    forms = [set(datasets.joint_strips(two, split, 32, 40).groups) for split in SPLITS]
    assert sum(map(len, forms)) == len(set.union(*forms)) == 15


def test_one_dataset_is_as_it_was(two):
    one = {"folder": two["folder"]}
    joint, alone = (
        datasets.joint_strips(one, "train", 32, 40),
        datasets.line_strips(two["folder"], "train", 32, 40),
    )
    assert joint.folder == alone.folder and joint.folder.name == "train-32x40-black"
    assert joint.groups.tolist() == alone.groups.tolist()
    assert datasets.writers(one) == ["w00", "w01"]
    assert [example.group for example in datasets.line_examples(one, "train")] == alone.groups.tolist()


def test_a_dataset_that_is_built_anew_is_laid_anew(two, tmp_path):
    before = datasets.joint_strips(two, "train", 32, 40)
    assert datasets.joint_strips(two, "train", 32, 40).folder == before.folder
    kept = pixels(before)
    turned = prepare("folder", data_dir=tmp_path, manual_dir=write_scans(tmp_path / "scans", turned=True))
    after = pixels(datasets.joint_strips(two | {"folder": turned}, "train", 32, 40))
    assert after.shape == kept.shape
    scans = sum(datasets.line_strips(turned, "train", 32, 40).widths) * 32
    assert np.array_equal(after[: -int(scans)], kept[: -int(scans)]) and not np.array_equal(after, kept)


def test_what_a_checkpoint_was_trained_on_is_found(two, tmp_path):
    prints = {name: builder.info.metadata["fingerprint"] for name, builder in two.items()}
    run = {
        "dataset": ["iam_writer/synthetic", "iam_writer/folder"],
        "fingerprint": list(prints.values()),
        "writers": datasets.writers(two),
        "patch_height": 32,
        "patch_width": 40,
    }
    expected = datasets.joint_strips(two, "test", 32, 40)
    strips = datasets.strips(run, "test", str(tmp_path))
    assert strips.folder == expected.folder and strips.labels.tolist() == expected.labels.tolist()
    parts = datasets.parts(run, strips.labels)
    assert {name: part.tolist() for name, part in parts.items()} == {
        "synthetic": [True] * 6 + [False] * 2,
        "folder": [False] * 6 + [True] * 2,
    }
    with pytest.raises(
        errors.MissingDataError, match="iam_writer/folder that the network was trained on is not in"
    ):
        datasets.strips(run | {"fingerprint": [prints["synthetic"], "0"]}, "test", str(tmp_path))
    alone = {"dataset": ["iam_writer/folder"], "writers": ["a: b", "c"]}
    assert datasets.parts(alone, np.array([0, 1])) == {}


@pytest.mark.parametrize("left", [None, 0, 700], ids=["gone", "empty", "cut short"])
def test_damaged_files_of_a_dataset_are_told(two, left):
    (path,) = pathlib.Path(two["folder"].data_path).glob("*-train.tfrecord-*")
    content = path.read_bytes()
    path.unlink()
    if left is not None:
        path.write_bytes(content[:left])
    with pytest.raises(errors.MissingDataError, match="or some are missing"):
        datasets.line_strips(two["folder"], "train", 32, 40)
    with pytest.raises(errors.MissingDataError, match=r"folder.* are damaged"):
        datasets.joint_strips(two, "train", 32, 40)
