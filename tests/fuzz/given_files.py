"""Damaged files that people give: images, IAM's index files and archives, tables, folders, flagfiles; and what reads them."""

import functools
import io
import os
import pathlib
import random
import tarfile
import zipfile

import numpy as np
from PIL import Image

import iam_writer  # noqa: F401  It sets options of TensorFlow.
from iam_writer.handwriting import images, pages
from iam_writer.handwriting.folder import HandwritingFolder
from iam_writer.handwriting.iam_database import IamDatabase
from iam_writer.handwriting.public_sets import SETS, PublicHandwriting
from pipelines.system import command_line
from tests.fuzz import mutations
from tests.fuzz.mutations import damaged, misspelt
from tests.handwriting_pages import written_line, written_page
from tests.layout_xml import alto, boxes, page_xml

FORMS = {f"a0{writer}-00{form}": f"00{writer}" for writer in (1, 2) for form in (1, 2, 3)}


# Images.


@functools.cache
def page(seed: int = 0, lines: int = 2) -> np.ndarray:
    return written_page(lines=lines, width=500, seed=seed)[0]


@functools.cache
def line(seed: int = 0) -> bytes:
    return saved(Image.fromarray(written_line(width=160, height=12, seed=seed)), "PNG")


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


@functools.cache
def files() -> dict[str, bytes]:
    gray = Image.fromarray(page())
    exif = Image.Exif()
    exif[0x0112] = 6
    color = gray.convert("RGB")
    wide = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    return {
        "gray.png": saved(gray, "PNG"),
        "palette.png": saved(color.quantize(8), "PNG", transparency=1),
        "alpha.png": saved(gray.convert("LA"), "PNG"),
        "wide.png": saved(wide, "PNG"),
        "gray.jpg": saved(gray, "JPEG", exif=exif),
        "cmyk.jpg": saved(color.convert("CMYK"), "JPEG", progressive=True),
        "lzw.tif": saved(gray, "TIFF", compression="tiff_lzw", save_all=True, append_images=[gray]),
        "fax.tif": saved(gray.convert("1"), "TIFF", compression="group4"),
        "wide.tif": saved(wide, "TIFF"),
        "gray.bmp": saved(gray, "BMP"),
        "gray.gif": saved(gray, "GIF"),
        "gray.webp": saved(color, "WEBP"),
        "gray.pgm": saved(gray, "PPM"),
        "gray.jp2": saved(gray, "JPEG2000"),
    }


def damaged_image(name: str, chance: random.Random) -> bytes:
    data = files()[name]
    return (
        mutations.png(data, chance)
        if name.endswith(".png") and chance.random() < 0.5
        else damaged(data, chance)
    )


def make_image(folder: pathlib.Path, chance: random.Random) -> None:
    name = chance.choice(list(files()))
    suffix = chance.choice(images.SUFFIXES) if chance.random() < 0.1 else pathlib.Path(name).suffix
    (folder / f"scan{suffix}").write_bytes(damaged_image(name, chance))


def read_image(folder: pathlib.Path, out: pathlib.Path, chance: random.Random) -> object:
    [path] = folder.iterdir()
    images.size(path), images.several_pages(path)
    if chance.random() < 0.3:
        images.small(path, 64, 16)
        return len(images.read_gray_png(path))
    return len(pages.read(path).lines)


# PAGE-XML and ALTO files beside an image.


@functools.cache
def layouts() -> dict[str, str]:
    picture, extents = written_page(lines=2, width=500)
    lines, size = boxes(extents, 500), picture.shape[::-1]
    return {
        "scan.xml": page_xml(lines, size, picture="scan.png", regions=2, order=[1, 0]),
        "page/scan.xml": page_xml(lines, size, picture="scan.png", version="2013-07-15"),
        "alto/scan.xml": alto(lines, size, picture="scan.png", unit="mm10", factor=254 / 300),
    }


def make_layout(folder: pathlib.Path, chance: random.Random) -> None:
    (folder / "scan.png").write_bytes(files()["gray.png"])
    name = chance.choice(list(layouts()))
    (folder / name).parent.mkdir(exist_ok=True)
    text = layouts()[name]
    data = misspelt(text, chance) if chance.random() < 0.5 else damaged(text.encode(), chance)
    (folder / name).write_bytes(data)


