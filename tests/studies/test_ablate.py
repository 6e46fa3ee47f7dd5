"""iam_writer/studies/ablate.py and ablation.py: rows of one base train for the same minutes and make a table.

A killed study continues.
"""

import dataclasses
import itertools
import json
import pathlib
import sys

import pytest
from absl import flags
from conftest import run_without_tensorflow
from forks import PROGRAM, Fork
from training_runs import SETTINGS

import iam_writer
from iam_writer.recognition import scanning
from iam_writer.studies import ablate, ablation
from iam_writer.training import experiment, trainer
from iam_writer.training.data import load

FLAGFILES = pathlib.Path(iam_writer.__file__).parent / "flagfiles"
CHANGE, SCAN = "balance=writers", "window_stride=1000000"
SPEED = {"none": 16 * 6, "writers": 16 * 12}
"""Patches/s by balance: six steps a second, and twelve."""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ablate")
    return dataclasses.replace(
        SETTINGS, epochs=1, num_seeds=2, workdir=str(folder / "runs"), data_dir=str(folder / "tfds")
    )


def run(base):
    rows = {"": base, CHANGE: dataclasses.replace(base, balance="writers")}
    scans = {SCAN: dataclasses.replace(base, window_stride=10**6)}
    return ablation.run(rows, scans, minutes=1 / 60)


@pytest.fixture(scope="module")
def stopped_once(base):
    """What `run` returns after it was stopped in its third run and continued, and the folder of each run that began."""
    real, begun = experiment.run, []

    def stopped_in_the_third(settings):
        begun.append(pathlib.Path(settings.workdir))
        if len(begun) == 3:
            raise KeyboardInterrupt
        return real(settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiment, "run", stopped_in_the_third)
        # As if they had been measured: no test measures time.
        patch.setattr(
            trainer, "speeds", lambda settings, *_: (SPEED[settings.balance] for _ in itertools.count())
        )
        with pytest.raises(KeyboardInterrupt):
            run(base)
        patch.delattr(trainer, "speeds")  # Speeds that were measured are not measured again.
        return run(base), begun


def test_what_is_done_is_not_done_again(base, stopped_once, monkeypatch):
    results, begun = stopped_once
    folders = [
        pathlib.Path(base.workdir) / name
        for name in ("base/seed1", f"{CHANGE}/seed1", "base/seed2", f"{CHANGE}/seed2")
    ]
    assert begun == [*folders[:3], *folders[2:]]
    for module, name in ((experiment, "run"), (scanning, "evaluate"), (trainer, "speeds")):
        monkeypatch.delattr(module, name)
    assert run(base) == results


def test_rows_train_for_the_same_time_and_scans_do_not_train(stopped_once):
    results, _ = stopped_once
    assert [run["config"]["seed"] for run in results[""]] == [1, 2]
    assert [run["config"]["balance"] for run in results[CHANGE]] == ["writers"] * 2
    assert [run["train.steps"] for run in results[""]] == [6, 6]
    assert [run["train.steps"] for run in results[CHANGE]] == [12, 12]
    for trained, scanned in zip(results[""], results[SCAN], strict=True):
        assert scanned["test.patches"] == scanned["test.lines"] < trained["test.patches"]
        assert "train.steps" not in scanned


def test_a_scan_of_other_weights_is_made_anew(base, stopped_once):
    first, second = (pathlib.Path(base.workdir) / f"base/seed{seed}/best.keras" for seed in (1, 2))
    before, (of_first, of_second) = first.read_bytes(), stopped_once[0][SCAN]
    first.write_bytes(second.read_bytes())
    assert run(base)[SCAN] == [of_second, of_second] != [of_first, of_second]
    first.write_bytes(before)


def test_a_scan_at_another_stride_is_made_anew(base, stopped_once):
    """A new stride of the base needs no new training. A scan that changes another flag uses the new stride too."""
    folder = pathlib.Path(base.workdir) / "base/seed1"
    data = load(base)
    strides = []
    for stride in (40, 80):
        settings = dataclasses.replace(base, window_stride=stride, combine="log_probabilities")
        strides.append(ablation._scanned(settings, data, folder, "combine=log_probabilities")["test.patches"])
    assert strides[0] > strides[1]


def made(change, seed, line, **more):
    return {
        "validation.line_top1": 0.5,
        "test.line_top1": line,
        "test.form_top1": 0.75,
        "test.patches": 80,
        "test.lines": 32,
        "test.forms": 4,
        "test.writers": 2,
        "dataset": "iam_writer/top50/1.0.0",
        "config": {"seed": seed},
        "command": [
            "python",
            "-m",
            "iam_writer.studies.ablate",
            "--flagfile=x.flags",
            "--workdir=/somewhere",
        ],
        "machine.cores": 2,
    } | more


