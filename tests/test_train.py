"""The training program, from flags to result.json, as a person runs it."""

import dataclasses
import errno
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import keras
import pytest
from absl import flags
from conftest import SMALL_IAM, png, run_module, run_without_tensorflow, scribble, write_iam
from forks import PROGRAM, Fork
from training_runs import SETTINGS, flagfile, same_weights

from iam_writer import train
from iam_writer.common import errors
from iam_writer.common.names import AUGMENTATIONS
from iam_writer.recognition import checkpoints
from iam_writer.training import distribution, experiment
from iam_writer.training.settings import Settings


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Synthetic handwriting is drawn once for all tests of this module."""
    return str(tmp_path_factory.mktemp("tfds"))


@pytest.fixture
def settings(tmp_path, data_dir):
    return dataclasses.replace(SETTINGS, workdir=str(tmp_path / "run"), data_dir=data_dir)


def start(settings):
    return Fork(PROGRAM, "iam_writer.train", flagfile(settings))


@pytest.fixture(scope="module")
def finished(data_dir, tmp_path_factory):
    """The settings of a run that has come to its end, and what it returned."""
    workdir = tmp_path_factory.mktemp("finished") / "run"
    settings = dataclasses.replace(SETTINGS, workdir=str(workdir), data_dir=data_dir, deterministic=True)
    return settings, experiment.run(settings)


def test_a_run_leaves_its_results(finished):
    settings, results = finished
    workdir = pathlib.Path(settings.workdir)
    summary = json.loads((workdir / "result.json").read_text())
    for split in ("validation", "test"):
        for key in ("patch_top1", "line_top1", "form_top1", "line_top5", "line_macro_top1"):
            assert summary[f"{split}.{key}"] == results[split][key]
    assert summary["test.writers"] == 3
    assert summary["config"]["seed"] == 1
    assert summary["versions.tensorflow"]
    assert summary["train.patches"] == summary["train.steps"] * 16
    assert summary["minutes"] > summary["train.minutes"]
    assert summary["command"] == sys.orig_argv
    assert summary["machine.cores"] >= 1
    assert list(workdir.glob("tensorboard/events*"))
    assert keras.saving.load_model(workdir / "best.keras").count_params() > 0
    assert [path.name for path in workdir.glob(".*")] == [".lock"]


def test_a_finished_run_is_only_evaluated_again(finished):
    settings, first = finished
    before = (pathlib.Path(settings.workdir) / "last.keras").read_bytes()
    assert experiment.run(settings) == first
    assert (pathlib.Path(settings.workdir) / "last.keras").read_bytes() == before


def parsed(*words):
    """The settings that a command line stands for."""
    flags.FLAGS.unparse_flags()
    flags.FLAGS(["train", *map(str, words)])
    return train.settings_from_flags()


def test_the_saved_flags_repeat_the_run(finished):
    settings, _ = finished
    assert parsed(f"--flagfile={pathlib.Path(settings.workdir) / 'flags.txt'}") == settings


def test_every_setting_is_read_back_from_its_flag(tmp_path):
    """Each flag has another value than its default, so that the test fails if a flag is forgotten."""
    flag_of = {field.name: field.metadata.get("flag") for field in dataclasses.fields(Settings)}
    excluded = {"fonts_dir": None, "text_file": None, "data_service": None, "strategy": "one"}
    special = excluded | {
        "augment": ["blur", "scale"],
        "dataset": "iam_writer/synthetic,iam_writer/folder",
        "manual_dir": "/a b",
        "page_pattern": r"(?P<page>.+),\d+$",
        "writer_pattern": "#(?P<writer>[^ ]+)",
        "data_dir": "/c",
        "workdir": "/d",
        "steps_per_call": "7",
        "window_sizes": ["1", "0.88"],
        "script": "greek",
        "test_script": "latin",
    }
    values = {}
    for name, default in dataclasses.asdict(Settings()).items():
        if name in special:
            values[name] = special[name]
        elif isinstance(default, bool):
            values[name] = not default
        elif isinstance(default, str):
            values[name] = next(choice for choice in flag_of[name].choices if choice != default)
        else:
            values[name] = (default or 0) + (0.125 if isinstance(default, float) else 2)
        assert values[name] != default or name in excluded
    settings = Settings(**values)
    (tmp_path / "flags.txt").write_text(settings.as_flags())
    assert parsed(f"--flagfile={tmp_path / 'flags.txt'}") == settings


def test_flags_and_settings_have_the_same_defaults():
    assert parsed() == Settings()


@pytest.mark.parametrize(
    "change",
    [{"patch_width": 48}, {"num_writers": 4}, {"learning_rate": 0.5}, {"seed": 2}],
    ids=["patch size", "classes", "learning rate", "seed"],
)
def test_a_workdir_of_another_run_is_left_alone(finished, change):
    settings, _ = finished
    workdir = pathlib.Path(settings.workdir)
    before = {path.name: path.read_bytes() for path in workdir.iterdir() if path.is_file()}
    with pytest.raises(
        errors.OtherRunError, match=r"because they differ: .*(was .*, now|have changed).*--workdir"
    ):
        experiment.run(dataclasses.replace(settings, **change))
    assert {path.name: path.read_bytes() for path in workdir.iterdir() if path.is_file()} == before


def test_more_epochs_go_on_where_fewer_ended(finished, tmp_path):
    settings = dataclasses.replace(finished[0], workdir=str(tmp_path / "run"))
    experiment.run(dataclasses.replace(settings, epochs=1))
    spent = checkpoints.read_state(pathlib.Path(settings.workdir) / "last.keras")["progress"]["total_seconds"]
    before = time.monotonic()
    experiment.run(settings)
    # The minutes of both processes, without the time between them.
    minutes = json.loads((pathlib.Path(settings.workdir) / "result.json").read_text())["minutes"]
    assert spent < 60 * minutes < spent + time.monotonic() - before
    names = [
        json.loads((pathlib.Path(s.workdir) / "result.json").read_text())["train.steps"]
        for s in (settings, finished[0])
    ]
    assert names[0] == names[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["best", "last"])
def test_a_damaged_checkpoint_in_the_workdir(settings, name):
    experiment.run(settings)
    path = pathlib.Path(settings.workdir) / f"{name}.keras"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(errors.CheckpointError, match=rf"{name}\.keras is damaged"):
        experiment.run(settings)


@pytest.mark.slow
def test_a_best_checkpoint_of_another_run_is_not_taken_for_ones_own(settings, tmp_path):
    experiment.run(settings)
    experiment.run(dataclasses.replace(settings, seed=2, workdir=str(tmp_path / "other")))
    shutil.copy(tmp_path / "other/best.keras", settings.workdir)
    with pytest.raises(errors.OtherRunError, match=r"best\.keras, because they differ: seed was 2, now 1"):
        experiment.run(settings)


def test_two_programs_do_not_train_in_one_workdir(settings):
    with experiment.alone_in(pathlib.Path(settings.workdir)):
        done = start(settings).wait()
    assert "Another program trains in" in one_message(done)
    assert not list(pathlib.Path(settings.workdir).glob("*.keras"))


@pytest.mark.slow
def test_several_seeds(settings):
    seeds = dataclasses.replace(settings, num_seeds=2, epochs=1, deterministic=True)
    summary = experiment.run_seeds(seeds)
    workdir = pathlib.Path(settings.workdir)
    assert (workdir / "flags.txt").read_text() == seeds.as_flags()
    of_each = [json.loads((workdir / f"seed{k}/result.json").read_text()) for k in (1, 2)]
    assert [result["config"]["seed"] for result in of_each] == [1, 2]
    assert not same_weights(workdir / "seed1/last.keras", workdir / "seed2/last.keras")
    written = json.loads((workdir / "result.json").read_text())
    values = [result["test.patch_top1"] for result in of_each]
    assert written["test.patch_top1.seeds"] == values
    assert written["test.patch_top1"] == pytest.approx(sum(values) / 2)
    assert written["test.patch_top1.std"] == pytest.approx(abs(values[0] - values[1]) / 2**0.5)
    assert written["config"]["num_seeds"] == 2
    assert summary.items() <= written.items()

    alone = dataclasses.replace(seeds, num_seeds=1, seed=2, workdir=str(workdir / "alone"))
    experiment.run(alone)
    assert same_weights(workdir / "alone/last.keras", workdir / "seed2/last.keras")


@pytest.fixture
def joint(settings, tmp_path):
    """Settings of two datasets: a folder of scans by two writers, and invented writers of whom two have the same names."""
    for writer, form in itertools.product(("w00", "w01"), range(3)):
        path = tmp_path / f"scans/{writer}/f0{form}-00.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(scribble(f"{writer}{form}", 40, 300)))
    return dataclasses.replace(
        settings,
        dataset="iam_writer/folder,iam_writer/synthetic",
        manual_dir=str(tmp_path / "scans"),
        data_dir=str(tmp_path / "tfds"),
        deterministic=True,
    )


def test_two_datasets_at_once(joint, tmp_path):
    results = experiment.run(joint)
    summary = json.loads((tmp_path / "run/result.json").read_text())
    assert summary["dataset"][0] == "iam_writer/folder/1.0.0" and len(summary["dataset"]) == 2
    assert (
        summary["dataset"][1].startswith("iam_writer/synthetic3_")
        and len(summary["dataset_fingerprint"]) == 2
    )
    for split in ("validation", "test"):
        whole, *each = (results[name] for name in (split, f"{split}.folder", f"{split}.synthetic"))
        assert [part["lines"] for part in each] == [2, 3]
        for name in ("line", "form", "patch"):
            count = f"{name}{'e' * (name == 'patch')}s"
            right = [part[f"{name}_top1"] * part[count] for part in each]
            assert whole[f"{name}_top1"] * whole[count] == pytest.approx(sum(right))
        assert summary[f"{split}.synthetic.line_top1"] == each[1]["line_top1"]
        assert summary[f"{split}.line_top1"] == whole["line_top1"]
    names = ["folder: w00", "folder: w01", "synthetic: w00", "synthetic: w01", "synthetic: w02"]
    assert checkpoints.read_state(tmp_path / "run/best.keras")["run"]["writers"] == names

    # A run that stops after an epoch and continues must end like a run that does not stop.
    resumed = dataclasses.replace(joint, workdir=str(tmp_path / "resumed"))
    experiment.run(dataclasses.replace(resumed, epochs=1))
    assert experiment.run(resumed) == results
    assert same_weights(tmp_path / "run/last.keras", tmp_path / "resumed/last.keras")
    turned = dataclasses.replace(resumed, dataset="iam_writer/synthetic,iam_writer/folder")
    with pytest.raises(errors.OtherRunError, match="dataset was"):
        experiment.run(turned)


@pytest.mark.slow
def test_a_checkpoint_of_two_datasets_can_be_used(joint, tmp_path):
    experiment.run(dataclasses.replace(joint, epochs=1))
    best = tmp_path / "run/best.keras"
    done = run_module("evaluate", f"--checkpoint={best}", f"--data_dir={joint.data_dir}")
    assert done.returncode == 0, done.stderr
    assert "test.folder lines" in done.stdout and "test.synthetic forms" in done.stdout
    assert "<td>synthetic lines</td>" in (tmp_path / "run/report/report.html").read_text()
    page = tmp_path / "scans/w01/f01-00.png"
    done = run_module("identify", f"--checkpoint={best}", "--json", page)
    found = {entry["writer"] for entry in json.loads(done.stdout)["top5"]}
    assert found == set(checkpoints.read_state(best)["run"]["writers"])


@pytest.mark.slow
def test_a_loss_that_is_no_number_is_an_error_and_is_not_saved(settings):
    with pytest.raises(errors.DivergedError, match="--learning_rate"):
        experiment.run(dataclasses.replace(settings, learning_rate=1e30))
    assert not (pathlib.Path(settings.workdir) / "last.keras").exists()


TWO_CPUS = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
tf.distribute.MirroredStrategy = lambda: strategy
"""


