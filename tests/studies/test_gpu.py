"""iam_writer/studies/gpu.py: a whole visit with tiny networks, on a CPU; what a visit that was cut short leaves behind."""

import dataclasses
import json
import os
import subprocess
import sys

import pytest
from forks import PROGRAM, Fork
from training_runs import SETTINGS, flagfile

from iam_writer.models import MODELS
from iam_writer.studies import gpu_visit


def arguments(tmp_path, rows, **changes):
    settings = dataclasses.replace(
        SETTINGS, data_dir=str(tmp_path / "tfds"), workdir=str(tmp_path / "gpu"), **changes
    )
    return [
        flagfile(settings),
        f"--rows={rows}",
        "--row_seconds=0.2",
        "--learning_minutes=0.001",
        f"--table={tmp_path / 'docs/gpu.md'}",
    ]


def rows_of(tmp_path):
    (file,) = tmp_path.rglob("rows.jsonl")
    return {row["row"]: row for row in map(json.loads, file.read_text().splitlines())}


@pytest.mark.slow
def test_a_visit_on_jax(tmp_path):
    pytest.importorskip("jax", reason="JAX is not installed: pip install '.[jax]'")
    rows = 'matrices,article,"article, host gathers"'
    done = subprocess.run(
        [sys.executable, "-m", "iam_writer.studies.gpu", *arguments(tmp_path, rows)],
        env=os.environ | {"KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    found = rows_of(tmp_path)
    assert list(found) == ["matrices", "article", "article, host gathers"]
    assert not any("error" in row for row in found.values()), found
    for name in ("article", "article, host gathers"):
        assert found[name]["patches_per_second"] > 0 and 0 <= found[name]["idle"] < 1
    page = (tmp_path / "docs/gpu.md").read_text()
    assert page in done.stdout and "| article, host gathers |" in page and "TFLOP/s" in page


@pytest.mark.slow
def test_a_visit_that_learns_goes_on_where_the_last_one_ended(tmp_path):
    first = Fork(PROGRAM, "iam_writer.studies.gpu", *arguments(tmp_path, "copy"), "--minutes=0").wait()
    assert first.returncode == 0 and "The time is over before row copy" in first.stderr, first.stderr
    for rows in ("copy", "copy,learn compact"):
        done = Fork(PROGRAM, "iam_writer.studies.gpu", *arguments(tmp_path, rows)).wait()
        assert done.returncode == 0, done.stderr
    lines = (tmp_path / "gpu/rows.jsonl").read_text().splitlines()
    assert [json.loads(line)["row"] for line in lines] == ["copy", "learn compact"]
    learnt = rows_of(tmp_path)["learn compact"]
    assert "error" not in learnt, learnt["error"]
    assert 0 <= learnt["line_top1"] <= 1
    assert "| compact |" in done.stdout and "Copies to the device" in done.stdout


def test_a_wrong_row_is_told(tmp_path):
    done = Fork(PROGRAM, "iam_writer.studies.gpu", "--rows=articles").wait()
    assert done.returncode == 1 and "must name some of matrices" in done.stderr


def visit(tmp_path):
    return gpu_visit.Visit(SETTINGS, 1, 0, 0, tmp_path)


def test_a_row_that_fails_costs_no_other_row_and_is_measured_again(tmp_path, monkeypatch):
    asked = []

    def measure(self, name):
        asked.append(name)
        if name == "copy" and asked.count(name) == 1:
            raise MemoryError("too large")
        return {"gigabytes_per_second": 1.0, "teraflops": 2.0}

    monkeypatch.setattr(gpu_visit.Visit, "_measure", measure)
    assert [row["row"] for row in visit(tmp_path).run(["copy", "matrices"])] == ["matrices"]
    assert "too large" in rows_of(tmp_path)["copy"]["error"]
    with open(tmp_path / "rows.jsonl", "a") as file:
        file.write('{"row": "cut off\n')
    assert [row["row"] for row in visit(tmp_path).run(["copy"])] == ["matrices", "copy"]
    assert asked == ["copy", "matrices", "copy"]


def test_the_page_says_what_augmentation_costs():
    speed = {"repeated_patches_per_second": 200, "teraflops": 1, "idle": 0, "steps_per_call": 64}
    machine = {"machine.gpu": "H200", "machine.cores": 16, "backend": "jax"}
    rows = [
        {"row": name, "patches_per_second": rate, **speed, **machine}
        for name, rate in (("compact", 90), ("compact, no augmentation", 100), ("half_deepwriter", 50))
    ]
    page = gpu_visit.page(rows)
    assert "- Augmentation takes 10% of a step of compact." in page
    assert "a step of half_deepwriter" not in page


@pytest.mark.parametrize(
    ("model", "width", "expected"), [("half_deepwriter", 113, 0.70e9), ("deepwriter", 226, 1.40e9)]
)
def test_multiply_adds_of_a_patch(model, width, expected):
    assert gpu_visit.multiply_adds(MODELS[model](50, 113, width)) == pytest.approx(expected, rel=0.03)
