"""Pages as people scan and photograph them: on a plate, on a desk, in a book, turned, negative, coarse. No TensorFlow.

Each condition changes a page and, in the same way, the numbers of its lines.
"""

import io
from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Numbered = tuple[np.ndarray, np.ndarray]
"""A page, uint8 `[height, width]`, and for each pixel of ink the number of its text line, see `glued_pages.glue`."""

DPI: Final = 300
"""Resolution of the pages that are changed."""

_PLATE, _PLATE_GRAY = 250, 12
_PAPER = 238
"""Paper is a little darker than white, so that the noise of the sensor can be seen on it."""


def as_is(page: np.ndarray, numbers: np.ndarray, random: np.random.Generator) -> Numbered:
    return page, numbers


def on_paper(page: np.ndarray) -> np.ndarray:
    """Ink and paper as a camera sees them: not quite black, not quite white."""
    return (40 + page.astype(np.float32) * ((_PAPER - 40) / 255)).astype(np.uint8)


def black_plate(page: np.ndarray, numbers: np.ndarray, random: np.random.Generator) -> Numbered:
    """The sheet lies on the black plate of a scanner, turned a little."""
    angle = random.uniform(-2, 2)
    height, width = page.shape[0] + 2 * _PLATE, page.shape[1] + 2 * _PLATE
    matrix = cv2.getRotationMatrix2D((page.shape[1] / 2, page.shape[0] / 2), angle, 1.0)
    matrix[:, 2] += _PLATE
    return _laid(
        page,
        numbers,
        np.vstack([matrix, [0, 0, 1]]),
        np.full((height, width), _PLATE_GRAY, np.float32),
        random,
        2,
    )


def desk(page: np.ndarray, numbers: np.ndarray, random: np.random.Generator) -> Numbered:
    """A photograph of the sheet on a wooden desk, not taken from straight above, and lit from one side."""
    height, width = page.shape
    size = height + 500, width + 500
    waves = 15 * np.sin(np.arange(size[1]) / random.uniform(12, 25))[None]
    wood = np.broadcast_to(random.uniform(70, 130) + waves, size).astype(np.float32)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + 250 + random.uniform(-0.045, 0.045, (4, 2)) * max(page.shape)
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    picture, numbers = _laid(page, numbers, matrix, wood, random, 6)
    light = np.linspace(1, random.uniform(0.65, 0.9), picture.shape[1], dtype=np.float32)
    return (picture * light[None]).astype(np.uint8), numbers