WITHOUT_DROPOUT = """
import keras
keras.layers.Dropout.call = lambda self, inputs, training=False: inputs
"""


@pytest.mark.slow
def test_two_mirrored_cpus_train_as_one(settings, tmp_path):
    """Runs in processes of their own, because logical devices must be made before TensorFlow starts.

    Without dropout nothing is random. Then two halves of each batch give the losses that the whole batch gives.
    """
    histories = []
    for strategy, devices in (("one", ""), ("mirrored", TWO_CPUS)):
        chosen = dataclasses.replace(settings, strategy=strategy, workdir=str(tmp_path / strategy))
        done = Fork(WITHOUT_DROPOUT + devices + PROGRAM, "iam_writer.train", flagfile(chosen)).wait()
        assert done.returncode == 0, done.stderr
        state = checkpoints.read_state(tmp_path / strategy / "last.keras")
        histories.append([epoch["train.loss"] for epoch in state["progress"]["history"]])
    assert len(histories[0]) == 2
    assert histories[1] == pytest.approx(histories[0], rel=1e-3)


@pytest.mark.slow
def test_a_batch_is_divided_among_mirrored_devices(settings):
    odd = dataclasses.replace(settings, strategy="mirrored", batch_size=15, augment=list(AUGMENTATIONS))
    done = Fork(TWO_CPUS + PROGRAM, "iam_writer.train", flagfile(odd)).wait()
    assert done.returncode == 1 and "cannot be divided among 2 devices" in done.stderr


