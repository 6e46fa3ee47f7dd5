"""Turns image files into 8-bit gray, or raises a BadImageError that says why it cannot. Does not use TensorFlow.

`gray_png` decodes each image once to its last pixel. So later steps need not expect bad images.
"""

import contextlib
import importlib
import importlib.util
import io
import os
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError, features

from iam_writer.common import errors
from iam_writer.handwriting import documents

MAX_PIXELS = 89_478_485
"""The most pixels of a line. A larger image is taken for a decompression bomb. Pillow begins to warn at this number."""

MAX_PAGE_PIXELS = 150_000_000
"""The most pixels of a page. A0 at 300 dpi has 139 million. Pillow takes up to 8 bytes for each pixel."""

# Only these formats are read. The other formats of Pillow include EPS, for which Pillow runs the program Ghostscript.
_FORMATS = ["PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000"]
if "avif" in features.modules and features.check("avif"):  # Since Pillow 11.3.
    _FORMATS.append("AVIF")
if importlib.util.find_spec("pillow_heif"):  # The extra `heic` installs it.
    importlib.import_module("pillow_heif").register_heif_opener()
    _FORMATS.append("HEIF")

SUFFIXES = tuple(
    ".png .jpg .jpeg .tif .tiff .bmp .gif .webp .ppm .pgm .pbm .pnm .jp2 .j2k .avif .heic .heif".split()
)
"""A file in a folder is taken for an image if its name ends with one of these. Its first bytes tell its format."""

_AVIF_BRANDS = (b"avif", b"avis")
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*")
_ORIENTATION = 0x0112
# Place of the bit depth in a PNG file. It is needed since Pillow also opens 2- and 4-bit gray as mode L.
_PNG_BIT_DEPTH = 24


def gray_png(data: bytes, name: str) -> bytes:
    """Converts an image file to an upright 8-bit gray PNG file. Transparent parts become white.

    An 8-bit gray PNG file is checked and returned unchanged. If there are several pages, the first is taken. Pixels of
    16 bits are scaled down to 8.

    Args:
      data: content of an image file: PNG, JPEG, TIFF, BMP, GIF, WebP, PPM or JPEG 2000; also AVIF and HEIC
        if Pillow or pillow-heif can read them.
      name: the name of the image in an error message.

    Returns:
      The content of a PNG file.

    Raises:
      BadImageError: the file is empty, truncated, not an image, larger than MAX_PIXELS, or its pixels are floats.
    """
    with _told(data, name, MAX_PIXELS):
        image = _decode(data, MAX_PIXELS)
        if _is_gray_png(image, data):
            return data
        out = io.BytesIO()
        ImageOps.exif_transpose(image, in_place=True)
        _to_gray(image).save(out, format="PNG")
        return out.getvalue()


def read_gray_png(path: str | os.PathLike[str]) -> bytes:
    """The result of `gray_png` for a file. Error messages name the file by its path.

    Raises:
      BadImageError: for the reasons that `gray_png` gives, or since the file cannot be read.
    """
    return gray_png(_content(path), str(path))


def read_page(path: str | os.PathLike[str], side: int) -> np.ndarray:
    """The pixels of a scan, converted as `gray_png` does.

    A scan of more than MAX_PIXELS is scaled down. Its longer side keeps at least `side` pixels.

    Returns:
      uint8 `[height, width]`.

    Raises:
      BadImageError: for the reasons that `read_gray_png` gives, but a scan may have up to MAX_PAGE_PIXELS.
    """
    data = _content(path)
    with _told(data, str(path), MAX_PAGE_PIXELS):
        image = _decode(data, MAX_PAGE_PIXELS, side)
        ImageOps.exif_transpose(image, in_place=True)
        if image.width * image.height > MAX_PIXELS:
            image = _reduced(image, side)
        return np.asarray(_to_gray(image))


def small(path: str | os.PathLike[str], columns: int, rows: int) -> np.ndarray:
    """A small picture of a scan: the mean gray of each cell of a grid.

    Returns:
      uint8 `[rows, columns]`.

    Raises:
      BadImageError: as for `read_page`.
    """
    data = _content(path)
    with _told(data, str(path), MAX_PAGE_PIXELS):
        image = _decode(data, MAX_PAGE_PIXELS)
        ImageOps.exif_transpose(image, in_place=True)
        return np.asarray(_to_gray(image).resize((columns, rows), Image.Resampling.BOX))


def crop_png(png: bytes, box: tuple[int, int, int, int]) -> bytes:
    """The part of a gray PNG file that a box (x, y, width, height) covers, as another PNG file.

    Raises:
      ValueError: the box lies outside of the image.
    """
    x, y, width, height = box
    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        if x < 0 or y < 0 or width < 1 or height < 1 or x + width > image.width or y + height > image.height:
            raise ValueError(
                f"its box {x} {y} {width} {height} lies outside of {image.width}x{image.height} pixels"
            )
        out = io.BytesIO()
        image.crop((x, y, x + width, y + height)).save(out, format="PNG")
        return out.getvalue()


