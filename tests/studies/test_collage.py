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
        f"--out={tmp_path / 'patches.png'}",
    )
    assert done.returncode == 0, done.stderr
    picture = np.asarray(Image.open(tmp_path / "patches.png"))
    assert picture.shape == (3 * (32 + 8), 4 * (40 + 8))
    assert len({picture[i * 40 :][:40].tobytes() for i in range(3)}) == 3
    assert picture.min() < 100


def test_a_dataset_that_is_not_there(tmp_path):
    done = run_module(
        "studies.collage", "--dataset=top50", f"--data_dir={tmp_path}", f"--out={tmp_path / 'patches.png'}"
    )
    assert done.returncode == 1
    assert "top50 is not there" in done.stderr
    assert not (tmp_path / "patches.png").exists()
