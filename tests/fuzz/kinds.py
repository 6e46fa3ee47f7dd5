"""The kinds of input: how each is made by code and damaged, and what reads it."""

import functools
import importlib
import io
import itertools
import json
import os
import pathlib
import random
import sys
import tarfile
import traceback
import zipfile
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from PIL import Image

import iam_writer  # noqa: F401  It sets options of TensorFlow.
from iam_writer.handwriting import images, pages
from iam_writer.handwriting.folder import HandwritingFolder
from iam_writer.handwriting.iam_database import IamDatabase
from iam_writer.handwriting.public_sets import SETS, PublicHandwriting
from iam_writer.recognition import reference
from pipelines.system import command_line
from tests.fuzz import mutations
from tests.fuzz.mutations import damaged, misspelt
from tests.fuzz.runner import Kind
from tests.handwriting_pages import written_line, written_page

FORMS = {f"a0{writer}-00{form}": f"00{writer}" for writer in (1, 2) for form in (1, 2, 3)}


def every(corpus: pathlib.Path) -> list[Kind]:
    """All kinds. What takes long to make, or needs TensorFlow, is made once in the folder, in a process of its own."""
    _load_libraries()
    if not (corpus / "done").exists():
        _in_a_process(lambda: _make_corpus(corpus))
    kept = {path.name: path.read_bytes() for path in corpus.iterdir()}
    return [
        Kind("image", _make_image, _read_image),
        Kind("index", _make_index, _read_iam),
        Kind("archive", _make_archive, _read_iam),
        Kind("manifest", _make_manifest, _read_folder),
        Kind("folder", _make_folder, _read_folder),
        Kind("checkpoint", functools.partial(_make_checkpoint, kept=kept), _read_checkpoint),
        Kind("gallery", functools.partial(_make_gallery, kept=kept), _read_gallery),
        Kind("strips", functools.partial(_make_strips, kept=kept), _read_strips),
        Kind("cache", _make_cache, _read_cache),
        Kind("flags", _make_flags, _read_flags),
    ]


SHARES = {"checkpoint": 1, "cache": 1, "strips": 2, "gallery": 4}
"""How often a kind comes in a round. Other kinds, which take less time, come `OFTEN` times."""

OFTEN = 8


def in_turn(chosen: list[Kind], first: int) -> Iterator[tuple[Kind, int]]:
    """Inputs without end: kinds and numbers. The kinds that take long come less often."""
    numbers = {kind.name: itertools.count(first) for kind in chosen}
    while True:
        for turn in range(OFTEN):
            for kind in chosen:
                if turn < SHARES.get(kind.name, OFTEN):
                    yield kind, next(numbers[kind.name])


def _in_a_process(work: Callable[[], None]) -> None:
    process = os.fork()
    if process == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    if os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]):
        sys.exit("The corpus cannot be made; see above.")


def _load_libraries() -> None:
    """Loads what the readers need, so that each process has it. Nothing of TensorFlow is run: it would not survive a fork."""
    cv2.setNumThreads(1)
    # Made here once, they are there in each process.
    _files(), [_line(seed) for seed in range(10)], [_page(seed) for seed in range(2)]
    for module in ("keras", "tensorflow", "pipelines.strips", "iam_writer.models", "iam_writer.train"):
        importlib.import_module(module)
    for module in ("recognizer", "inputs", "hand_gallery", "hands", "gallery"):
        importlib.import_module(f"iam_writer.recognition.{module}")
    reference.read()


# Images.


@functools.cache
def _page(seed: int = 0, lines: int = 2) -> np.ndarray:
    return written_page(lines=lines, width=500, seed=seed)[0]


@functools.cache
def _line(seed: int = 0) -> bytes:
    return _saved(Image.fromarray(written_line(width=160, height=12, seed=seed)), "PNG")