@pytest.mark.slow
def test_gathering_on_the_device_gives_the_same_weights(finished, tmp_path):
    settings, _ = finished
    experiment.run(dataclasses.replace(settings, gather="device", workdir=str(tmp_path / "device")))
    assert same_weights(pathlib.Path(settings.workdir) / "last.keras", tmp_path / "device/last.keras")


@pytest.mark.slow
def test_a_run_killed_twice_ends_with_the_same_weights(settings, tmp_path):
    """kill -9 between and within steps leaves no chance to clean up. The settings use everything that has a state."""
    alone = dataclasses.replace(
        settings,
        deterministic=True,
        checkpoint_minutes=0.02,
        epochs=3,
        augment=list(AUGMENTATIONS),
        learning_rate_schedule="cosine",
        warmup_fraction=0.2,
    )
    assert start(alone).wait().returncode == 0

    killed = dataclasses.replace(alone, workdir=str(tmp_path / "killed"), checkpoint_minutes=0)
    last = tmp_path / "killed/last.keras"
    for at_step in (3, 12):
        process = start(killed)
        deadline = time.monotonic() + 120
        while not (last.exists() and checkpoints.read_state(last)["progress"]["step"] >= at_step):
            assert time.monotonic() < deadline and process.is_alive()
            time.sleep(0.02)
        process.kill()
        assert process.wait().returncode == -signal.SIGKILL
        assert not (tmp_path / "killed/result.json").exists()
    assert start(killed).wait().returncode == 0

    assert same_weights(pathlib.Path(alone.workdir) / "last.keras", last)
    assert same_weights(pathlib.Path(alone.workdir) / "best.keras", tmp_path / "killed/best.keras")
    results = [
        json.loads((w / "result.json").read_text())
        for w in (pathlib.Path(alone.workdir), tmp_path / "killed")
    ]
    for key in results[0]:
        if key.startswith(("test.", "validation.")) or key == "train.accuracy":
            assert results[0][key] == results[1][key]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_told_to_stop_saves_and_says_so(settings, number):
    long = dataclasses.replace(settings, epochs=1000)
    process = start(long)
    last = pathlib.Path(settings.workdir) / "last.keras"
    deadline = time.monotonic() + 120
    while not last.exists():
        assert time.monotonic() < deadline and process.is_alive()
        time.sleep(0.02)
    os.kill(process.pid, number)
    done = process.wait()
    assert done.returncode == 130
    assert "The same command continues it" in done.stderr
    assert "Traceback" not in done.stderr