def test_the_page():
    trained = {"train.minutes": 2.04, "train.patches": 56320, "train.patches_per_second": 460.2}
    results = {
        "": [made("", seed, line, **trained) for seed, line in enumerate((0.5, 0.6, 0.7))],
        "augment=scale": [made("augment=scale", seed, 0.25, **trained) for seed in range(3)],
        "window_stride=226": [made("window_stride=226", seed, 0.125) for seed in range(3)],
    }
    page = ablation.page(results, minutes=2)
    for part in (
        "# Same minutes of training: iam_writer/top50\n",
        "`python -m iam_writer.studies.ablate --flagfile=x.flags`",
        "over seeds 0, 1, 2. ",
        "first, on 2 cores. ",
        " in 2 min at that speed",
    ):
        assert part in page
    table = [line for line in page.splitlines() if line.startswith("| ")][2:]
    assert table == [
        "| nothing | 50.0 ± 0.0 | 60.0 ± 10.0 | 75.0 ± 0.0 | 2.5 | 2.04 | 56,320 | 460 |",
        "| `augment=scale` | 50.0 ± 0.0 | 25.0 ± 0.0 | 75.0 ± 0.0 | 2.5 | 2.04 | 56,320 | 460 |",
        "| `window_stride=226` | 50.0 ± 0.0 | 12.5 ± 0.0 | 75.0 ± 0.0 | 2.5 | – | – | – |",
    ]
    assert "of seed 0. " in ablation.page({"": results[""][:1]}, minutes=2)


@pytest.mark.slow
def test_the_program(base, tmp_path):
    """Runs the program from the command line, and measures real speeds."""
    one = dataclasses.replace(base, num_seeds=1, workdir=str(tmp_path / "runs"))
    (tmp_path / "base.flags").write_text(one.as_flags())
    at_once = "from iam_writer.studies import ablation; ablation.ROUND_SECONDS = 0\n"
    arguments = [f"--flagfile={tmp_path / 'base.flags'}", "--vary=model=compact patch_width=48"]
    arguments += [
        "--scan=combine=log_probabilities",
        "--train_minutes=0.001",
        f"--output={tmp_path / 'docs/x.md'}",
    ]
    done = Fork(at_once + PROGRAM, "iam_writer.studies.ablate", *arguments).wait()
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "docs/x.md").read_text()
    assert page in done.stdout
    assert "| `model=compact patch_width=48` |" in page and "| `combine=log_probabilities` |" in page
    speeds = json.loads((tmp_path / "runs/speeds.json").read_text())
    assert speeds.keys() == {"", "model=compact patch_width=48"} and min(speeds.values()) > 0
    result = json.loads((tmp_path / "runs/model=compact patch_width=48/seed1/result.json").read_text())
    assert result["config"]["patch_width"] == 48


@pytest.mark.slow
def test_the_speed_on_two_devices(base):
    """Runs in its own process, because logical devices must be made before TensorFlow starts."""
    code = (
        "import tensorflow as tf; cpu = tf.config.list_physical_devices('CPU')[0]\n"
        "tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)\n"
        "strategy = tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1'])\n"
        "tf.distribute.MirroredStrategy = lambda: strategy\n"
        "from iam_writer.training import trainer; from iam_writer.training.data import load; from iam_writer.training.settings import Settings\n"
        f"settings = {dataclasses.replace(base, strategy='mirrored')!r}\n"
        "assert next(trainer.speeds(settings, load(settings), 0)) > 0"
    )
    done = Fork(code).wait()
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["ablation_top50", "gpu_top50"])
def test_every_row_of_the_flagfiles_is_valid(monkeypatch, name):
    monkeypatch.setattr(sys, "argv", ["ablate", f"--flagfile={FLAGFILES / name}.flags"])
    flags.FLAGS.unparse_flags()
    flags.FLAGS(sys.argv)
    rows, scans = ablate.rows_from_flags()
    assert len({row.as_flags() for row in (*rows.values(), *scans.values())}) == len(rows) + len(scans) > 1
    assert {row.workdir for row in rows.values()} == {f"runs/{name}"}


def test_a_row_has_nothing_of_the_row_before(monkeypatch):
    monkeypatch.setattr(
        sys, "argv", ["ablate", "--vary=augment=shift model=compact", "--vary=balance=writers"]
    )
    flags.FLAGS.unparse_flags()
    flags.FLAGS(sys.argv)
    rows, _ = ablate.rows_from_flags()
    assert [(row.augment, row.model, row.balance) for row in rows.values()] == [
        ([], "article", "none"),
        (["shift"], "compact", "none"),
        ([], "article", "writers"),
    ]


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--vary=modle=compact", "A flag in 'modle=compact' is wrong: Unknown command line flag 'modle'"),
        ("--vary=model=deepwriter", "needs an even --patch_width"),
        ("--vary=model=article", "changes nothing"),
        ("--vary=seed=3 model=compact", "must not change seed"),
        ("--vary='", "No closing quotation"),
        ("--scan=model=compact", "--scan can change window_stride, combine, window_sizes only"),
        ("--train_minutes=0", "must be more than 0"),
        ("--train_minutes=inf", "and finite"),
        ("--checkpoint_minutes=nan", "not a finite number"),
        ("5", "Unknown argument"),
        (
            ["--dataset=iam_writer/top50,iam_writer/folder", "--manual_dir=a,b,c"],
            "--manual_dir names 3 folders",
        ),
    ],
)
def test_a_wrong_flag_is_told_before_tensorflow_is_loaded(flag, message):
    done = run_without_tensorflow("studies.ablate", *([flag] if isinstance(flag, str) else flag))
    assert done.returncode == 1
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