def _saved(image: Image.Image, format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


@functools.cache
def _files() -> dict[str, bytes]:
    gray = Image.fromarray(_page())
    exif = Image.Exif()
    exif[0x0112] = 6
    color = gray.convert("RGB")
    wide = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    return {
        "gray.png": _saved(gray, "PNG"),
        "palette.png": _saved(color.quantize(8), "PNG", transparency=1),
        "alpha.png": _saved(gray.convert("LA"), "PNG"),
        "wide.png": _saved(wide, "PNG"),
        "gray.jpg": _saved(gray, "JPEG", exif=exif),
        "cmyk.jpg": _saved(color.convert("CMYK"), "JPEG", progressive=True),
        "lzw.tif": _saved(gray, "TIFF", compression="tiff_lzw", save_all=True, append_images=[gray]),
        "fax.tif": _saved(gray.convert("1"), "TIFF", compression="group4"),
        "wide.tif": _saved(wide, "TIFF"),
        "gray.bmp": _saved(gray, "BMP"),
        "gray.gif": _saved(gray, "GIF"),
        "gray.webp": _saved(color, "WEBP"),
        "gray.pgm": _saved(gray, "PPM"),
        "gray.jp2": _saved(gray, "JPEG2000"),
    }


def _damaged_image(name: str, chance: random.Random) -> bytes:
    data = _files()[name]
    return (
        mutations.png(data, chance)
        if name.endswith(".png") and chance.random() < 0.5
        else damaged(data, chance)
    )


def _make_image(folder: pathlib.Path, chance: random.Random) -> None:
    name = chance.choice(list(_files()))
    suffix = chance.choice(images.SUFFIXES) if chance.random() < 0.1 else pathlib.Path(name).suffix
    (folder / f"scan{suffix}").write_bytes(_damaged_image(name, chance))


def _read_image(folder: pathlib.Path, out: pathlib.Path, chance: random.Random) -> object:
    [path] = folder.iterdir()
    images.size(path), images.several_pages(path)
    if chance.random() < 0.3:
        images.small(path, 64, 16)
        return len(images.read_gray_png(path))
    return len(pages.read(path).lines)


# IAM: its index files and archives.


def _index() -> dict[str, str]:
    forms = "".join(f"{form} {writer} 1 all 2 2 9 9\n" for form, writer in FORMS.items())
    rows = [(form, i) for form in FORMS for i in range(2)]
    return {
        "forms.txt": "# format: a01-000u 000 2 prt 7 5 52 36\n" + forms,
        "sentences.txt": "".join(f"{f}-s00-0{i} 0 ok 154 19 100 {99 * i} 60 20 A|MOVE|to\n" for f, i in rows),
        "lines.txt": "".join(f"{f}-0{i} ok 154 19 100 {99 * i} 60 20 A|MOVE|to\n" for f, i in rows),
        "words.txt": "".join(f"{f}-0{i}-00 ok 154 100 {99 * i} 60 20 AT A\n" for f, i in rows),
    }


_UNITS = ("sentences", "lines", "words", "forms")
_NAMES = {"sentences": "{}-s00-0{}.png", "lines": "{}-0{}.png", "words": "{}-0{}-00.png", "forms": "{}.png"}


def _images_of(unit: str) -> dict[str, bytes]:
    return {f"{form[:3]}/{form}/{_NAMES[unit].format(form, i)}": _line(i) for form in FORMS for i in range(2)}


def _write(folder: pathlib.Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def _make_index(folder: pathlib.Path, chance: random.Random) -> None:
    unit = chance.choice(_UNITS)
    files = {name: text.encode() for name, text in _index().items()}
    if chance.random() < 0.2:  # The writers are in XML files.
        del files["forms.txt"]
        for form, writer in FORMS.items():
            text = f'<?xml version="1.0"?>\n<form id="{form}" writer-id="{writer}">\n<line id="1"/>\n</form>'
            files[f"xml/{form}.xml"] = misspelt(text, chance) if chance.random() < 0.3 else text.encode()
    else:
        name = chance.choice(["forms.txt", f"{unit}.txt" if unit != "forms" else "forms.txt"])
        files[name] = misspelt(_index()[name], chance)
    _write(
        folder,
        files | {f"{unit}/{name}": data for name, data in _images_of(unit).items()} | {"unit": unit.encode()},
    )


def _make_archive(folder: pathlib.Path, chance: random.Random) -> None:
    unit = chance.choice(_UNITS)
    index = {f"ascii/{name}": text.encode() for name, text in _index().items()}
    stem = "formsA-D" if unit == "forms" else unit
    damage_index = chance.random() < 0.3
    for name, files, is_damaged in (
        ("ascii", index, damage_index),
        (stem, _images_of(unit), not damage_index),
    ):
        suffix = chance.choice([".tgz", ".tar", ".tar.gz", ".zip"])
        if suffix == ".zip":
            out = io.BytesIO()
            with zipfile.ZipFile(
                out, "w", chance.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
            ) as archive:
                for member, data in files.items():
                    archive.writestr(member, data)
            data = mutations.zipped(out.getvalue(), chance) if is_damaged else out.getvalue()
        elif is_damaged:
            data = mutations.tarred(files, chance, gzip=suffix != ".tar")
        else:
            out = io.BytesIO()
            with tarfile.open(fileobj=out, mode="w:gz") as tar:
                for member, body in files.items():
                    info = tarfile.TarInfo(member)
                    info.size = len(body)
                    tar.addfile(info, io.BytesIO(body))
            data = out.getvalue()
        (folder / f"{name}{suffix}").write_bytes(data)
    (folder / "unit").write_text(unit)


def _read_iam(folder: pathlib.Path, out: pathlib.Path, chance: random.Random) -> object:
    handwriting = IamDatabase(folder, (folder / "unit").read_text(), out)
    return _read_lines(handwriting)


def _read_lines(handwriting) -> int:
    from iam_writer.common.errors import BadImageError

    good = 0
    for line in handwriting.lines[:12]:
        try:
            with Image.open(io.BytesIO(handwriting.read(line))) as image:
                image.load()
            good += 1
        except BadImageError as error:  # Programs count these, up to --max_bad_images.
            assert str(error)
    return good


# Folders of scans.


def _make_manifest(folder: pathlib.Path, chance: random.Random) -> None:
    rows = ["file,writer,page,split,box"]
    for number, writer in enumerate(("ada", "bob", "carl")):
        for split in ("train", "validation", "test"):
            name = f"{writer}/{split}{number}.png"
            _write(folder, {name: _line(number)})
            rows += [f"{name},{writer},p{split},{split},{i} 0 {20 + i} 9" for i in range(2)]
    (folder / "manifest.csv").write_bytes(misspelt("\n".join(rows) + "\n", chance))


_SCANS = (
    *(f"{w}/page{p}-{i}.png" for w in ("ada", "bob") for p in (1, 2) for i in (1, 2)),
    *(f"train/{w}/{p}_{i}.png" for w in ("ada", "bob") for p in (1, 2) for i in (1, 2)),
    *(f"test/{w}/{p}/{i}.jpg" for w in ("ada", "bob") for p in (1, 2) for i in (1, 2)),
    *(f"lines/0052/0052-{p}-{i}.tif" for p in (1, 2) for i in (1, 2)),
    *(f"w0001_s0{p}_pLND_r0{i}.png" for p in (1, 2) for i in (1, 2)),
)


def _make_folder(folder: pathlib.Path, chance: random.Random) -> None:
    names = [name for name in _SCANS if chance.random() < 0.4] or ["a/x.png"]
    for number, name in enumerate(names):
        if chance.random() < 0.2:
            name = misspelt(name, chance, 1).replace(b"\0", b"").decode("utf-8", "surrogateescape")
        path = pathlib.Path(os.path.normpath(os.path.join(folder, name.lstrip("/"))))
        data = _line(number) if chance.random() < 0.7 else _damaged_image("gray.png", chance)
        try:
            if folder in path.parents:
                _write(folder, {str(path.relative_to(folder)): data})
        except (OSError, ValueError):  # Such as a name that is too long, or a file where a folder should be.
            pass
    if chance.random() < 0.1:
        (folder / "loop").symlink_to(folder)


_PATTERNS = (
    r"(?P<page>[^/]+)_[^_/]+$",
    r"^(?P<writer>[^/_]+)",
    r"(?P<page>.+)",
    r"(?P<writer>\w)",
    r"(?P<page>(a+)+)$",
)


def _read_folder(folder: pathlib.Path, out: pathlib.Path, chance: random.Random) -> object:
    if chance.random() < 0.15:
        return _read_lines(PublicHandwriting(chance.choice(list(SETS)), folder, out))
    patterns = {}
    for name in ("page_pattern", "writer_pattern"):
        if chance.random() < 0.2:
            pattern = chance.choice(_PATTERNS)
            patterns[name] = (
                misspelt(pattern, chance, 1).decode(errors="replace") if chance.random() < 0.5 else pattern
            )
    return _read_lines(HandwritingFolder(folder, out, **patterns))


# What programs have written themselves.

_SIZE = {"height": 32, "width": 40}
_WRITERS = ["ada", "bob", "carl"]


def _make_corpus(corpus: pathlib.Path) -> None:
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
        Image.fromarray(_page(seed, 4)).save(scan)
        known[name] = hands.sample(name, [str(scan)])
    hand_gallery.write_gallery(corpus / "hands.npz", known, reference.read())
    strips = _strips(corpus.parent / "strips")
    (corpus / "columns").write_bytes((strips.folder / "columns").read_bytes())
    (corpus / "index.npz").write_bytes((strips.folder / "index.npz").read_bytes())
    (corpus / "truth.json").write_text(json.dumps(_sum(strips)))
    (corpus / "done").touch()


def _make_checkpoint(folder: pathlib.Path, chance: random.Random, kept: dict[str, bytes]) -> None:
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
    (folder / "page.png").write_bytes(_files()["gray.png"])


def _read_checkpoint(folder: pathlib.Path, out: pathlib.Path, chance: random.Random) -> object:
    """As identify does."""
    from iam_writer.recognition import inputs, recognizer

    network = recognizer.load(folder / "best.keras", inputs.open_calibration(folder / "best.keras"))
    page = pages.read(folder / "page.png")
    return network.verdict("page.png", page, network.scan(page))


def _make_gallery(folder: pathlib.Path, chance: random.Random, kept: dict[str, bytes]) -> None:
    name = chance.choice(["hands.npz", "network.npz"])
    data = kept[name]
    (folder / name).write_bytes(
        mutations.npz(data, chance) if chance.random() < 0.8 else damaged(data, chance)
    )
    (folder / "best.keras").write_bytes(kept["best.keras"])


def _read_gallery(folder: pathlib.Path, out: pathlib.Path, chance: random.Random) -> object:
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

    return [Example(_line(i), i % 3, f"line{i}", f"form{i % 3}") for i in range(6)]


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


def _make_strips(folder: pathlib.Path, chance: random.Random, kept: dict[str, bytes]) -> None:
    place = folder / chance.choice(["strips", "strips.incomplete"])
    place.mkdir()
    index = "index.npz" if place.name == "strips" else "written.npz"
    columns, arrays = kept["columns"], kept["index.npz"]
    which = chance.randrange(3)
    (place / "columns").write_bytes(damaged(columns, chance) if which == 0 else columns)
    (place / index).write_bytes(mutations.npz(arrays, chance) if which else arrays)
    (folder / "truth.json").write_bytes(kept["truth.json"])


def _read_strips(folder: pathlib.Path, out: pathlib.Path, chance: random.Random) -> object:
    found = _sum(_strips(folder / "strips"))
    assert found == json.loads((folder / "truth.json").read_text()), "other strips were taken for whole"
    return "whole"


def _make_cache(folder: pathlib.Path, chance: random.Random) -> None:
    for number in range(2):
        _write(folder, {f"ada/{number}.png": _saved(Image.fromarray(_page(number)), "PNG")})
    handwriting = HandwritingFolder(folder, folder / "cache")
    (folder / "truth.json").write_text(json.dumps([line.id for line in handwriting.lines]))
    kept = [path for path in (folder / "cache").iterdir() if path.suffix in (".npz", ".zip")]
    path = chance.choice(sorted(kept))
    data = path.read_bytes()
    change = chance.choice([damaged, mutations.npz if path.suffix == ".npz" else mutations.zipped])
    path.write_bytes(change(data, chance))


def _read_cache(folder: pathlib.Path, out: pathlib.Path, chance: random.Random) -> object:
    handwriting = HandwritingFolder(folder, folder / "cache")
    _read_lines(handwriting)
    return len(handwriting.lines)


# Flags.


def _make_flags(folder: pathlib.Path, chance: random.Random) -> None:
    from iam_writer.training.settings import Settings

    settings = Settings(manual_dir="/x", augment=["blur", "scale"], page_pattern="(?P<page>.+)_", seed=7)
    (folder / "flags.txt").write_bytes(misspelt(settings.as_flags(), chance))


def _read_flags(folder: pathlib.Path, out: pathlib.Path, chance: random.Random) -> object:
    """As iam_writer.train does before it loads TensorFlow."""
    from iam_writer import train

    command_line.parse_flags(["train", f"--flagfile={folder / 'flags.txt'}"])
    return train.settings_from_flags()
