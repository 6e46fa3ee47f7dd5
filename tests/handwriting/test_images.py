"""gray_png: tables of (file in) -> (pixels out, or why not). All images are made here."""

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from iam_writer.common.errors import BadImageError
from iam_writer.handwriting import images
from iam_writer.handwriting.images import gray_png, read_gray_png, read_page

RAMP = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)


def encode(image: Image.Image, format: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    image.save(out, format=format, **options)
    return out.getvalue()


def decode(png: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(png))
    assert (image.format, image.mode) == ("PNG", "L")
    return np.asarray(image)


def gray(pixels=RAMP) -> Image.Image:
    return Image.fromarray(np.asarray(pixels, np.uint8))


def with_alpha(mode: str) -> Image.Image:
    """Black ink. Its right half is transparent."""
    image = Image.new(mode, (2, 1))
    image.putpixel((0, 0), (0,) * (len(mode) - 1) + (255,))
    return image


def palette_with_transparency() -> bytes:
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 10, 10, 10])
    image.putpixel((1, 0), 1)
    return encode(image, transparency=1)


def oriented(format: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(gray(np.repeat([[0, 0, 255, 255]], 4, axis=0)), format, exif=exif)


def pages() -> bytes:
    return encode(gray([[1]]), "TIFF", save_all=True, append_images=[gray([[2]])])


UPSIDE_DOWN = 3
SIXTEEN_BITS = np.array([[0, 257, 32896, 65535]], np.uint16)

CONVERTED = {
    "1 bit": (encode(gray([[0, 255]]).convert("1")), [[0, 255]]),
    "palette of 4 bits": (encode(gray([[0, 15]]).convert("P"), bits=4), [[0, 15]]),
    "16 bits, PNG": (encode(Image.fromarray(SIXTEEN_BITS)), [[0, 1, 128, 255]]),
    "16 bits, TIFF": (encode(Image.fromarray(SIXTEEN_BITS), "TIFF"), [[0, 1, 128, 255]]),
    "16 bits, big-endian TIFF": (
        encode(Image.fromarray(SIXTEEN_BITS.astype(">u2")), "TIFF"),
        [[0, 1, 128, 255]],
    ),
    "16 bits in 32": (encode(Image.fromarray(SIXTEEN_BITS.astype(np.int32)), "TIFF"), [[0, 1, 128, 255]]),
    "RGB": (encode(Image.new("RGB", (1, 1), "red")), [[76]]),
    "RGBA, the transparent part becomes white": (encode(with_alpha("RGBA")), [[0, 255]]),
    "LA": (encode(with_alpha("LA")), [[0, 255]]),
    "gray with a transparent value": (encode(gray([[0, 7]]), transparency=7), [[0, 255]]),
    "palette": (encode(Image.new("RGB", (1, 1), "red").convert("P")), [[76]]),
    "palette with transparency": (palette_with_transparency(), [[0, 255]]),
    "CMYK": (encode(Image.new("CMYK", (1, 1), (0, 0, 0, 255)), "TIFF"), [[0]]),
    "gray TIFF": (encode(gray(), "TIFF"), RAMP),
    "two pages": (pages(), [[1]]),
}


@pytest.mark.parametrize(("data", "pixels"), CONVERTED.values(), ids=CONVERTED.keys())
def test_other_files_are_converted(data, pixels):
    np.testing.assert_array_equal(decode(gray_png(data, "x")), pixels)


@pytest.mark.parametrize(
    "image",
    [
        Image.new("YCbCr", (8, 8), (90, 128, 128)),
        Image.new("RGB", (8, 8), (90, 90, 90)),
        gray([[90] * 8] * 8),
    ],
    ids=lambda image: image.mode,
)
def test_jpeg(image):
    np.testing.assert_allclose(decode(gray_png(encode(image, "JPEG"), "x")), 90, atol=2)


@pytest.mark.parametrize("shape", [(4, 6), (1, 3), (1, 1), (150, 100_000)], ids=str)
def test_gray_png_is_returned_unchanged(shape):
    data = encode(gray(np.zeros(shape)))
    assert gray_png(data, "x") is data


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_4_bit_gray_becomes_8_bit():
    """Pillow opens such a file as 8-bit, but cannot write one."""
    header = struct.pack(">IIBBBBB", 2, 1, 4, 0, 0, 0, 0)  # width, height, bits, gray, and three defaults
    rows = zlib.compress(b"\0\x0f")
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    png = gray_png(data, "x")
    assert png[24] == 8
    np.testing.assert_array_equal(decode(png), [[0, 255]])


@pytest.mark.parametrize("format", ["JPEG", "TIFF", "PNG"])
def test_orientation_is_honoured(format):
    pixels = decode(gray_png(oriented(format, UPSIDE_DOWN), "x"))
    assert pixels[0, 0] > 200
    assert pixels[0, -1] < 50


def test_converting_twice_changes_nothing():
    once = gray_png(encode(gray(), "TIFF"), "x")
    assert gray_png(once, "x") is once


def without_end_mark() -> bytes:
    return encode(gray())[:-12]


def with_wrong_checksum() -> bytes:
    data = bytearray(encode(gray()))
    data[-13] ^= 1  # the last byte of IDAT's checksum
    return bytes(data)


BIG = np.random.default_rng(0).integers(0, 256, (64, 64))

BAD = {
    "empty": (b"", "is empty"),
    "truncated PNG": (encode(gray(BIG))[:2000], "is incomplete"),
    "PNG cut in its header": (encode(gray(BIG))[:20], "is incomplete"),
    "PNG without its end mark": (without_end_mark(), "is incomplete"),
    "PNG with a wrong checksum": (with_wrong_checksum(), "is incomplete or damaged"),
    "truncated JPEG": (encode(gray(BIG), "JPEG")[:1000], "is incomplete"),
    "truncated TIFF": (encode(gray(BIG), "TIFF")[:1000], "is incomplete"),
    "text": (b"<html>please log in</html>", "is not an image"),
    "PostScript, which Pillow would hand to a program": (encode(gray(), "EPS"), "is not an image"),
    "floats": (encode(Image.fromarray(np.ones((2, 2), np.float32)), "TIFF"), r"not supported \(F\)"),
    "LAB": (encode(Image.new("LAB", (2, 2)), "TIFF"), r"not supported \(LAB\)"),
    "32 bits": (
        encode(Image.fromarray(np.array([[70_000]], np.int32)), "TIFF"),
        "more than 16 bits",
    ),
}


@pytest.mark.parametrize(("data", "why"), BAD.values(), ids=BAD.keys())
def test_bad_images_are_refused(data, why):
    with pytest.raises(BadImageError, match=f"^a01-000u-s00-00 .*{why}"):
        gray_png(data, "a01-000u-s00-00")


@pytest.mark.parametrize(
    ("brand", "format", "without", "with_it"),
    [
        (
            b"heic",
            "HEIF",
            "is a HEIC image, which needs the package pillow-heif. Run pip install pillow-heif",
            "is incomplete or damaged. Take another copy of it",
        ),
        (
            b"mif1",
            "HEIF",
            "is a HEIC image, which needs the package pillow-heif. Run pip install pillow-heif",
            "is incomplete or damaged. Take another copy of it",
        ),
        (
            b"avif",
            "AVIF",
            "is an AVIF image, which the installed version of Pillow cannot read",
            "is incomplete or damaged. Take another copy of it",
        ),
    ],
)
def test_photos_that_need_a_reader_say_which(monkeypatch, brand, format, without, with_it):
    data = b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1" + brand + bytes(500)
    others = [name for name in images._FORMATS if name != format]
    monkeypatch.setattr(images, "_FORMATS", others)
    with pytest.raises(BadImageError, match=f"^photo {without}"):
        gray_png(data, "photo")
    monkeypatch.setattr(images, "_FORMATS", [*others, format])
    assert images._why_unidentified(data) == with_it


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
def test_photos_are_read_where_a_reader_is_installed(format):
    if format not in images._FORMATS:
        pytest.skip(f"nothing that reads {format} is installed")
    data = encode(gray([[90] * 64] * 64).convert("RGB"), format)
    np.testing.assert_allclose(decode(gray_png(data, "photo")), 90, atol=3)


@pytest.mark.parametrize(
    "limit_of", [images, Image], ids=["ours", "Pillow's, which raises at twice its limit"]
)
def test_decompression_bombs_are_refused(monkeypatch, limit_of):
    monkeypatch.setattr(limit_of, "MAX_PIXELS" if limit_of is images else "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(BadImageError, match=r"x has more than .* pixels"):
        gray_png(encode(gray()), "x")


@pytest.mark.filterwarnings("ignore")  # Pillow warns about many files that it can read
def test_every_damaged_byte_is_survived():
    """A damaged file either gives an image or raises BadImageError, whatever the damage is."""
    for format in ("PNG", "JPEG", "TIFF"):
        good = encode(gray(), format)
        for position in range(len(good)):
            bad = bytearray(good)
            bad[position] ^= 0xFF
            with contextlib.suppress(BadImageError):
                decode(gray_png(bytes(bad), "x"))


def test_read_gray_png(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encode(gray()))
    assert read_gray_png(path) == encode(gray())
    with pytest.raises(BadImageError, match=r"b\.png cannot be read: No such file"):
        read_gray_png(tmp_path / "b.png")


@pytest.mark.parametrize(
    ("mode", "format"),
    [
        ("L", "PNG"),
        ("1", "TIFF"),
        ("P", "PNG"),
        ("RGB", "JPEG"),
        ("RGBA", "PNG"),
        ("CMYK", "TIFF"),
        ("I;16", "PNG"),
    ],
)
def test_a_large_page_is_scaled_down_while_it_is_read(tmp_path, monkeypatch, mode, format):
    pixels = np.full((400, 240), 200, np.uint8)
    pixels[100:300] = 40
    image = Image.fromarray(pixels.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(pixels)
    (tmp_path / "page").write_bytes(encode(image.convert(mode, dither=Image.Dither.NONE), format))
    whole = read_page(tmp_path / "page", side=100)
    np.testing.assert_array_equal(whole, decode(read_gray_png(tmp_path / "page")))
    monkeypatch.setattr(images, "MAX_PIXELS", pixels.size - 1)
    small = read_page(tmp_path / "page", side=100)
    step = 2 if format == "JPEG" else 4
    np.testing.assert_allclose(small, whole[1::step, 1::step], atol=3)
    monkeypatch.setattr(images, "MAX_PAGE_PIXELS", pixels.size - 1)
    with pytest.raises(BadImageError, match="has more than 95,999 pixels"):
        read_page(tmp_path / "page", side=100)


def test_a_large_page_lies_as_its_camera_says(tmp_path, monkeypatch):
    (tmp_path / "page").write_bytes(oriented("TIFF", UPSIDE_DOWN))
    monkeypatch.setattr(images, "MAX_PIXELS", 1)
    np.testing.assert_array_equal(read_page(tmp_path / "page", side=2), [[255, 0], [255, 0]])