def one_message(done):
    """The message of a program that has failed as it should: with status 1, one message and no traceback."""
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("place", "message"),
    [("missing", "no folder"), ("empty", "forms.txt"), ("without an index", "forms.txt")],
)
def test_wrong_manual_dir(tmp_path, place, message):
    folder = tmp_path / "iam"
    if place != "missing":
        folder.mkdir()
    if place == "without an index":
        (write_iam(folder / "x", SMALL_IAM) / "ascii/forms.txt").unlink()
    where = f"--data_dir={tmp_path}", f"--workdir={tmp_path}/w"
    said = one_message(run_module("train", "--dataset=iam_writer/top50", f"--manual_dir={folder}", *where))
    assert message in said and str(folder) in said and "sentences.tgz" in said


def test_no_manual_dir(tmp_path):
    where = f"--data_dir={tmp_path}", f"--workdir={tmp_path}/w"
    assert "--manual_dir" in one_message(run_module("train", "--dataset=iam_writer/top50", *where))


def test_full_disk(settings, monkeypatch, capsys):
    def full(settings):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data")

    monkeypatch.setattr(experiment, "run", full)
    flags.FLAGS(["train"])
    with pytest.raises(SystemExit) as stopped:
        train.main(["train"])
    assert stopped.value.code == 1
    assert "No space left on device" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--batch_size=0", "not a positive integer"),
        ("--patch_fraction=0", "must be more than 0"),
        ("--learning_rate=-1", "non-negative"),
        ("--epochs=some", "invalid literal"),
        ("--model=transformer", "should be one of <article|half_deepwriter|deepwriter|compact|descriptor>"),
        ("--dataset=iam_writer/top50,iam_writer/top51", "should be one of"),
        ("--window_sizes=1,large", "must be numbers of 0.5 to 2.0"),
        ("--window_sizes=1,1", "each once"),
        ("--dataset=iam_writer/top50,iam_writer/writers301", "the same writers under two names"),
        (
            ["--dataset=iam_writer/top50,iam_writer/folder", "--manual_dir=a,b,c"],
            "names 3 folders, but 2 datasets are read from files: top50, folder",
        ),
        ("--patch_fraction=inf", "--patch_fraction=inf is not a finite number"),
        ("--checkpoint_minutes=nan", "--checkpoint_minutes=nan is not a finite number"),
        ("--max_bad_images=nan", "must be a number"),
        (["--seed=4294967295", "--num_seeds=2"], "The last seed must be below 2**32"),
        ("--fonts_dir=.", "must be given together"),
        (["--script=greek", "--fonts_dir=.", "--text_file=x"], "cannot be given with --fonts_dir"),
        ("--test_script=latin", "--test_script and --script must differ"),
        ("--page_pattern=(?P<page>.+)_", "need --dataset=iam_writer/folder"),
        (["--dataset=iam_writer/top50", "--test_script=greek"], "needs --dataset=iam_writer/synthetic"),
        ("--model=deepwriter", "--model=deepwriter needs an even --patch_width"),
        ("--augment=scale,mirror", "must name some of thickness, scale"),
        ("--patch_height=31", "31 is not integer >= 32"),
        (
            ["--gather=device", "--strategy=mirrored"],
            "With TensorFlow, both need --strategy=one",
        ),
        ("--epoch=3", "Unknown command line flag 'epoch'. Did you mean"),
        ("5", "Unknown argument"),
    ],
)
def test_a_wrong_flag_is_told_before_tensorflow_is_loaded(flag, message):
    flag = [flag] if isinstance(flag, str) else flag
    assert message in one_message(run_without_tensorflow("train", *flag))