def _content(path: str | os.PathLike[str]) -> bytes:
    return documents.content(os.fspath(path))


@contextlib.contextmanager
def _told(data: bytes, name: str, max_pixels: int) -> Iterator[None]:
    """Turns whatever Pillow raises into a BadImageError that says what is wrong with the image."""
    try:
        yield
        return
    except Image.DecompressionBombError:
        why = f"has more than {max_pixels:,} pixels. Save a smaller image"
    except UnidentifiedImageError:
        why = _why_unidentified(data)
    except _UnsupportedPixelsError as error:
        why = f"has pixels {error}"
    except Exception as error:  # The parsers of Pillow raise many kinds of errors, even KeyError.
        why = f"is incomplete or damaged ({error}). Take another copy of it"
    raise errors.BadImageError(f"{name} {why}.")


def size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Width and height of an image file. Only its header is read. If that fails, both are 0."""
    try:
        name = os.fspath(path)
        # Pages of PDF and TIFF files have to be made first.
        plain = documents.split(name)[1] is None and not name.lower().endswith(".pdf")
        with Image.open(path if plain else io.BytesIO(_content(path)), formats=_FORMATS) as image:
            return image.size
    except Exception:  # As above. The message comes when the image is read.
        return 0, 0


def orientation(path: str | os.PathLike[str]) -> int:
    """What the EXIF data of an image file say about how to turn it, from 1 to 8; 1 if they say nothing. Only its header is read."""
    try:
        name = os.fspath(path)
        plain = documents.split(name)[1] is None and not name.lower().endswith(".pdf")
        with Image.open(path if plain else io.BytesIO(_content(path)), formats=_FORMATS) as image:
            said = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # As above.
        return 1
    return int(said) if said in range(1, 9) else 1


def several_pages(path: str | os.PathLike[str]) -> list[str]:
    """A warning if a TIFF file has several pages, since only the first page is used.

    Returns:
      A list of one sentence; an empty list for any other file.
    """
    try:
        with Image.open(path, formats=["TIFF"]) as image:
            number = getattr(image, "n_frames", 1)
    except Exception:  # As above.
        return []
    why = f"only the first of its {number} pages is used. Save each page as a file of its own"
    return [why] if number > 1 else []


class _UnsupportedPixelsError(Exception):
    """The image can be decoded, but its pixels are of a kind that is not supported."""


def _decode(data: bytes, max_pixels: int, side: int | None = None) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=_FORMATS)
    if image.width * image.height > max_pixels:
        raise Image.DecompressionBombError
    # For a PNG file this checks all checksums and the end mark. Decoding does not check them. It closes the image.
    image.verify()
    image = Image.open(io.BytesIO(data), formats=_FORMATS)
    if side and image.width * image.height > MAX_PIXELS:
        image.draft("L", (side, side))  # JPEG files can be decoded at down to 1/8 of their size.
    image.load()
    return image


def _reduced(image: Image.Image, side: int) -> Image.Image:
    """Shrinks an image by means over squares. The longer side is then at least `side`, and less than twice that."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
    elif image.mode in ("1", "P"):
        image = image.convert("L")
    elif image.mode.startswith("I;16"):
        image = image.convert("I")
    return image.reduce(max(image.size) // side)


def _why_unidentified(data: bytes) -> str:
    if not data:
        return "is empty"
    brand = data[8:12] if data[4:8] == b"ftyp" else b""
    if brand in _AVIF_BRANDS and "AVIF" not in _FORMATS:
        return "is an AVIF image, which the installed version of Pillow cannot read. Run pip install 'pillow>=11.3', or save the image as PNG"
    if brand in _HEIC_BRANDS and "HEIF" not in _FORMATS:
        return "is a HEIC image, which needs the package pillow-heif. Run pip install pillow-heif, or save the image as JPEG or PNG"
    if brand in _AVIF_BRANDS + _HEIC_BRANDS:
        return "is incomplete or damaged. Take another copy of it"
    return "is incomplete. Take another copy of it" if data.startswith(_SIGNATURES) else "is not an image"


def _is_gray_png(image: Image.Image, data: bytes) -> bool:
    return (
        image.format == "PNG"
        and image.mode == "L"
        and data[_PNG_BIT_DEPTH] == 8
        and not image.has_transparency_data
        and image.getexif().get(_ORIENTATION, 1) == 1
    )


def _to_gray(image: Image.Image) -> Image.Image:
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _scale_to_8_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if image.mode in ("F", "LAB"):
        raise _UnsupportedPixelsError(
            f"of a kind that is not supported ({image.mode}). Save it as gray or RGB"
        )
    return image.convert("L")


def _scale_to_8_bits(image: Image.Image) -> Image.Image:
    """Scales pixels of 16 bits to 8 bits. Image.convert would clip them at 255 instead."""
    pixels = np.asarray(image).astype(np.int64)
    if pixels.min() < 0 or pixels.max() > 65535:
        raise _UnsupportedPixelsError("of more than 16 bits. Save it with 8 or 16 bits")
    return Image.fromarray(((pixels + 128) // 257).astype(np.uint8))
