"""Seeded changes to files: bytes, text, and the parts of archives. The same random generator gives the same changes."""

import contextlib
import io
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence

_INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
_NUMBERS = ("0", "-1", "1", "999999999999", "1e999", "nan", "0x10", "٣", "")
_TEXTS = (
    "",
    " ",
    "\t",
    "\0",
    "\ufeff",
    "\ud7ff",
    "é" * 300,
    "a" * 5_000,
    "../" * 9,
    "/",
    "|",
    '"',
    ",",
    "\r",
    "#",
    "\x1b[2J",
)


def damaged(data: bytes, random: random.Random, times: int | None = None) -> bytes:
    """Some changes to bytes, at any place."""
    for _ in range(times or random.choice([1, 1, 2, 4, 16])):
        data = random.choice(_BYTES)(data, random)
    return data


def misspelt(text: str, random: random.Random, times: int | None = None) -> bytes:
    """Some changes to the rows and fields of a text. At times it is damaged as bytes, too."""
    for _ in range(times or random.choice([1, 1, 2, 4])):
        text = random.choice(_TEXT)(text, random)
    data = text.encode("utf-8", "surrogatepass")
    return damaged(data, random, 1) if random.random() < 0.15 else data


def png(data: bytes, random: random.Random) -> bytes:
    """Changes to the chunks of a PNG file, with checksums that fit. So the damage reaches the decoder."""
    chunks, place = [], 8
    while place + 8 <= len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        chunks.append([data[place + 4 : place + 8], data[place + 8 : place + 8 + length]])
        place += 12 + length
    chunk = random.choice(chunks)
    match random.randrange(4):
        case 0:
            chunk[1] = damaged(chunk[1], random, 1)
        case 1:  # The header: width, height, depth, kind.
            width, height = (random.choice([0, 1, 7, 300, 65_535, 0x7FFFFFFF]) for _ in range(2))
            rest = bytes(
                [
                    random.choice([1, 2, 4, 8, 16, 3]),
                    random.choice([0, 2, 3, 4, 6, 1]),
                    0,
                    0,
                    random.choice([0, 1]),
                ]
            )
            chunks[0][1] = struct.pack(">II", width, height) + rest
        case 2:
            chunks.insert(random.randrange(len(chunks) + 1), list(chunk))
        case _:
            chunks.remove(chunk)
    return data[:8] + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def zipped(data: bytes, random: random.Random) -> bytes:
    """Changes to the members of a zip archive, with checksums that fit; or to its bytes."""
    if random.random() < 0.3:
        return damaged(data, random)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [[info.filename, archive.read(info), info.compress_type] for info in archive.infolist()]
        comment = archive.comment
    member = random.choice(members)
    match random.randrange(6):
        case 0 | 1 | 2:
            member[1] = (
                misspelt(member[1].decode("latin-1"), random)
                if random.random() < 0.5
                else damaged(member[1], random)
            )
        case 3:
            member[0] = outside(member[0], random)
        case 4:
            members.remove(member)
        case _:
            members.append([member[0], damaged(member[1], random), member[2]])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, body, method in members:
            info = zipfile.ZipInfo(name or "x")
            info.compress_type = method
            if random.random() < 0.02:
                info.external_attr = 0o120777 << 16  # A symbolic link.
            archive.writestr(info, body)
        archive.comment = comment
    return out.getvalue()


def npz(data: bytes, random: random.Random) -> bytes:
    """Changes to the arrays of an npz file: their headers tell other shapes and kinds; or as `zipped`."""
    if random.random() < 0.5:
        return zipped(data, random)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [[info.filename, archive.read(info)] for info in archive.infolist()]
    member = random.choice(members)
    head = member[1][:200].decode("latin-1")
    old, new = random.choice(
        [
            ("'shape': (", f"'shape': ({random.choice(['0, ', '99999999999, ', '-1, ', '2, 2, ', ''])}"),
            ("<f8", random.choice(["<f4", "<i8", "|O", "<c16", "<U9"])),
            ("<f4", random.choice(["<f8", "<i2", "|O", "|S3"])),
            ("<i8", random.choice(["<f8", "<i2", "|O", "<U2"])),
            ("<U", random.choice(["<S", "|O", "<U9"])),
            ("|u1", random.choice(["<f8", "|b1", "<u8"])),
            ("False", random.choice(["True", "None", "[]"])),
        ]
    )
    changed = head.replace(old, new, 1)
    # The header ends with blanks, so that its length need not change.
    grown = len(changed) - len(head)
    if grown > 0:
        changed = changed.replace(" " * grown, "", 1)
    elif grown < 0:
        changed = changed.replace("}", "}" + " " * -grown, 1)
    member[1] = changed.encode("latin-1") + member[1][200:]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, body in members:
            archive.writestr(name, body)
    return out.getvalue()