def read_layout(folder: pathlib.Path, out: pathlib.Path, chance: random.Random) -> object:
    page = pages.read(folder / "scan.png")
    return [line.outline.sum() for line in page.on_picture()]


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
    return {f"{form[:3]}/{form}/{_NAMES[unit].format(form, i)}": line(i) for form in FORMS for i in range(2)}


def write(folder: pathlib.Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def make_index(folder: pathlib.Path, chance: random.Random) -> None:
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
    write(
        folder,
        files | {f"{unit}/{name}": data for name, data in _images_of(unit).items()} | {"unit": unit.encode()},
    )


def make_archive(folder: pathlib.Path, chance: random.Random) -> None:
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


def read_iam(folder: pathlib.Path, out: pathlib.Path, chance: random.Random) -> object:
    handwriting = IamDatabase(folder, (folder / "unit").read_text(), out)
    return read_lines(handwriting)


def read_lines(handwriting) -> int:
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


def make_manifest(folder: pathlib.Path, chance: random.Random) -> None:
    rows = ["file,writer,page,split,box"]
    for number, writer in enumerate(("ada", "bob", "carl")):
        for split in ("train", "validation", "test"):
            name = f"{writer}/{split}{number}.png"
            write(folder, {name: line(number)})
            rows += [f"{name},{writer},p{split},{split},{i} 0 {20 + i} 9" for i in range(2)]
    (folder / "manifest.csv").write_bytes(misspelt("\n".join(rows) + "\n", chance))


_SCANS = (
    *(f"{w}/page{p}-{i}.png" for w in ("ada", "bob") for p in (1, 2) for i in (1, 2)),
    *(f"train/{w}/{p}_{i}.png" for w in ("ada", "bob") for p in (1, 2) for i in (1, 2)),
    *(f"test/{w}/{p}/{i}.jpg" for w in ("ada", "bob") for p in (1, 2) for i in (1, 2)),
    *(f"lines/0052/0052-{p}-{i}.tif" for p in (1, 2) for i in (1, 2)),
    *(f"w0001_s0{p}_pLND_r0{i}.png" for p in (1, 2) for i in (1, 2)),
)


def make_folder(folder: pathlib.Path, chance: random.Random) -> None:
    names = [name for name in _SCANS if chance.random() < 0.4] or ["a/x.png"]
    for number, name in enumerate(names):
        if chance.random() < 0.2:
            name = misspelt(name, chance, 1).replace(b"\0", b"").decode("utf-8", "surrogateescape")
        path = pathlib.Path(os.path.normpath(os.path.join(folder, name.lstrip("/"))))
        data = line(number) if chance.random() < 0.7 else damaged_image("gray.png", chance)
        try:
            if folder in path.parents:
                write(folder, {str(path.relative_to(folder)): data})
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


def read_folder(folder: pathlib.Path, out: pathlib.Path, chance: random.Random) -> object:
    if chance.random() < 0.15:
        return read_lines(PublicHandwriting(chance.choice(list(SETS)), folder, out))
    patterns = {}
    for name in ("page_pattern", "writer_pattern"):
        if chance.random() < 0.2:
            pattern = chance.choice(_PATTERNS)
            patterns[name] = (
                misspelt(pattern, chance, 1).decode(errors="replace") if chance.random() < 0.5 else pattern
            )
    return read_lines(HandwritingFolder(folder, out, **patterns))


# Flags.


def make_flags(folder: pathlib.Path, chance: random.Random) -> None:
    from iam_writer.training.settings import Settings

    settings = Settings(manual_dir="/x", augment=["blur", "scale"], page_pattern="(?P<page>.+)_", seed=7)
    (folder / "flags.txt").write_bytes(misspelt(settings.as_flags(), chance))


def read_flags(folder: pathlib.Path, out: pathlib.Path, chance: random.Random) -> object:
    """As iam_writer.train does before it loads TensorFlow."""
    from iam_writer import train

    command_line.parse_flags(["train", f"--flagfile={folder / 'flags.txt'}"])
    return train.settings_from_flags()