@pytest.mark.parametrize("program", ["train", "studies.ablate"])
def test_help_fits_a_tall_screen_and_shows_an_example(program):
    """The flags that few people need are in --helpfull only."""
    done = run_module(program, "--help")
    assert len(done.stdout.splitlines()) <= 90
    assert re.search(rf"(iam-writer |iam_writer\.){program} --recipe=", done.stdout)
    assert "Exit status: 0" in done.stdout
    assert "--validation_stride" not in done.stdout


def test_every_flagfile_is_valid():
    import iam_writer
    from iam_writer.studies import ablate  # noqa: F401  Some flagfiles hold flags of this program.

    folder = pathlib.Path(iam_writer.__file__).parent / "flagfiles"
    names = {path.stem for path in folder.glob("*.flags")}
    assert names >= {
        "quickstart",
        "iam_top50",
        "iam_writers301",
        "compact_top50",
        "compact_writers301",
        "deepwriter_top50",
    }
    for name in names:
        flags.FLAGS.unparse_flags()
        flags.FLAGS(["train", f"--flagfile={folder / name}.flags"])
        assert train.settings_from_flags().workdir == f"runs/{name}"


ON_JAX = """
import json, sys
from iam_writer.training import experiment, settings
for values in json.loads(sys.argv[1]):
    experiment.run(settings.Settings(**values))
"""


