"""iam_writer/studies/robustness.py and scans.py: a checkpoint in, accuracies on clean and corrupted lines out."""

import json

import keras
import numpy as np
import pytest
from calibrations import made
from conftest import png, run_module, run_without_tensorflow

from iam_writer.common import errors
from iam_writer.iam_writer_dataset_builder import prepare
from iam_writer.recognition import checkpoints
from iam_writer.recognition.rule import LEGACY_STRIDE, Rule
from iam_writer.studies import corruptions, scans

pytestmark = pytest.mark.slow  # Each test uses a trained network.


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Three writers whose strokes have different spacings: a folder of their scans, and the dataset made from it."""
    folder = tmp_path_factory.mktemp("dataset")
    for writer in range(3):
        for form in range(3):
            gray = np.full((40, 400), 255, np.uint8)
            for left in range(4 + 5 * form, 390, 16 + 12 * writer):
                gray[8:32, left : left + 6] = 0
            path = folder / f"scans/w{writer}/form{form}-00.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(gray))
    prepare("folder", data_dir=folder / "tfds", manual_dir=folder / "scans")
    return folder


@keras.saving.register_keras_serializable(package="tests")
class Ink(keras.layers.Layer):
    """The share of ink in a patch."""

    def call(self, patches):
        return keras.ops.mean(1 - keras.ops.cast(patches, "float32") / 255, axis=(1, 2))[:, None]


@keras.saving.register_keras_serializable(package="tests")
class Spacing(keras.layers.Layer):
    """A network that names writers by the share of ink: 6 of 16, 28 or 40 columns, times 24 of 40 rows."""

    def call(self, ink):
        return -1000 * keras.ops.square(ink - 0.6 * 6 / keras.ops.convert_to_tensor([16.0, 28.0, 40.0]))


@pytest.fixture
def checkpoint(dataset, tmp_path):
    (metadata,) = dataset.glob("tfds/iam_writer/folder/*/metadata.json")

    right = json.loads(metadata.read_text())["fingerprint"]

    def save(fingerprint=right):
        patches = keras.Input((100, 40), dtype="uint8")
        model = keras.Model(patches, Spacing()(Ink(name="embedding")(patches)))
        model.compile(optimizer="adam", loss="mse")
        trained = {
            "dataset": "iam_writer/folder",
            "fingerprint": fingerprint,
            "writers": ["w0", "w1", "w2"],
            "combine": "log_probabilities",
            "patch_height": 40,
            "patch_width": 100,
        }
        path = tmp_path / "best.keras"
        checkpoints.save(model, path, {"run": trained})
        rule = Rule(LEGACY_STRIDE, "log_probabilities")
        checkpoints.add_finish(path, checkpoints.Finish(made(), rule))
        return path

    return save


def run(dataset, checkpoint, **changes):
    arguments = {
        "checkpoint": str(checkpoint),
        "data_dir": str(dataset / "tfds"),
        "split": "test",
        "window_stride": None,
        "combine": None,
        "other_scans": None,
        "output": None,
    }
    return scans.run(**arguments | changes)


def test_accuracies_under_each_corruption(dataset, checkpoint, tmp_path, monkeypatch):
    def upside_down(gray, random):
        return 255 - gray

    monkeypatch.setitem(corruptions.CORRUPTIONS, "upside_down", upside_down)
    report = run(dataset, checkpoint(), output=str(tmp_path / "report.json"))
    assert list(report["results"]) == ["clean", *corruptions.CORRUPTIONS]
    for name, result in report["results"].items():
        assert (result["lines"], result["forms"]) == (3, 3)
        # Strokes on gray paper are known again because all lines are read as black on white.
        assert (result["line_top1"] == 1) == (name != "upside_down"), name
    assert json.loads((tmp_path / "report.json").read_text()) == report
    # A checkpoint without a rule, and no result.json beside it.
    assert (report["rule"]["stride"], report["rule"]["combine"]) == (8, "log_probabilities")
    table = scans.table(report)
    assert table.startswith("Answer rule: a window every 8 columns, log probabilities averaged.\n")
    row = next(row for row in table.splitlines() if row.startswith("upside_down"))
    drop = 100 * (1 - report["results"]["upside_down"]["line_top1"])
    assert f"{drop:.1f}" in row.split()


def test_another_rule_is_named_in_the_output(dataset, checkpoint):
    report = run(dataset, checkpoint(), window_stride=1000, combine="probabilities")
    assert report["results"]["clean"]["patches"] == report["results"]["clean"]["lines"] == 3
    assert scans.table(report).startswith(
        "Answer rule: a window every 1000 columns, probabilities averaged. This is not the rule that the checkpoint "
        "keeps, which is: a window every 8 columns, log probabilities averaged.\n"
    )


def test_other_scans_of_the_same_lines(dataset, checkpoint, tmp_path):
    other = tmp_path / "other/w1"
    other.mkdir(parents=True)
    (other / "form0-00.png").write_bytes(png(np.full((40, 400), 255, np.uint8)))
    report = run(dataset, checkpoint(), other_scans=str(tmp_path / "other"))
    assert {name: result["line_top1"] for name, result in report["same_lines"].items()} == {
        "dataset": 1,
        "other scans": 0,
    }
    assert "1 lines, 1 forms" in scans.table(report)
    with pytest.raises(errors.MissingDataError, match=r"<id>\.png"):
        run(dataset, checkpoint(), other_scans=str(tmp_path / "empty"))


def test_only_what_it_was_trained_on_will_do(dataset, checkpoint):
    """Other files may have writers of the same names, such as w00 of invented ones, and other forms held out."""
    with pytest.raises(
        errors.MissingDataError, match=r"that the network was trained on is not in .*--data_dir"
    ):
        run(dataset, checkpoint(fingerprint="of other files"))


@pytest.mark.parametrize("content", [None, b"", b"no zip"])
def test_what_is_no_checkpoint(dataset, tmp_path, content):
    path = tmp_path / "best.keras"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(errors.CheckpointError, match=r"best\.keras"):
        run(dataset, path)


def test_where_to_write_is_told_before_anything_is_computed():
    done = run_without_tensorflow("studies.robustness", "--checkpoint=nix.keras", "--output=nix/x.json")
    assert (done.returncode, done.stdout) == (1, "")
    assert "There is no folder nix" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("module", ["studies.baseline", "studies.robustness", "studies.results"])
@pytest.mark.parametrize("flag", ["--split=train", "--datset=iam_writer/top50", "--max_bad_images=2"])
def test_a_wrong_flag_is_told_in_one_message(module, flag):
    done = run_module(module, flag)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr and flag.partition("=")[0].strip("-") in done.stdout + done.stderr
