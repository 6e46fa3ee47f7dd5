"""The program iam_writer.evaluate, and its report."""

import re

from conftest import run_module, run_without_tensorflow
from PIL import Image


def test_the_report_stands_alone(evaluated):
    done, folder = evaluated
    assert "test lines" in done.stdout and "expected calibration error" in done.stdout
    page = (folder / "report.html").read_text()
    assert 'name="viewport"' in page
    pictures = {path.name for path in folder.glob("*.png")}
    assert pictures >= {"calibration.png", "amount.png", "writers.png"}
    assert page.count("<img") == len(pictures)
    assert all(source.startswith("data:image/png;base64,") for source in re.findall(r'src="([^"]*)"', page))
    assert "http" not in page
    # The same intervals as in the table, without decimals.
    table = re.search(r"test lines .* ([\d.]+)% - ([\d.]+)%", done.stdout).groups()
    shown = re.search(r">lines<.*?<small>\((\d+)–(\d+)%\)", page).groups()
    assert all(abs(float(a) - float(b)) <= 0.55 for a, b in zip(table, shown, strict=True))
    for name in pictures:
        with Image.open(folder / name) as image:
            assert image.width > 300
    assert {path.suffix for path in folder.iterdir()} == {".html", ".png"}


def test_a_dataset_that_is_not_there(trained, tmp_path):
    done = run_module("evaluate", f"--checkpoint={trained[0] / 'best.keras'}", f"--data_dir={tmp_path}")
    assert done.returncode == 1
    assert "--data_dir" in done.stderr and "Traceback" not in done.stderr
    assert not (trained[0] / "report").exists()


def test_an_argument_too_many():
    done = run_without_tensorflow("evaluate", "--checkpoint=x.keras", "more")
    assert done.returncode == 1
    assert "Unknown argument 'more'" in done.stdout + done.stderr
