"""Any image file becomes 8-bit gray, or a BadImageError that says why not. No TensorFlow.

What comes out of `gray_png` was decoded once to its last pixel, so nothing after it needs to expect a bad
image.
"""

import contextlib
import importlib
import importlib.util
import io
import os
import pathlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError, features

from iam_writer.common import errors

MAX_PIXELS = 89_478_485
"""More pixels of a line are taken for a decompression bomb: the number at which Pillow itself begins to warn."""

MAX_PAGE_PIXELS = 150_000_000
"""The same of a page: A0 at 300 dpi has 139 million. Pillow takes up to 8 bytes for each."""

# Named, because Pillow's other formats include EPS, which it hands to a Ghostscript program.
_FORMATS = ["PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000"]
if "avif" in features.modules and features.check("avif"):  # Pillow 11.3 brought it.
    _FORMATS.append("AVIF")
if importlib.util.find_spec("pillow_heif"):  # Of the extra `heic`.
    importlib.import_module("pillow_heif").register_heif_opener()
    _FORMATS.append("HEIF")

SUFFIXES = tuple(
    ".png .jpg .jpeg .tif .tiff .bmp .gif .webp .ppm .pgm .pbm .pnm .jp2 .j2k .avif .heic .heif".split()
)
"""What the names of images end with, for every reader of a folder. What an image is, its first bytes tell."""

_AVIF_BRANDS = (b"avif", b"avis")
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*")
_ORIENTATION = 0x0112
_PNG_BIT_DEPTH = 24  # where a PNG file holds it: Pillow also opens 2- and 4-bit gray as mode L


def gray_png(data: bytes, name: str) -> bytes:
    """The image as an 8-bit gray PNG file, upright, on white where it is transparent.

    An 8-bit gray PNG file is checked and returned unchanged. Of several pages the first is taken; 16 bits
    are scaled down to 8.

    Args:
      data: an image file's content: PNG, JPEG, TIFF, BMP, GIF, WebP, PPM or JPEG 2000; AVIF and HEIC
        where Pillow or pillow-heif can read them.
      name: what to call the image in an error.

    Raises:
      BadImageError: the file is empty, truncated, no image, larger than MAX_PIXELS, or of floats.
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
    """`gray_png` of a file, which errors call by its path.

    Raises:
      BadImageError: as `gray_png`, or the file cannot be read.
    """
    return gray_png(_content(path), str(path))


def read_page(path: str | os.PathLike[str], side: int) -> np.ndarray:
    """The pixels of a scan as `gray_png` has them. One of more than MAX_PIXELS is scaled down, but not below `side`.

    Returns:
      uint8 `[height, width]`.

    Raises:
      BadImageError: as `read_gray_png`; it may have up to MAX_PAGE_PIXELS.
    """
    data = _content(path)
    with _told(data, str(path), MAX_PAGE_PIXELS):
        image = _decode(data, MAX_PAGE_PIXELS, side)
        ImageOps.exif_transpose(image, in_place=True)
        if image.width * image.height > MAX_PIXELS:
            image = _reduced(image, side)
        return np.asarray(_to_gray(image))


def _content(path: str | os.PathLike[str]) -> bytes:
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        raise errors.BadImageError(f"{path} cannot be read: {error.strerror}") from error


@contextlib.contextmanager
def _told(data: bytes, name: str, max_pixels: int) -> Iterator[None]:
    """Says what is wrong with an image that cannot be used."""
    try:
        yield
        return
    except Image.DecompressionBombError:
        why = f"is larger than {max_pixels:,} pixels"
    except UnidentifiedImageError:
        why = _why_unidentified(data)
    except _UnsupportedPixelsError as error:
        why = f"has pixels {error}"
    except Exception as error:  # Pillow lets through whatever its parsers stumble over, even KeyError
        why = f"is truncated or damaged: {error}"
    raise errors.BadImageError(f"{name} {why}")


def size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Width and height of an image file, told by its head alone; 0 and 0 if that cannot be read."""
    try:
        with Image.open(path, formats=_FORMATS) as image:
            return image.size
    except Exception:  # As above. Whoever reads the image is told why.
        return 0, 0


def several_pages(path: str | os.PathLike[str]) -> list[str]:
    """A sentence on what is left out of a TIFF file of several pages, of which the first is taken; none of others."""
    try:
        with Image.open(path, formats=["TIFF"]) as image:
            number = getattr(image, "n_frames", 1)
    except Exception:  # As above.
        return []
    why = f"only the first of its {number} pages is looked at: save each as a file of its own"
    return [why] if number > 1 else []


class _UnsupportedPixelsError(Exception):
    """The image can be decoded, but is not one of gray or colour."""


def _decode(data: bytes, max_pixels: int, side: int | None = None) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=_FORMATS)
    if image.width * image.height > max_pixels:
        raise Image.DecompressionBombError
    # Of a PNG this checks all checksums and the end mark, which decoding does not. It closes the image.
    image.verify()
    image = Image.open(io.BytesIO(data), formats=_FORMATS)
    if side and image.width * image.height > MAX_PIXELS:
        image.draft("L", (side, side))  # A JPEG file can be decoded at an eighth of its size.
    image.load()
    return image


def _reduced(image: Image.Image, side: int) -> Image.Image:
    """Means over squares, so that the longer side is at least `side`, and less than twice that."""
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
        return "is an AVIF image, which the installed Pillow cannot read: pip install 'pillow>=11.3', or save the image as PNG"
    if brand in _HEIC_BRANDS and "HEIF" not in _FORMATS:
        return "is a HEIC image, which needs pillow-heif: pip install pillow-heif, or save the image as JPEG or PNG"
    if brand in _AVIF_BRANDS + _HEIC_BRANDS:
        return "is truncated or damaged"
    return "is truncated" if data.startswith(_SIGNATURES) else "is not an image"


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
        raise _UnsupportedPixelsError(f"of an unsupported kind ({image.mode})")
    return image.convert("L")


def _scale_to_8_bits(image: Image.Image) -> Image.Image:
    """Image.convert would clip at 255."""
    pixels = np.asarray(image).astype(np.int64)
    if pixels.min() < 0 or pixels.max() > 65535:
        raise _UnsupportedPixelsError("of more than 16 bits")
    return Image.fromarray(((pixels + 128) // 257).astype(np.uint8))
