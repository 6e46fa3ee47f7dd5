"""What is killed: training of a network and of the descriptor, building of a dataset and of strips, enrolling; other writers of files."""

import dataclasses
import io
import json
import pathlib
import shutil
import zipfile
from collections.abc import Callable

from PIL import Image

import iam_writer  # noqa: F401  It sets options of TensorFlow.
from iam_writer.training.settings import Settings
from pipelines.building import builder as strips_builder
from pipelines.building.journal import load_index
from pipelines.strips import Example, open_or_build
from pipelines.system.arrays import load_arrays
from tests.handwriting_pages import drawn_page, written_line
from tests.kill import running
from tests.kill.running import Job, Step
from tests.training_runs import SETTINGS, weights

_WRITERS = ("ada", "bob", "carl")

_LINES = 40


def every(corpus: pathlib.Path) -> dict[str, Job]:
    """The jobs that are killed, by name. Makes their input in a folder."""
    make_corpus(corpus)
    prepare = running.Job("", lambda folder: [lambda: _prepare(corpus)], lambda folder: None)
    running.undisturbed(prepare, corpus / "prepare")
    return killed(corpus)


def killed(corpus: pathlib.Path) -> dict[str, Job]:
    """The jobs that are killed, by name. Their input is in a folder."""
    jobs = [
        Job("network", lambda folder: [_train(corpus, "article")], _trained),
        Job("descriptor", lambda folder: [_train(corpus, "descriptor")], _trained),
        Job("dataset", lambda folder: [lambda: _build_dataset(corpus, folder)], _dataset),
        Job("strips", lambda folder: [lambda: _build_strips(folder)], _strips),
        Job("gallery", lambda folder: [_enroll(corpus, writer) for writer in _WRITERS], _gallery),
    ]
    return {job.name: job for job in jobs}


def other_writers(corpus: pathlib.Path) -> dict[str, Job]:
    """Further programs that write files, for a full disk. `every` has made their input."""
    checkpoint = corpus / "trained/run/best.keras"
    pages = [str(corpus / f"pages/{writer}/page.png") for writer in _WRITERS]
    jobs = [
        Job(
            "evaluate",
            _once("evaluate", f"--checkpoint={checkpoint}", f"--data_dir={corpus}/tfds", "--output=out"),
            _names,
        ),
        Job(
            "export",
            _once("export", f"--checkpoint={checkpoint}", f"--data_dir={corpus}/tfds", "--output=out"),
            _names,
        ),
        Job("verify", _once("verify", "--report=report.html", *pages[:2]), _names),
        Job("scribes", _once("scribes", "--output=.", str(corpus / "pages")), _names),
    ]
    return {job.name: job for job in jobs}


def train_for_other_writers(corpus: pathlib.Path) -> None:
    """Makes the checkpoint that `other_writers` need."""
    job = Job("network", lambda folder: [_train(corpus, "article")], _trained)
    running.undisturbed(job, corpus / "trained")


def _once(name: str, *arguments: str) -> Callable[[pathlib.Path], list[Step]]:
    return lambda folder: [[f"iam_writer.{name}", *arguments]]


def make_corpus(corpus: pathlib.Path) -> None:
    """Line images in folders by writer, and pages."""
    for seed, writer in enumerate(_WRITERS):
        for page in range(3):
            for line in range(2):
                path = corpus / f"scans/{writer}/page{page}-{line}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(_line(100 * seed + 10 * page + line))
        path = corpus / f"pages/{writer}/page.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn_page(2, seed)[:800]).save(path, dpi=(300, 300))


def _line(seed: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(written_line(300, 20, seed)).save(file, "PNG")
    return file.getvalue()


def _settings(corpus: pathlib.Path) -> Settings:
    return dataclasses.replace(
        SETTINGS, deterministic=True, checkpoint_minutes=0, data_dir=str(corpus / "tfds"), workdir="run"
    )


def _prepare(corpus: pathlib.Path) -> None:
    """The dataset and the strips of the training runs, so that it is the training that is killed."""
    from iam_writer.training.data import load

    load(_settings(corpus))


def _train(corpus: pathlib.Path, model: str) -> Step:
    for counts in corpus.glob("tfds/iam_writer/*/*/counts"):
        shutil.rmtree(counts)  # So that the lines are counted in each run.
    settings = _settings(corpus)
    if model == "descriptor":
        about = {
            name: getattr(settings, name) for name in ("num_writers", "forms_per_writer", "lines_per_form")
        }
        more = [f"--{name}={value}" for name, value in about.items()]
        return [
            "iam_writer.train",
            "--model=descriptor",
            "--dataset=iam_writer/synthetic",
            f"--data_dir={settings.data_dir}",
            "--workdir=run",
            *more,
        ]
    path = corpus / "network.flags"
    path.write_text(settings.as_flags())
    return ["iam_writer.train", f"--flagfile={path}"]


def _trained(folder: pathlib.Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in sorted((folder / "run").glob("*.keras")):
        found |= {f"{path.name} {name}": array for name, array in weights(path).items()}
    for path in (folder / "run").glob("*.descriptor"):
        with zipfile.ZipFile(path) as archive:
            found |= {name: archive.read(name) for name in archive.namelist()}
    result = json.loads((folder / "run/result.json").read_text())
    return found | {
        key: value
        for key, value in result.items()
        if key.startswith(("test.", "validation."))
        or key in ("train.steps", "train.best_step", "train.accuracy")
    }


def _build_dataset(corpus: pathlib.Path, folder: pathlib.Path) -> None:
    from iam_writer.iam_writer_dataset_builder import prepare

    prepare("folder", data_dir=folder / "tfds", manual_dir=corpus / "scans")


def _dataset(folder: pathlib.Path) -> dict[str, object]:
    records = {
        path.name: path.read_bytes() for path in folder.rglob("*.tfrecord*") if "incomplete" not in str(path)
    }
    assert records
    return records | {path.name: json.loads(path.read_text()) for path in folder.rglob("metadata.json")}


def _build_strips(folder: pathlib.Path) -> None:
    strips_builder.JOURNAL_SECONDS = 0  # So that each image is kept. The default is ten seconds.
    open_or_build(
        folder / "strips",
        lambda: [Example(_line(i), i % 3, f"line{i}", f"form{i % 3}") for i in range(_LINES)],
        height=64,
        min_width=40,
        black_on_white=True,
        source="kill",
    )


def _strips(folder: pathlib.Path) -> dict[str, object]:
    index = load_index(folder / "strips")
    return {
        "columns": (folder / "strips/columns").read_bytes(),
        "first_column": index.first_column,
        "labels": index.labels,
        "ids": index.ids,
        "groups": index.groups,
        "checksum": index.meta["checksum"],
    }


def _enroll(corpus: pathlib.Path, writer: str) -> Step:
    return [
        "iam_writer.enroll",
        "--gallery=gallery.npz",
        f"--writer={writer}",
        str(corpus / f"pages/{writer}/page.png"),
    ]


def _gallery(folder: pathlib.Path) -> dict[str, object]:
    data = (folder / "gallery.npz").read_bytes()
    return {"bytes": data, **load_arrays(data)}


def _names(folder: pathlib.Path) -> list[str]:
    """The files, which must be the same. Their contents hold dates."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
