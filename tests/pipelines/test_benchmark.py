"""pipelines/benchmark.py, the whole program on a tiny corpus; benchmark_report.py, what it concludes from rows."""

import json

import pytest
from forks import PROGRAM, Fork

from pipelines.benchmarking.report import diagnosis, draw, ratios, table


def row(key, rate, batch_size=1024, **others):
    return {
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
    } | others


def test_the_whole_program(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib draws the plot: pip install '.[peers]'")
    output, plot = tmp_path / "out.json", tmp_path / "out.png"
    sizes = (
        "--images=6 --mean_width=200 --patch_height=40 --patch_width=40 --rounds=1 --seconds=0 --batch_size=4"
    )
    what = "--batch_size=8 --peers_batch_size=8 --peers=tfdata_cached,article --corpus_megabytes=0.1"
    train = "--train=iam_writer.models:article --train_batch_size=4"
    flags = [*f"{sizes} {what} {train}".split(), f"--output={output}", f"--plot={plot}"]
    done = Fork(PROGRAM, "pipelines.benchmark", *flags).wait()
    assert done.returncode == 0, done.stderr
    result = json.loads(output.read_text())
    measured = [(row["key"], row["batch_size"]) for row in result["rows"]]
    assert sorted(measured) == sorted(
        [(key, size) for key in ("ours", "balanced", "starts", "pairs") for size in (4, 8)]
        + [("tfdata_cached", 8), ("article", 8), ("ours", 8)]
    )
    assert all(0 < row["minimum"] <= row["patches_per_second"] <= row["maximum"] for row in result["rows"])
    assert set(result["ratios"]) == {"ours_over_tfdata_cached", "ours_over_article"}
    assert result["training"]["real_over_repeated"] > 0
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert "tf.data, cached decode" in done.stdout and "ours_over_article" in done.stdout


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--images=0", "positive integer"),
        ("--peers=fcv", "peers"),
        ("--plot=nowhere/x.png", "folders that are there"),
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
            "The network bounds training",
        ),
        (
            [row("ours", 5, 256), row("ours", 9)],
            {"patches_per_second": 3, "real_over_repeated": 0.5},
            "--batch_size",
        ),
        ([row("ours", 9, cpu_share=0.5)], None, "--parallel_calls"),
        ([row("ours", 9), row("limit", 10)], None, "90% of what this memory can do"),
        ([row("ours", 9)], None, "install the peers"),
    ],
)
def test_the_diagnosis_names_what_bounds_the_run(rows, training, says):
    assert says in diagnosis(rows, ratios(rows, 1024), training)


def test_the_table_says_what_was_not_measured_and_why():
    printed = table([row("ours", 9), row("limit", 10)], {"Grain": "grain is not installed"})
    lines = printed.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["limit", "ours", "Grain"]  # The fastest first.
    assert "not measured: grain is not installed" in lines[-1]


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