def spread(page: np.ndarray, numbers: np.ndarray, random: np.random.Generator) -> Numbered:
    """An open book on a dark plate. The lines of the page are divided between its left and its right page.

    The lines of the right page lie a little lower. Between the pages the paper bends down into a shadow.
    """
    tops = [np.flatnonzero((numbers == number).any(axis=1)) for number in range(1, numbers.max() + 1)]
    half = (len(tops) + 1) // 2
    cut = int((tops[half - 1][-1] + tops[half][0]) // 2) if half < len(tops) else page.shape[0]
    height = max(cut, page.shape[0] - cut) + 260
    both, labels = (np.full((height, 2 * page.shape[1]), fill, page.dtype) for fill in (255, 0))
    labels = labels.astype(numbers.dtype)
    for x, rows, y in (
        (0, slice(0, cut), 60),
        (page.shape[1], slice(cut, None), 60 + int(random.integers(20, 70))),
    ):
        part, of_part = page[rows], numbers[rows]
        place = np.s_[y : y + len(part), x : x + page.shape[1]]
        # Ink of a line beyond the cut stays on its own page.
        own = of_part > 0
        wrong = own & ((of_part > half) == (x == 0))
        both[place], labels[place] = np.where(wrong, 255, part), np.where(wrong, 0, of_part)
    columns = np.abs(np.arange(both.shape[1]) - page.shape[1])
    shade = 1 - 0.6 * np.exp(-columns / 25)
    plate = np.full((height + 2 * _PLATE, both.shape[1] + 2 * _PLATE), _PLATE_GRAY, np.float32)
    matrix = np.array([[1, 0, _PLATE], [0, 1, _PLATE], [0, 0, 1]], np.float64)
    return _laid(both, labels, matrix, plate, random, 2, shade)


def ruler(page: np.ndarray, numbers: np.ndarray, random: np.random.Generator) -> Numbered:
    """A scan under a white lid, with a ruler and a colour chart beside the sheet."""
    body, chart = 170, 150
    height, width = page.shape[0] + body + chart + 80, page.shape[1]
    picture, labels = np.full((height, width), 255, np.uint8), np.zeros((height, width), numbers.dtype)
    picture[: page.shape[0]], labels[: page.shape[0]] = page, numbers
    top = page.shape[0] + 20
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    draw.rectangle((60, top, width - 60, top + body), fill=214)
    step = DPI / 25.4
    for number in range(int((width - 180) / step)):
        x = 90 + number * step
        long = 60 if number % 10 == 0 else 45 if number % 5 == 0 else 30
        draw.line((x, top, x, top + long), fill=30, width=2)
        if number % 10 == 0:
            draw.text((x - 8, top + 70), str(number // 10), fill=30, font=ImageFont.load_default(36))
    for number, gray in enumerate(np.linspace(20, 235, 10)):
        draw.rectangle(
            (80 + 130 * number, top + body + 30, 200 + 130 * number, top + body + chart), fill=int(gray)
        )
    return _noisy(np.asarray(image), random, 2), labels


def negative(page: np.ndarray, numbers: np.ndarray, random: np.random.Generator) -> Numbered:
    """White on black."""
    return 255 - page, numbers


def turned(times: int) -> Callable[[np.ndarray, np.ndarray, np.random.Generator], Numbered]:
    """Turned by 90 degrees counter-clockwise some times."""

    def change(page: np.ndarray, numbers: np.ndarray, random: np.random.Generator) -> Numbered:
        return np.ascontiguousarray(np.rot90(page, times)), np.ascontiguousarray(np.rot90(numbers, times))

    return change


def at(dpi: int) -> Callable[[np.ndarray, np.ndarray, np.random.Generator], Numbered]:
    """As scanned at another resolution."""

    def change(page: np.ndarray, numbers: np.ndarray, random: np.random.Generator) -> Numbered:
        size = round(page.shape[1] * dpi / DPI), round(page.shape[0] * dpi / DPI)
        coarse = cv2.resize(page, size, interpolation=cv2.INTER_AREA)
        labels = cv2.resize(numbers, size, interpolation=cv2.INTER_NEAREST)
        return coarse, np.where(coarse < 128, labels, 0).astype(numbers.dtype)

    return change


def jpeg(page: np.ndarray, numbers: np.ndarray, random: np.random.Generator) -> Numbered:
    """JPEG at quality 20."""
    file = io.BytesIO()
    Image.fromarray(page).save(file, "JPEG", quality=20)
    return np.asarray(Image.open(file)), numbers


def form(page: np.ndarray, numbers: np.ndarray, random: np.random.Generator) -> Numbered:
    """On a form: a printed heading and a printed paragraph above, "Name:" and a signature of loops below."""
    above, below = 330, 260
    picture = np.full((page.shape[0] + above + below, max(page.shape[1], 1700)), 255, np.uint8)
    labels = np.zeros(picture.shape, numbers.dtype)
    picture[above : above + page.shape[0], : page.shape[1]] = page
    labels[above : above + page.shape[0], : page.shape[1]] = numbers
    image = Image.fromarray(picture)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(36)
    right, last = picture.shape[1] - 140, picture.shape[0] - below + 30
    draw.text((180, 60), "Sentence Database", font=font, fill=40)
    draw.text((right - 220, 60), "A01-007", font=font, fill=40)
    for row in (130, 310, last):
        draw.line((140, row, right, row), fill=40, width=3)
    for number, text in enumerate(_PRINTED):
        draw.text((180, 150 + 48 * number), text, font=font, fill=40)
    draw.text((180, last + 40), "Name:", font=font, fill=40)
    x = np.arange(0, 500, 4)
    loops = np.stack([450 + x + 25 * np.sin(x / 17), last + 70 + 30 * np.sin(x / 13)], axis=1)
    signed = Image.new("L", image.size, 255)
    ImageDraw.Draw(signed).line([tuple(point) for point in loops.tolist()], fill=30, width=4)
    signature = np.asarray(signed)
    # The signature is a line of handwriting, too.
    labels[signature < 128] = numbers.max() + 1
    return np.minimum(np.asarray(image), signature), labels


_PRINTED = (
    "It was said that little light came over the hills and that many people",
    "went home before the end of the day. The council will meet again when",
    "the roads have been cleared and the bridge has been made safe again.",
)

CONDITIONS: Final[dict[str, Callable[[np.ndarray, np.ndarray, np.random.Generator], Numbered]]] = {
    "as is": as_is,
    "black plate": black_plate,
    "desk": desk,
    "two-page spread": spread,
    "ruler": ruler,
    "negative": negative,
    "turned by 90": turned(1),
    "turned by 180": turned(2),
    "turned by 270": turned(3),
    "200 dpi": at(200),
    "150 dpi": at(150),
    "100 dpi": at(100),
    "JPEG quality 20": jpeg,
    "form": form,
}


def _laid(
    page: np.ndarray,
    numbers: np.ndarray,
    matrix: np.ndarray,
    surround: np.ndarray,
    random: np.random.Generator,
    noise: float,
    shade: np.ndarray | float = 1.0,
) -> Numbered:
    """Lays a page on a surround, float `[height, width]`, where the matrix `[3, 3]` moves it."""
    size = surround.shape[::-1]
    paper = on_paper(page) * shade
    covered = cv2.warpPerspective(np.ones_like(page), matrix, size) == 1
    laid = cv2.warpPerspective(
        paper.astype(np.uint8), matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    labels = cv2.warpPerspective(numbers, matrix, size, flags=cv2.INTER_NEAREST)
    return _noisy(np.where(covered, laid, surround), random, noise), labels


def _noisy(picture: np.ndarray, random: np.random.Generator, noise: float) -> np.ndarray:
    grain = random.standard_normal(picture.shape, dtype=np.float32) * noise
    return np.clip(picture + grain, 0, 255).astype(np.uint8)
