"""Pages of PDF and TIFF files, which may hold several. Does not use TensorFlow.

`letter.pdf#3` and `scans.tif#3` name the third page of a file, everywhere where a program takes an image of a page.
"""

import io
import pathlib
import re
from typing import Any, Final

from PIL import Image

from iam_writer.common.errors import BadImageError

PDF_DPI: Final = 300
"""Pages of a PDF are drawn at this resolution."""

SEVERAL: Final = (".pdf", ".tif", ".tiff")
"""Suffixes of files that may hold several pages."""

MAX_PIXELS: Final = 150_000_000
"""The most pixels of a page of a PDF. A0 at 300 dpi has 139 million."""

_NUMBERED = re.compile(r"(?P<file>.+)#(?P<page>[1-9][0-9]*)")


def pages_of(file: str) -> list[str]:
    """The pages of a file: `file` itself if it has one page only, or if it cannot be read."""
    if pathlib.Path(file).suffix.lower() not in SEVERAL or not pathlib.Path(file).is_file():
        return [file]
    try:
        number = _count(pathlib.Path(file))
    except Exception:  # Whoever reads the page says what is wrong.
        return [file]
    return [file] if number < 2 else [f"{file}#{page}" for page in range(1, number + 1)]


def split(name: str) -> tuple[str, int | None]:
    """'letter.pdf#3' → ('letter.pdf', 3). A file whose name ends like that is a file: None."""
    match = _NUMBERED.fullmatch(name)
    if match is None or pathlib.Path(name).exists():
        return name, None
    return match["file"], int(match["page"])


def content(name: str) -> bytes:
    """The content of an image file of a page. A page of a PDF or TIFF file becomes a PNG file.

    Raises:
      BadImageError: the file cannot be read, or it has no such page. The message names the file and says what to do.
    """
    file, page = split(name)
    try:
        data = pathlib.Path(file).read_bytes()
    except OSError as error:
        raise BadImageError(f"{file} cannot be read: {error.strerror}.") from error
    if data.startswith(b"%PDF"):
        return _png(_pdf_page(data, file, page))
    if page is None:
        return data
    try:
        with Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
            if page > getattr(image, "n_frames", 1):
                raise BadImageError(f"{file} has no page {page}. It has {getattr(image, 'n_frames', 1)}.")
            image.seek(page - 1)
            image.load()
            return _png(image.copy(), image.info.get("dpi"))
    except BadImageError:
        raise
    except Exception as error:  # The parsers of Pillow raise many kinds of errors.
        raise BadImageError(f"Page {page} of {file} cannot be read: {error}.") from error


def _pdf_page(data: bytes, file: str, page: int | None) -> Image.Image:
    document = _pdf(data, file)
    try:
        number = len(document)
        if page is None and number > 1:
            raise BadImageError(f"{file} has {number} pages. Name one of them: {file}#1.")
        if not 1 <= (page or 1) <= number:
            raise BadImageError(f"{file} has no page {page}. It has {number}.")
        width, height = document[(page or 1) - 1].get_size()
        if width * height * (PDF_DPI / 72) ** 2 > MAX_PIXELS:
            raise BadImageError(f"Page {page or 1} of {file} is larger than {MAX_PIXELS:,} pixels.")
        return document[(page or 1) - 1].render(scale=PDF_DPI / 72, grayscale=True).to_pil()
    except BadImageError:
        raise
    except Exception as error:  # pypdfium2 raises its own errors for damaged pages.
        raise BadImageError(f"Page {page or 1} of {file} cannot be read: {error}.") from error
    finally:
        document.close()


def _pdf(data: bytes, file: str) -> Any:
    try:
        import pypdfium2
    except ImportError:
        raise BadImageError(
            f"{file} is a PDF file. Install what reads PDF files, pip install 'iam_writer[pdf]', or save its pages as images, for "
            "instance with pdftoppm -png -r 300."
        ) from None
    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise BadImageError(
            f"{file} is a PDF file that cannot be read: {error}. Save its pages as images, for instance with pdftoppm -png -r 300."
        ) from error


def _count(path: pathlib.Path) -> int:
    if path.suffix.lower() == ".pdf":
        document = _pdf(path.read_bytes(), str(path))
        try:
            return len(document)
        finally:
            document.close()
    with Image.open(path, formats=["TIFF"]) as image:
        return int(getattr(image, "n_frames", 1))


def _png(image: Image.Image, dpi: Any = (PDF_DPI, PDF_DPI)) -> bytes:
    out = io.BytesIO()
    image.save(out, format="PNG", **({"dpi": dpi} if dpi else {}))
    return out.getvalue()