def tarred(files: dict[str, bytes], random: random.Random, gzip: bool) -> bytes:
    """A tar archive with one odd member, or with damaged bytes."""
    out = io.BytesIO()
    odd = random.choice(list(files))
    with tarfile.open(fileobj=out, mode="w:gz" if gzip else "w", format=random.choice([0, 1, 2])) as tar:
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            if name == odd:
                body = damaged(body, random) if random.random() < 0.5 else body
                match random.randrange(6):
                    case 0:
                        member.name = outside(name, random)[:90]
                    case 1:
                        member.type = random.choice([tarfile.SYMTYPE, tarfile.LNKTYPE])
                        member.linkname = outside(name, random)[:90]
                    case 2:
                        member.type = random.choice(
                            [tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE, b"x", b"S"]
                        )
                    case 3:
                        member.mode = random.choice([0, 0o7777])
                        member.mtime = random.choice([-1, 2**33])
            member.size = len(body)
            with contextlib.suppress(ValueError, UnicodeError):  # The format cannot hold it.
                tar.addfile(member, io.BytesIO(body))
    data = out.getvalue()
    return damaged(data, random) if random.random() < 0.5 else data


def outside(name: str, random: random.Random) -> str:
    """A name that leads elsewhere, or that is odd."""
    return random.choice(
        ["../" * 3 + name, "/tmp/iam_writer_fuzz_" + name.replace("/", "_"), name + "/../../../x.png", "..", ".", name * 3,
         name.upper(), "C:\\x.png", "a" * 250 + ".png", name + "\n.png", "~/x.png", name.replace("/", "//"), "é" + name]
    )  # fmt: skip


def _flip(data: bytes, random: random.Random) -> bytes:
    if not data:
        return b"\0"
    place = random.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << random.randrange(8))]) + data[place + 1 :]


def _cut(data: bytes, random: random.Random) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _remove(data: bytes, random: random.Random) -> bytes:
    begin = random.randrange(len(data) + 1)
    return data[:begin] + data[begin + random.choice([1, 2, 16, 1000]) :]


def _repeat(data: bytes, random: random.Random) -> bytes:
    begin = random.randrange(len(data) + 1)
    part = data[begin : begin + random.choice([1, 8, 300])]
    return data[:begin] + part * random.choice([2, 3, 50]) + data[begin:]


def _number(data: bytes, random: random.Random) -> bytes:
    place = random.randrange(len(data) + 1)
    number = struct.pack(random.choice("<>") + "I", random.choice(_INTERESTING))
    return data[:place] + number + data[place + 4 :]


def _noise(data: bytes, random: random.Random) -> bytes:
    place = random.randrange(len(data) + 1)
    return data[:place] + random.randbytes(random.choice([1, 4, 64])) + data[place:]


def _blank(data: bytes, random: random.Random) -> bytes:
    place, length = random.randrange(len(data) + 1), random.choice([4, 64, 512])
    return data[:place] + b"\0" * length + data[place + length :]


_BYTES: Sequence[Callable[[bytes, random.Random], bytes]] = (
    _flip,
    _flip,
    _cut,
    _remove,
    _repeat,
    _number,
    _noise,
    _blank,
)


def _of_rows(change: Callable[[list[str], random.Random], None]) -> Callable[[str, random.Random], str]:
    def changed(text: str, random: random.Random) -> str:
        rows = text.split("\n")
        change(rows, random)
        return "\n".join(rows)

    return changed


def _lose_row(rows: list[str], random: random.Random) -> None:
    del rows[random.randrange(len(rows))]


def _double_row(rows: list[str], random: random.Random) -> None:
    rows.insert(random.randrange(len(rows) + 1), random.choice(rows))


def _swap_rows(rows: list[str], random: random.Random) -> None:
    a, b = random.randrange(len(rows)), random.randrange(len(rows))
    rows[a], rows[b] = rows[b], rows[a]


def _change_field(rows: list[str], random: random.Random) -> None:
    number = random.randrange(len(rows))
    for separator in random.sample([" ", ",", "=", '"', "/", "-"], 6):
        fields = rows[number].split(separator)
        if len(fields) > 1:
            break
    fields[random.randrange(len(fields))] = random.choice([*_NUMBERS, *_TEXTS, random.choice(fields)])
    rows[number] = separator.join(fields)


def _insert(text: str, random: random.Random) -> str:
    place = random.randrange(len(text) + 1)
    return text[:place] + random.choice([*_TEXTS, *_NUMBERS]) + text[place + random.choice([0, 1, 5]) :]


_TEXT: Sequence[Callable[[str, random.Random], str]] = (
    *map(_of_rows, (_double_row, _swap_rows, _change_field, _change_field, _change_field)),
    lambda text, random: _of_rows(_lose_row)(text, random) if text else text,
    _insert,
)
