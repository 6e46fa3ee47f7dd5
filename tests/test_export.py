"""The program iam_writer.export, as a person runs it, and exporting.py."""

import importlib.util
import io
import re
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import png, run_module, run_without_tensorflow
from forks import Fork
from PIL import Image

from iam_writer.common import datasets
from iam_writer.common.errors import ExportError
from iam_writer.exporting import exporter as exporting
from iam_writer.exporting import formats
from iam_writer.models.networks import MODELS
from iam_writer.recognition import checkpoints, scanning
from iam_writer.recognition.rule import softmax
from pipelines.strips import examples_of_split, lay

ELSEWHERE = "import os, sys; os.chdir(sys.argv[1]); sys.modules.update(iam_writer=None, pipelines=None)\n"


def skip_if_missing(name):
    for package in formats.PACKAGES[name]:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed: pip install 'iam_writer[export]'")


@pytest.fixture(scope="module")
def line(network, trained):
    """A test line: an image file."""
    (builder,) = datasets.builders(network.run, trained[1]).values()
    return next(examples_of_split(builder, "test", label="writer", group="form")).image


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    """What the program printed, and the folder that it wrote, with every format whose packages are installed."""
    folder = tmp_path_factory.mktemp("export") / "out"
    there = [name for name in formats.PACKAGES if all(map(importlib.util.find_spec, formats.PACKAGES[name]))]
    done = run_module(
        "export",
        f"--checkpoint={trained[0] / 'best.keras'}",
        f"--data_dir={trained[1]}",
        f"--output={folder}",
        f"--formats={','.join(there)}",
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in folder.iterdir()} == set(there)
    assert [path.name for path in folder.parent.iterdir()] == ["out"]
    return done.stdout, folder


@pytest.mark.slow
@pytest.mark.parametrize("name", formats.PACKAGES)
def test_the_printed_snippet_names_the_writer_as_the_checkpoint_does(exported, network, line, tmp_path, name):
    skip_if_missing(name)
    printed, folder = exported
    said = re.search(
        rf"^{re.escape(str(folder / name))} was written\. (.*)\n\n((?:    .*\n){{5}})\n",
        printed,
        re.MULTILINE,
    )
    assert "validation lines of iam_writer/synthetic" in said[1]

    columns = lay(line, network.height, network.width, black_on_white=True)
    scan = network.scan_laid([columns])
    window = np.flatnonzero(scan.votes)[0]
    expected = (
        scan.probabilities[scan.votes].mean(axis=0) if name == "saved_model" else scan.probabilities[window]
    )
    (tmp_path / "line.png").write_bytes(line)
    begin = scan.column[window]
    (tmp_path / "patch.png").write_bytes(png(columns[begin : begin + network.width].T))
    done = Fork(ELSEWHERE + textwrap.dedent(said[2]), tmp_path).wait()
    assert done.returncode == 0, done.stderr
    writer, probability = done.stdout.split()
    assert writer == network.writers[expected.argmax()]
    assert float(probability) == pytest.approx(expected.max(), abs=1e-4)


