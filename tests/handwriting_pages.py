"""Pages made by code: lines that look like handwriting, print, forms, and a photograph."""

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


def drawn_page(lines: int = 8, seed: int = 0, paper: int = 235, ink: int = 45) -> np.ndarray:
    """uint8 `[2300, 1700]`: words in OpenCV's script letters that wave a little, all lines beginning on the left."""
    random = np.random.default_rng(seed)
    height, width = 2300, 1700
    page = np.full((height, width), paper, np.uint8)
    words = "the moon over hills gave little light and many people went home early today".split()
    above, strip = 150, 250
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(strip, dtype=np.float32))
    for i in range(lines):
        line, top = np.zeros((strip, width), np.uint8), 300 + 200 * i - above
        text, font = " ".join(random.choice(words, 6)), cv2.FONT_HERSHEY_SCRIPT_COMPLEX
        cv2.putText(line, text, (150, above), font, 2.0, 255, 5, cv2.LINE_AA)
        right, down = 6 * np.sin((y + top) / 37 + seed), 5 * np.sin(x / 53 + i + seed)
        line = cv2.remap(line, x + right, y + down, cv2.INTER_LINEAR)[: height - top]
        place = page[top : top + len(line)]
        np.minimum(place, (paper - line / 255 * (paper - ink)).astype(np.uint8), out=place)
    return page


def hanging_page(seed: int = 0) -> np.ndarray:
    """uint8 `[1800, 1700]`: round letters that hang from a line, with marks below, as in Kannada and Telugu."""
    random = np.random.default_rng(seed)
    page = np.full((1800, 1700), 240, np.uint8)
    for y in range(200, 1600, 170):
        x = 120
        while x < 1450:
            for _ in range(int(random.integers(3, 7))):
                middle = int(x + 20), int(y + random.normal(0, 2))
                size = int(random.uniform(13, 18)), int(random.uniform(16, 20))
                angles = random.uniform(-15, 15), random.uniform(0, 60), random.uniform(280, 360)
                cv2.ellipse(page, middle, size, *angles, 45, 4, cv2.LINE_AA)
                end = int(x + 34), int(y - 24 + random.normal(0, 2))
                cv2.line(page, (int(x + 8), y - 22), end, 45, 4, cv2.LINE_AA)
                if random.random() < 0.3:
                    mark = int(x + 24), int(y + 38 + random.normal(0, 3))
                    cv2.ellipse(page, mark, (8, 11), 0, 40, 330, 45, 4, cv2.LINE_AA)
                x += 44
            x += 40
    return page


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
