"""Any image file becomes an 8-bit gray PNG, or a BadImageError that says why not. No TensorFlow.

What comes out of `gray_png` was decoded once to its last pixel, so nothing after it needs to expect a bad
image.
"""

import io
import os
import pathlib

import numpy as np
from PIL import Image, ImageOps

from iam_writer import errors

MAX_PIXELS = 89_478_485
"""More pixels are taken for a decompression bomb: the number at which Pillow itself begins to warn."""

# Named, because Pillow's other formats include EPS, which it hands to a Ghostscript program.
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000")
_SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*")
_ORIENTATION = 0x0112
_PNG_BIT_DEPTH = 24  # where a PNG file holds it: Pillow also opens 2- and 4-bit gray as mode L


def gray_png(data: bytes, name: str) -> bytes:
    """The image as an 8-bit gray PNG file, upright, on white where it is transparent.

    An 8-bit gray PNG file is checked and returned unchanged. Of several pages the first is taken; 16 bits
    are scaled down to 8.

    Args:
      data: an image file's content: PNG, JPEG, TIFF, BMP, GIF, WebP, PPM or JPEG 2000.
      name: what to call the image in an error.

    Raises:
      BadImageError: the file is empty, truncated, no image, larger than MAX_PIXELS, or of floats.
    """
    try:
        return _gray_png(data)
    except Image.DecompressionBombError:
        why = f"is larger than {MAX_PIXELS:,} pixels"
    except Image.UnidentifiedImageError:
        why = _why_unidentified(data)
    except _UnsupportedPixelsError as error:
        why = f"has pixels {error}"
    except Exception as error:  # Pillow lets through whatever its parsers stumble over, even KeyError
        why = f"is truncated or damaged: {error}"
    raise errors.BadImageError(f"{name} {why}")


def read_gray_png(path: str | os.PathLike) -> bytes:
    """`gray_png` of a file, which errors call by its path.

    Raises:
      BadImageError: as `gray_png`, or the file cannot be read.
    """
    try:
        data = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise errors.BadImageError(f"{path} cannot be read: {error.strerror}") from error
    return gray_png(data, str(path))


def size(path: str | os.PathLike) -> tuple[int, int]:
    """Width and height of an image file, told by its head alone; 0 and 0 if that cannot be read."""
    try:
        with Image.open(path, formats=_FORMATS) as image:
            return image.size
    except Exception:  # As above. Whoever reads the image is told why.
        return 0, 0


class _UnsupportedPixelsError(Exception):
    """The image can be decoded, but is not one of gray or colour."""


def _gray_png(data: bytes) -> bytes:
    image = _decode(data)
    if _is_gray_png(image, data):
        return data
    out = io.BytesIO()
    _to_gray(ImageOps.exif_transpose(image)).save(out, format="PNG")
    return out.getvalue()


def _decode(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=_FORMATS)
    if image.width * image.height > MAX_PIXELS:
        raise Image.DecompressionBombError
    # Of a PNG this checks all checksums and the end mark, which decoding does not. It closes the image.
    image.verify()
    image = Image.open(io.BytesIO(data), formats=_FORMATS)
    image.load()
    return image


def _why_unidentified(data: bytes) -> str:
    if not data:
        return "is empty"
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
