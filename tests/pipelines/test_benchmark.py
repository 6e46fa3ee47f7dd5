"""pipelines/benchmark.py: the whole program on a tiny corpus. benchmarking/report.py: what it concludes from rows."""

import json
import os
import subprocess
import sys

import pytest
from forks import PROGRAM, Fork

from pipelines.benchmarking.peers import PEERS
from pipelines.benchmarking.report import Row, diagnosis, draw, ratios, table

TINY = "--images=6 --mean_width=200 --patch_height=40 --patch_width=40 --seconds=0 --batch_size=4".split()

LIMIT = [peer.key for peer in PEERS if peer.key == "limit" and not peer.missing()]
"""The limit, if numba is installed."""


def row(key, rate, batch_size=1024, **others):
    fields = {
        "name": key,
        "key": key,
        "batch_size": batch_size,
        "parallel_calls": 2,
        "corpus_megabytes": 94,
        "patches_per_second": rate,
        "minimum": rate,
        "maximum": rate,
        "bytes_per_second": rate * 12_769,
        "cpu_share": 0.9,
        "memory_megabytes": 10.0,
        "seconds_to_first_batch": 0.1,
        "cannot": "",
    }
    return Row(**fields | others)


@pytest.mark.slow
def test_the_whole_program(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib draws the plot: pip install '.[peers]'")
    output, plot = tmp_path / "out.json", tmp_path / "out.png"
    what = (
        "--rounds=1 --batch_size=8 --peers_batch_size=8 --peers=tfdata_cached,article --corpus_megabytes=0.1"
    )
    train = "--train=iam_writer.models:article --train_batch_size=4"
    flags = [*TINY, *f"{what} {train}".split(), f"--output={output}", f"--plot={plot}"]
    done = Fork(PROGRAM, "pipelines.benchmark", *flags).wait()
    assert done.returncode == 0, done.stderr
    result = json.loads(output.read_text())
    measured = [(row["key"], row["batch_size"]) for row in result["rows"]]
    assert sorted(measured) == sorted(
        [(key, size) for key in ("ours", "balanced", "starts", "pairs", *LIMIT) for size in (4, 8)]
        + [("tfdata_cached", 8), ("article", 8), ("ours", 8)]
    )
    assert all(0 < row["minimum"] <= row["patches_per_second"] <= row["maximum"] for row in result["rows"])
    of_limit = {"ours_over_limit", "best_over_limit", "best_over_best_limit", "balanced_over_limit"}
    assert set(result["ratios"]) - of_limit == {"ours_over_tfdata_cached", "ours_over_article"}
    assert (set(result["ratios"]) >= of_limit) == bool(LIMIT)
    assert result["training"]["real_over_repeated"] > 0
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert "tf.data, cached decode" in done.stdout and "ours_over_article" in done.stdout


@pytest.mark.slow
def test_training_on_jax_after_a_quiet_start():
    pytest.importorskip("jax", reason="trains with KERAS_BACKEND=jax: pip install '.[jax]'")
    flags = [*TINY, "--rounds=1", "--peers=none", "--train=iam_writer.models:article", "--train_batch_size=4"]
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.benchmark", *flags],
        env=os.environ | {"KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "training: patches_per_second" in done.stdout
    # TensorFlow says nothing when it is loaded.
    assert "oneDNN" not in done.stderr and "cpu_feature_guard" not in done.stderr


@pytest.mark.slow
def test_rows_are_kept_if_training_fails(tmp_path):
    output = tmp_path / "out.json"
    # The function takes one argument, not three.
    flags = [*TINY, "--rounds=1", "--peers=none", "--train=os:fspath", f"--output={output}"]
    done = Fork(PROGRAM, "pipelines.benchmark", *flags).wait()
    assert done.returncode != 0 and "fspath() takes" in done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()].count("ours") == 1
    assert {row["key"] for row in json.loads(output.read_text())["rows"]} == {
        *("ours", "balanced", "starts", "pairs"),
        *LIMIT,
    }


@pytest.mark.slow
def test_rows_are_kept_if_a_later_round_fails(tmp_path):
    program = """
from absl import app
from pipelines import benchmark
measure = benchmark.Measurements.measure
def fails_in_the_second_round(self, seconds):
    assert not self.rates, "the second round has failed"
    measure(self, seconds)
benchmark.Measurements.measure = fails_in_the_second_round
app.run(benchmark.main)
"""
    output = tmp_path / "out.json"
    done = Fork(program, *TINY, "--rounds=2", "--peers=none", f"--output={output}").wait()
    assert done.returncode != 0 and "the second round has failed" in done.stderr
    assert "ours, pairs of patches" in done.stdout
    assert len(json.loads(output.read_text())["rows"]) == 4 + len(LIMIT)
    assert done.stderr.count("round 1 of 2: ") == 4 + len(LIMIT)


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--images=0", "positive integer"),
        ("--peers=fcv", "peers"),
        ("--plot=nowhere/x.png", "folders that exist"),
        ("--corpus_megabytes=much", "megabytes"),
        ("--train=models", "module:function"),
        ("5", "Unknown argument"),
    ],
)
def test_a_wrong_flag_is_told_at_once(flag, message):
    done = Fork(PROGRAM, "pipelines.benchmark", flag).wait()
    assert done.returncode == 1
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_ratios_compare_at_one_batch_size_and_the_best_at_its_own():
    rows = [
        row("ours", 60),
        row("ours", 90, 4096),
        row("limit", 100),
        row("limit", 120, 256),
        row("torch", 10),
    ]
    assert ratios(rows, 1024) == {
        "ours_over_limit": 0.6,
        "best_over_limit": 0.9,
        "best_over_best_limit": 0.75,
        "ours_over_torch": 6.0,
    }


