"""The program iam_writer.studies.collage, as a person runs it."""

import numpy as np
from conftest import run_module
from PIL import Image


def test_a_row_a_writer(trained, tmp_path):
    done = run_module(
        "studies.collage",
        "--dataset=synthetic",
        f"--data_dir={trained[1]}",
        "--rows=3",
        "--columns=4",
        "--patch_height=32",
        "--patch_width=40",
        f"--output={tmp_path / 'patches.png'}",
    )
    assert done.returncode == 0, done.stderr
    picture = np.asarray(Image.open(tmp_path / "patches.png"))
    assert picture.shape == (3 * (32 + 4), 96 + 4 * (40 + 4))
    assert len({picture[i * 36 :][:36, 96:].tobytes() for i in range(3)}) == 3
    assert (picture[:, 96:] == 160).any(axis=0)[[0, -1]].all()  # Gray between patches.
    assert all((picture[i * 36 :][:36, :96] < 100).any() for i in range(3))  # A name beside each row.


def test_a_dataset_that_is_not_there(tmp_path):
    done = run_module(
        "studies.collage", "--dataset=top50", f"--data_dir={tmp_path}", f"--output={tmp_path / 'patches.png'}"
    )
    assert done.returncode == 1
    assert "top50 was not found" in done.stderr
    assert not (tmp_path / "patches.png").exists()
