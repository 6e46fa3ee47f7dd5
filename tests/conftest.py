"""Fixtures and functions that make tiny data by code and run programs."""

import dataclasses
import io
import os
import pathlib
import subprocess

# Tests run in a process for each core. Threads of NumPy's matrix products in each of them would wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
from forks import PROGRAM, WITHOUT_TENSORFLOW, Fork
from PIL import Image

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import iam_writer  # noqa: F401  It sets options of TensorFlow, so it must be loaded first, in forks too.


def png(pixels: np.ndarray) -> bytes:
    """uint8 `[height, width]` → a PNG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def make_strips(tmp_path):
    """A function (widths, labels) → strips of height 4. All four pixels of column c are c (modulo 256)."""
    from pipelines import strips
    from pipelines.building.journal import ALIGNMENT

    def make(widths, labels, min_width=1):
        ends = ALIGNMENT * min_width + np.cumsum(widths)
        examples = [
            strips.Example(
                png(np.tile(np.arange(end - width, end).astype(np.uint8), (4, 1))),
                label,
                f"image{i}",
                f"form{label}",
            )
            for i, (width, end, label) in enumerate(zip(widths, ends, labels, strict=True))
        ]
        return strips.open_or_build(
            tmp_path / "strips", lambda: examples, height=4, min_width=min_width, source=f"{widths} {labels}"
        )

    return make


@pytest.fixture(scope="session")
def iam_dir():
    """The folder of real IAM images. Their license does not let this project distribute them."""
    if "IAM_DIR" not in os.environ:
        pytest.skip("IAM_DIR is not set: real IAM images are needed, and may not be redistributed")
    return pathlib.Path(os.environ["IAM_DIR"])


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The workdir of a small network that was trained to the end, and the data_dir of its dataset."""
    from training_runs import SETTINGS

    from iam_writer.training import experiment

    folder = tmp_path_factory.mktemp("trained")
    settings = dataclasses.replace(
        SETTINGS,
        num_writers=5,
        forms_per_writer=4,
        lines_per_form=2,
        patch_fraction=0.3,
        epochs=3,
        workdir=str(folder / "run"),
        data_dir=str(folder / "tfds"),
    )
    experiment.run(settings)
    return folder / "run", folder / "tfds"


@pytest.fixture(scope="session")
def network(trained):
    """The network of `trained`, loaded and ready to use."""
    from iam_writer.recognition import checkpoints, recognizer

    path = trained[0] / "best.keras"
    return recognizer.load(path, checkpoints.read_calibration(path))


@pytest.fixture(scope="session")
def evaluated(trained, tmp_path_factory):
    """What iam_writer.evaluate printed about `trained`, and the folder of its report."""
    folder = tmp_path_factory.mktemp("evaluated") / "report"
    done = run_module(
        "evaluate",
        f"--checkpoint={trained[0] / 'best.keras'}",
        f"--data_dir={trained[1]}",
        f"--output={folder}",
    )
    assert done.returncode == 0, done.stderr
    return done, folder


@pytest.fixture(scope="session")
def form_images(trained, tmp_path_factory):
    """Pages to ask about: the path of a page for each test form of `trained`, in the order of the writers."""
    from iam_writer.common import datasets
    from iam_writer.recognition import checkpoints

    run = checkpoints.read_state(trained[0] / "best.keras")["run"]
    strips = datasets.strips(run, "test", trained[1])
    columns, folder = strips.columns().numpy(), tmp_path_factory.mktemp("forms")
    paths = []
    for writer in range(5):
        lines = [
            np.repeat(np.repeat(columns[a:b].T, 2, axis=0), 2, axis=1)  # 32 rows are too few for a scan.
            for a, b, label in zip(strips.first_column, strips.first_column[1:], strips.labels, strict=False)
            if label == writer
        ]
        page = np.full((100 + 120 * len(lines), 200 + max(line.shape[1] for line in lines)), 255, np.uint8)
        for i, line in enumerate(lines):
            page[60 + 120 * i : 60 + 120 * i + line.shape[0], 100 : 100 + line.shape[1]] = line
        paths.append(folder / f"{writer}.png")
        paths[-1].write_bytes(png(page))
    return paths


def run_module(name: str, *arguments) -> subprocess.CompletedProcess:
    """Runs a program of the package as a person would, in its own process, because programs share names of flags."""
    return Fork(PROGRAM, f"iam_writer.{name}", *arguments).wait()


def run_without_tensorflow(name: str, *arguments) -> subprocess.CompletedProcess:
    """Runs a program as `run_module` does. The program fails if it imports TensorFlow."""
    return Fork(WITHOUT_TENSORFLOW + PROGRAM, f"iam_writer.{name}", *arguments).wait()


def scribble(name: str, height: int = 20, width: int = 60) -> np.ndarray:
    """uint8 `[height, width]`: a random image. Each name gives another image."""
    random = np.random.default_rng(list(name.encode()))
    return np.where(
        random.random((height, width)) < 0.2, random.integers(0, 200, (height, width)), 255
    ).astype(np.uint8)


def write_iam(
    folder: pathlib.Path, forms: dict[str, str], lines: int = 3, unit: str = "sentences"
) -> pathlib.Path:
    """Writes a tiny IAM of scribbles with the layout of the real one, and returns its folder. `forms`: form → writer."""
    (folder / "ascii").mkdir(parents=True)
    rows = [f"{form} {writer} 1 all {lines} {lines} 9 9" for form, writer in forms.items()]
    (folder / "ascii/forms.txt").write_text("# a comment\n" + "\n".join(rows) + "\n")
    index = []
    for form in forms:
        for i in range(lines):
            id = f"{form}-s00-{i:02}" if unit == "sentences" else f"{form}-{i:02}"
            number = "0 " if unit == "sentences" else ""
            index.append(f"{id} {number}ok 154 19 100 {100 * i} 60 20 A|MOVE|to|stop")
            path = folder / unit / form[:3] / form / f"{id}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(scribble(id)))
    (folder / f"ascii/{unit}.txt").write_text("\n".join(index) + "\n")
    return folder


SMALL_IAM = {f"a0{writer}-{form:03}": f"00{writer}" for writer in range(3) for form in range(writer + 1)}
"""Writer 000 has one form, 001 has two and 002 has three."""


TRAINED = {
    "trained",
    "network",
    "evaluated",
    "form_images",
    "finished",
    "joint",
    "stopped_once",
    "dataset",
    "iam_dir",
}
"""Fixtures that train a network, build a dataset for one, or read real images: whatever takes them is slow."""


def pytest_collection_modifyitems(items):
    for item in items:
        if TRAINED & set(item.fixturenames):
            item.add_marker(pytest.mark.slow)