@pytest.mark.slow
def test_on_jax(settings, tmp_path):
    """A run that stops after each epoch and changes where it gathers ends like a run that does neither."""
    pytest.importorskip("jax", reason="JAX is not installed: pip install '.[jax]'")
    whole = dataclasses.replace(settings, workdir=str(tmp_path / "whole"), epochs=3)
    resumed = dataclasses.replace(settings, workdir=str(tmp_path / "resumed"))
    runs = [whole] + [
        dataclasses.replace(resumed, epochs=epochs, gather=gather)
        for epochs, gather in ((1, "device"), (2, "host"), (3, "device"))
    ]
    # The later runs use what the first run has compiled.
    cache = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    # This is not a fork, because Keras must load another backend.
    done = subprocess.run(
        [sys.executable, "-c", ON_JAX, json.dumps([dataclasses.asdict(run) for run in runs])],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | cache | {"KERAS_BACKEND": "jax"},
    )
    assert done.returncode == 0, done.stderr
    one, other = (json.loads((tmp_path / name / "result.json").read_text()) for name in ("whole", "resumed"))
    assert one["backend"] == "jax" and one["versions.jax"]
    assert one["train.steps"] == other["train.steps"]
    assert same_weights(tmp_path / "whole/last.keras", tmp_path / "resumed/last.keras")
    assert one["validation.line_cross_entropy"] == other["validation.line_cross_entropy"]


def test_jax_has_one_machine(settings, monkeypatch):
    monkeypatch.setattr(distribution, "on_jax", lambda: True)
    with pytest.raises(errors.FlagError, match="With KERAS_BACKEND=jax, use --strategy=one or mirrored"):
        experiment.run(dataclasses.replace(settings, strategy="multi_worker"))


def test_a_recipe_of_the_package(tmp_path, monkeypatch):
    from iam_writer.common import recipes

    monkeypatch.setattr(sys, "argv", ["train", "--recipe=quickstart", "--epochs=7", "--recipe", "iam_top50"])
    recipes.take_recipe()
    flagfiles = [str(recipes.FOLDER / f"{name}.flags") for name in ("quickstart", "iam_top50")]
    assert sys.argv == ["train", f"--flagfile={flagfiles[0]}", "--epochs=7", f"--flagfile={flagfiles[1]}"]
    done = run_without_tensorflow("train", "--recipe=quickest")
    assert (
        done.returncode == 1
        and "There is no recipe 'quickest'. Choose one of: ablation_top50, " in done.stderr
    )


@pytest.mark.parametrize("name", ["ablate", "baseline", "robustness", "trial", "results", "collage"])
def test_a_moved_program_says_where_it_is(name):
    done = run_without_tensorflow(name, "--help")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1 and f"python -m iam_writer.studies.{name}" in done.stderr


def test_pages_to_ask_about(trained):
    from iam_writer.training import invented_pages

    workdir, data_dir = trained
    settings = dataclasses.replace(
        SETTINGS,
        num_writers=5,
        forms_per_writer=4,
        lines_per_form=2,
        workdir=str(workdir),
        data_dir=str(data_dir),
    )
    said = invented_pages.ask(settings)
    written = sorted((workdir / "pages").iterdir())
    assert [path.name[:3] for path in written] == ["w00", "w01", "w02"]
    assert f"{written[0]}: " in said and "voted." in said
    command = said.splitlines()[-1].split()
    assert command[:2] == ["iam-writer", "identify"]
    done = run_module("identify", *command[2:])
    assert done.returncode in (0, 2) and str(written[1]) in done.stdout, done.stderr