@pytest.mark.parametrize(
    ("rows", "training", "says"),
    [
        (
            [row("ours", 9)],
            {"patches_per_second": 3, "real_over_repeated": 0.99},
            "The network limits the speed of training",
        ),
        (
            [row("ours", 5, 256), row("ours", 9)],
            {"patches_per_second": 3, "real_over_repeated": 0.5},
            "--batch_size",
        ),
        ([row("ours", 9, cpu_share=0.5)], None, "--parallel_calls"),
        ([row("ours", 9), row("limit", 10)], None, "90% of what this memory can do"),
        ([row("ours", 9)], None, "install numba"),
        # Rows with other parallel_calls are not compared with the best.
        ([row("ours", 5, 256, parallel_calls=1), row("ours", 9)], None, "install numba"),
        (
            [row("ours", 3, parallel_calls=1), row("ours", 9), row("limit", 10)],
            None,
            "90% of what this memory can do",
        ),
        ([row("ours", 9), row("limit", 10, parallel_calls=4), row("limit", 12)], None, "75% of what"),
    ],
)
def test_the_diagnosis_names_what_limits_the_run(rows, training, says):
    assert says in diagnosis(rows, training)


def test_the_table_says_what_was_not_measured_and_why():
    printed = table([row("ours", 9), row("limit", 10)], {"Grain": "grain is not installed"})
    lines = printed.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["limit", "ours", "Grain"]  # The fastest first.
    assert "not measured: grain is not installed" in lines[-1]


def test_the_table_has_megabytes_beside_patches():
    head, line = table([row("ours", 1_000_000)], {}).splitlines()
    assert head.split()[3:5] == ["patches/s", "MB/s"]
    assert "1,000,000   12,769" in line


def test_the_plot_shows_ours_of_one_corpus_and_pairs_of_their_own(tmp_path, monkeypatch):
    figure = pytest.importorskip(
        "matplotlib.figure", reason="matplotlib draws the plot: pip install '.[peers]'"
    )
    drawn = {}
    monkeypatch.setattr(
        figure.Figure,
        "savefig",
        lambda self, *_, **__: drawn.update(
            {line.get_label(): list(zip(*line.get_data(), strict=True)) for line in self.axes[0].lines}
        ),
    )
    rows = [row("ours", 9), row("ours", 8, 4096), row("pairs", 5, corpus_megabytes=95)]
    draw([*rows, row("ours", 3, corpus_megabytes=400)], tmp_path / "plot.png")
    assert drawn == {"ours": [(1024, 9), (4096, 8)], "pairs": [(1024, 5)]}