@pytest.mark.slow
def test_a_saved_model_has_two_signatures_and_the_writers(exported, network, line):
    folder = exported[1] / "saved_model"
    loaded = tf.saved_model.load(str(folder))  # The signatures need this object to stay alive.
    signatures = loaded.signatures
    assert set(signatures) == {"patches", "line"}
    assert (folder / "assets/writers.txt").read_text().splitlines() == network.writers
    windows = np.ascontiguousarray(
        scanning.cut(lay(line, network.height, network.width, black_on_white=True), network.width, 7)
    )
    found = signatures["patches"](patches=tf.constant(windows))["probabilities"]
    np.testing.assert_allclose(found, softmax(network.look(windows)[0]), atol=1e-5)
    # The same line on gray paper must give the same answer.
    gray = np.asarray(Image.open(io.BytesIO(line)).convert("L"))
    plain, other = (
        signatures["line"](line=tf.constant(image))["probabilities"].numpy()
        for image in (gray, 60 + gray // 2)
    )
    assert plain.shape == (len(network.writers),)
    assert plain.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(plain, other, atol=1e-6)


def test_an_export_that_differs_is_not_kept_and_the_one_before_stays(trained, tmp_path, monkeypatch):
    exporter = exporting.Exporter(trained[0] / "best.keras", str(trained[1]))
    monkeypatch.setattr(exporting, "TOLERANCE", -1)
    before = tmp_path / "out/saved_model/saved_model.pb"
    before.parent.mkdir(parents=True)
    before.write_text("before")
    with pytest.raises(
        ExportError,
        match=r"on .* validation lines.* differ from those of the checkpoint by .*Use another format",
    ):
        exporter.write("saved_model", tmp_path / "out")
    assert before.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    monkeypatch.undo()
    export = exporter.write("saved_model", tmp_path / "out")
    assert set(export.differences) == {"patches", "line"}
    assert before.read_bytes() != b"before"


def test_what_a_library_cannot_do_is_said_in_a_sentence(trained, tmp_path, monkeypatch):
    skip_if_missing("litert")

    def from_saved_model(*arguments, **named):
        raise RuntimeError("no such op\nand so on")

    monkeypatch.setattr(tf.lite.TFLiteConverter, "from_saved_model", from_saved_model)
    exporter = exporting.Exporter(trained[0] / "best.keras", str(trained[1]))
    with pytest.raises(
        ExportError,
        match=r"^The export litert was not made: tensorflow [\d.]+ cannot convert this network \(no such op\)\.",
    ):
        exporter.write("litert", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_packages_that_are_missing(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    formats.check_packages(["saved_model"])
    with pytest.raises(
        ExportError, match=r"onnx needs tf2onnx and onnxruntime: pip install 'iam_writer\[export\]'"
    ):
        formats.check_packages(["saved_model", "onnx"])


@pytest.mark.slow
@pytest.mark.parametrize("model", ["compact", "deepwriter"])
def test_other_networks_without_their_dataset(tmp_path, model):
    for name in ("litert", "onnx"):
        skip_if_missing(name)
    run = {
        "model": model,
        "patch_height": 48,
        "patch_width": 64,
        "precision": "float32",
        "combine": "probabilities",
    }
    run |= {"dataset": "iam_writer/folder", "fingerprint": "0", "writers": ["Ada", "Bob", "Zoë"]}
    keras.utils.set_random_seed(0)
    checkpoints.save(MODELS[model](3, 48, 64), tmp_path / "best.keras", {"run": run})
    exporter = exporting.Exporter(tmp_path / "best.keras", str(tmp_path))
    assert exporter.handwriting == "8 invented lines"
    for name in ("litert", "onnx"):
        export = exporter.write(name, tmp_path / "out")
        assert set(export.differences) == {"patches"}
        assert (export.folder / "writers.txt").read_text(encoding="utf-8").splitlines() == run["writers"]


def test_a_network_of_mixed_precision_is_exported_in_float32():
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = MODELS["article"](3, 32, 40, ["shift"])
    finally:
        keras.config.set_dtype_policy("float32")
    run = {"model": "article", "patch_height": 32, "patch_width": 40, "precision": "mixed_bfloat16"}
    plain = exporting.in_float32(mixed, run | {"writers": ["a", "b", "c"]})
    assert {layer.compute_dtype for layer in plain.layers[1:]} == {"float32"}
    patches = np.random.default_rng(0).integers(0, 256, (4, 40, 32)).astype(np.uint8)
    difference = np.abs(np.asarray(plain(patches)) - np.asarray(mixed(patches))).max()
    assert 0 < difference < 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output=out"], "--checkpoint"),
        (["--checkpoint=nix.keras"], "--output"),
        (["--checkpoint=nix.keras", "--output=out"], "There is no checkpoint nix.keras"),
        (["--checkpoint=nix.keras", "--output=out", "--formats=pb"], "must be of saved_model, litert, onnx"),
        (["--checkpoint=nix.keras", "--output=out", "--formats="], "must be of saved_model, litert, onnx"),
        (["--checkpoint=nix.keras", "--output=out", "more"], "Unknown argument 'more'"),
    ],
)
def test_what_is_wrong_is_told_before_tensorflow_is_loaded(arguments, message):
    done = run_without_tensorflow("export", *arguments)
    assert done.returncode == 1
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_an_output_that_can_be_no_folder(trained, tmp_path):
    (tmp_path / "file").write_text("")
    for output, message in (("nix/out", "There is no folder"), ("file", "is a file")):
        done = run_without_tensorflow(
            "export", f"--checkpoint={trained[0] / 'best.keras'}", f"--output={tmp_path / output}"
        )
        assert done.returncode == 1
        assert message in done.stderr and "Traceback" not in done.stderr
