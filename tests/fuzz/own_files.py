"""Damaged files that programs have written: checkpoints, galleries, strips, caches; and what reads them."""

import io
import json
import os
import pathlib
import random
import zipfile

import numpy as np
from PIL import Image

import iam_writer  # noqa: F401  It sets options of TensorFlow.
from iam_writer.handwriting import pages
from iam_writer.handwriting.folder import HandwritingFolder
from iam_writer.recognition import reference
from tests.fuzz import mutations
from tests.fuzz.given_files import files, line, page, read_lines, saved, write
from tests.fuzz.mutations import damaged, misspelt

_SIZE = {"height": 32, "width": 40}
_WRITERS = ["ada", "bob", "carl"]


def make_corpus(corpus: pathlib.Path) -> None:
    """A checkpoint, galleries and strips."""
    from iam_writer.models import networks
    from iam_writer.recognition import checkpoints, hand_gallery, hands
    from iam_writer.recognition.gallery import Gallery
    from iam_writer.recognition.rule import Rule
    from tests.calibrations import made

    corpus.mkdir(parents=True, exist_ok=True)
    os.environ["XDG_CACHE_HOME"] = str(corpus.parent / "cache")
    model = networks.article(len(_WRITERS), **_SIZE)
    run = {
        "writers": _WRITERS,
        "patch_height": 32,
        "patch_width": 40,
        "dataset": ["iam_writer/synthetic"],
        "model": "article",
    }
    state = {"run": run | {"fingerprint": ["0"], "combine": "probabilities"}, "progress": {}}
    checkpoints.save(model, corpus / "best.keras", state)
    size = model.get_layer("embedding").output.shape[-1]
    hand = np.eye(3, 2)
    calibration = made(
        mean=np.zeros(size), projection=np.eye(size, 2), hands=hand, pair_errors=np.zeros(2), pairs=np.ones(2)
    )
    checkpoints.add_finish(corpus / "best.keras", checkpoints.Finish(calibration, Rule(10)))
    network = Gallery(
        checkpoints.fingerprint(corpus / "best.keras"),
        ["ada", "bob"],
        np.ones([2, size]),
        np.ones(2, np.int64),
    )
    network.write(corpus / "network.npz")
    scan = corpus.parent / "scan.png"
    known = {}
    for seed, name in enumerate(_WRITERS):
        Image.fromarray(page(seed, 4)).save(scan)
        known[name] = hands.sample(name, [str(scan)])
    hand_gallery.write_gallery(corpus / "hands.npz", known, reference.read())
    strips = _strips(corpus.parent / "strips")
    (corpus / "columns").write_bytes((strips.folder / "columns").read_bytes())
    (corpus / "index.npz").write_bytes((strips.folder / "index.npz").read_bytes())
    (corpus / "truth.json").write_text(json.dumps(_sum(strips)))
    (corpus / "done").touch()


def make_checkpoint(folder: pathlib.Path, chance: random.Random, kept: dict[str, bytes]) -> None:
    data = kept["best.keras"]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    name = chance.choice([name for name in members])
    if chance.random() < 0.3:
        data = damaged(data, chance)
    else:
        change = mutations.npz if name.endswith(".npz") else damaged
        members[name] = (
            misspelt(members[name].decode(), chance)
            if name.endswith(".json")
            else change(members[name], chance)
        )
        if chance.random() < 0.1:
            del members[name]
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for member, body in members.items():
                archive.writestr(member, body)
        data = out.getvalue()
    (folder / "best.keras").write_bytes(data)
    (folder / "page.png").write_bytes(files()["gray.png"])


def read_checkpoint(folder: pathlib.Path, out: pathlib.Path, chance: random.Random) -> object:
    """As identify does."""
    from iam_writer.recognition import inputs, recognizer

    network = recognizer.load(folder / "best.keras", inputs.open_calibration(folder / "best.keras"))
    page = pages.read(folder / "page.png")
    return network.verdict("page.png", page, network.scan(page))


def make_gallery(folder: pathlib.Path, chance: random.Random, kept: dict[str, bytes]) -> None:
    name = chance.choice(["hands.npz", "network.npz"])
    data = kept[name]
    (folder / name).write_bytes(
        mutations.npz(data, chance) if chance.random() < 0.8 else damaged(data, chance)
    )
    (folder / "best.keras").write_bytes(kept["best.keras"])


def read_gallery(folder: pathlib.Path, out: pathlib.Path, chance: random.Random) -> object:
    """As gallery and identify do."""
    from iam_writer.recognition import hand_gallery, hands, inputs

    if (folder / "network.npz").exists():
        gallery = inputs.open_gallery(folder / "network.npz", folder / "best.keras")
        calibration = inputs.open_calibration(folder / "best.keras")
        return gallery.rank(np.ones(len(calibration.mean)), calibration)
    population = reference.read()
    known = hand_gallery.enrolled(folder / "hands.npz", population)
    hand_gallery.write_gallery(out / "copy.npz", known, population)
    if not known:
        return "nobody"
    return hands.rank(next(iter(known.values())), known, population)


def _examples():
    from pipelines.strips import Example

    return [Example(line(i), i % 3, f"line{i}", f"form{i % 3}") for i in range(6)]


def _strips(folder: pathlib.Path):
    from pipelines import strips

    return strips.open_or_build(
        folder, _examples, height=32, min_width=40, black_on_white=True, source="fuzz"
    )


def _sum(strips) -> list[object]:
    columns = (strips.folder / "columns").read_bytes()
    return [
        len(columns),
        sum(columns),
        strips.first_column.tolist(),
        strips.labels.tolist(),
        strips.ids.tolist(),
    ]


def make_strips(folder: pathlib.Path, chance: random.Random, kept: dict[str, bytes]) -> None:
    place = folder / chance.choice(["strips", "strips.incomplete"])
    place.mkdir()
    index = "index.npz" if place.name == "strips" else "written.npz"
    columns, arrays = kept["columns"], kept["index.npz"]
    which = chance.randrange(3)
    (place / "columns").write_bytes(damaged(columns, chance) if which == 0 else columns)
    (place / index).write_bytes(mutations.npz(arrays, chance) if which else arrays)
    (folder / "truth.json").write_bytes(kept["truth.json"])


def read_strips(folder: pathlib.Path, out: pathlib.Path, chance: random.Random) -> object:
    found = _sum(_strips(folder / "strips"))
    assert found == json.loads((folder / "truth.json").read_text()), "other strips were taken for whole"
    return "whole"


def make_cache(folder: pathlib.Path, chance: random.Random) -> None:
    for number in range(2):
        write(folder, {f"ada/{number}.png": saved(Image.fromarray(page(number)), "PNG")})
    handwriting = HandwritingFolder(folder, folder / "cache")
    (folder / "truth.json").write_text(json.dumps([line.id for line in handwriting.lines]))
    kept = [path for path in (folder / "cache").iterdir() if path.suffix in (".npz", ".zip")]
    path = chance.choice(sorted(kept))
    data = path.read_bytes()
    change = chance.choice([damaged, mutations.npz if path.suffix == ".npz" else mutations.zipped])
    path.write_bytes(change(data, chance))


def read_cache(folder: pathlib.Path, out: pathlib.Path, chance: random.Random) -> object:
    handwriting = HandwritingFolder(folder, folder / "cache")
    read_lines(handwriting)
    return len(handwriting.lines)
