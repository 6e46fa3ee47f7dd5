"""Pages made by code: lines of loops and tails that look like handwriting, print, and a photograph."""

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont


def written_line(width: int = 900, height: int = 40, seed: int = 0) -> np.ndarray:
    """uint8 `[2.5 * height, width]`: cursive words on white. Ascenders are longer than descenders."""
    random = np.random.default_rng(seed)
    line = np.full((int(2.5 * height), width), 255, np.uint8)
    base, x = int(1.6 * height), 5.0
    while x < width - 2 * height:
        letters = int(random.integers(2, 7))
        points = []
        for _ in range(letters):
            up = random.choice([1.0, 1.0, 1.9]) * height * random.uniform(0.7, 0.85)
            down = random.choice([0.0, 0.0, 0.0, 0.5]) * height
            points += [
                (x, base + down),
                (x + 0.25 * height, base - up),
                (x + 0.4 * height, base - 0.2 * height),
            ]
            x += random.uniform(0.45, 0.7) * height
        smooth = np.array(points) + random.normal(0, height / 25, (len(points), 2))
        cv2.polylines(line, [smooth.round().astype(np.int32)], False, 20, 3, cv2.LINE_AA)
        x += height * 0.7
    return line


def written_page(
    lines: int = 6, pitch: int = 130, width: int = 1200, seed: int = 0
) -> tuple[np.ndarray, list]:
    """A page, uint8 `[height, width]`, and the first and last row of each line's ink."""
    page = np.full((lines * pitch + 200, width), 255, np.uint8)
    extents = []
    for i in range(lines):
        line = written_line(width - 200, seed=seed * 100 + i)
        top = 100 + i * pitch
        part = page[top : top + line.shape[0], 100 : 100 + line.shape[1]]
        np.minimum(part, line, out=part)
        rows = top + np.nonzero((line < 128).any(axis=1))[0]
        extents.append((int(rows[0]), int(rows[-1]) + 1))
    return page, extents


def printed_page() -> np.ndarray:
    """uint8 `[height, width]`: a paragraph in Pillow's own font."""
    image = Image.new("L", (1400, 900), 255)
    draw = ImageDraw.Draw(image)
    for i in range(8):
        text = "The quick brown fox jumps over a lazy dog, and the clocks were striking"
        draw.text((100, 80 + 90 * i), text[i * 3 :], fill=20, font=ImageFont.load_default(40))
    return np.asarray(image)


def cat_photograph() -> np.ndarray:
    """uint8 `[height, width]`: a cat with ears, eyes and whiskers. Its fur is not as even as paper."""
    random = np.random.default_rng(0)
    size = (900, 700)
    picture = cv2.resize(
        random.normal(150, 30, (20, 26)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC
    )
    cv2.ellipse(picture, (450, 480), (260, 200), 0, 0, 360, 100, -1)
    cv2.ellipse(picture, (450, 280), (150, 130), 0, 0, 360, 120, -1)
    for side in (-1, 1):
        ear = np.array([[450 + side * 50, 180], [450 + side * 130, 90], [450 + side * 145, 240]])
        cv2.fillPoly(picture, [ear], 110)
        cv2.circle(picture, (450 + side * 60, 265), 22, 215, -1)
        cv2.circle(picture, (450 + side * 60, 265), 8, 10, -1)
        for k in range(3):
            cv2.line(picture, (450 + side * 30, 330 + 8 * k), (450 + side * 200, 310 + 30 * k), 240, 2)
    fur = cv2.GaussianBlur(random.normal(0, 60, picture.shape).astype(np.float32), (0, 0), 1.5)
    return np.clip(picture + fur, 0, 255).astype(np.uint8)
