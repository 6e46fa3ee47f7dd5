r"""Pages with known text lines, glued from IAM's sentence images; and how many of their lines `pages` finds.

  python tests/glued_pages.py ~/iam [every]

A line counts as found if a line that `pages` gives covers the same rows: the intersection of the two vertical extents is
at least half of their union, on the page as `pages` turned it, and each given line is counted for one true line only.
"""

import collections
import pathlib
import sys

import cv2
import numpy as np
from PIL import Image

from iam_writer import iam_database, pages

MARGIN = 150

CONDITIONS = {
    "clean": {},
    "ruled": {"ruled": True},
    "shadow": {"shadow": True},
    "noise": {"noise": 15},
    "skew 3": {"skew": 3},
    "skew -3": {"skew": -3},
    "all": {"ruled": True, "shadow": True, "noise": 15, "skew": 3},
}


def forms(folder: pathlib.Path) -> dict[str, list[iam_database.Piece]]:
    """The forms of which all pieces are there."""
    boxes = {}
    for row in (folder / "ascii/sentences.txt").read_text().split("\n"):
        if row and not row.startswith("#"):
            fields = row.split()
            boxes[fields[0]] = tuple(map(int, fields[5:9]))
    pieces = iam_database.read_pieces(folder / "ascii/sentences.txt", "sentences")
    rows = iam_database.physical_rows(pieces.values())
    by_form = collections.defaultdict(list)
    for id, piece in pieces.items():
        by_form[piece.form].append(
            (folder / f"sentences/{piece.form[:3]}/{piece.form}/{id}.png", rows[id], boxes[id])
        )
    return {form: items for form, items in by_form.items() if all(path.exists() for path, _, _ in items)}


def glue(items) -> tuple[np.ndarray, np.ndarray]:
    """uint8 page, and uint8 of the same shape: the number of the text line of each pixel of ink, from 1."""
    right = max(x + w for _, _, (x, _, w, _) in items)
    left = min(x for _, _, (x, _, _, _) in items)
    top = min(y for _, _, (_, y, _, _) in items)
    bottom = max(y + h for _, _, (_, y, _, h) in items)
    page = np.full((bottom - top + 2 * MARGIN, right - left + 2 * MARGIN), 255, np.uint8)
    line = np.zeros_like(page)
    numbers = {}
    for path, row, (x, y, _, _) in items:
        number = numbers.setdefault(row, len(numbers) + 1)
        pixels = np.asarray(Image.open(path).convert("L"))
        y0, x0 = y - top + MARGIN, x - left + MARGIN
        pixels = pixels[: page.shape[0] - y0, : page.shape[1] - x0]
        place = np.s_[y0 : y0 + pixels.shape[0], x0 : x0 + pixels.shape[1]]
        page[place] = np.minimum(page[place], pixels)
        line[place][pixels < 128] = number
    return page, line


def worsen(page, line, ruled=False, shadow=False, noise=0, skew=0, seed=0):
    """Makes a clean page look like a bad scan; the numbers of lines turn with it."""
    page = page.astype(np.float32)
    height, width = page.shape
    if ruled:
        for y in range(60, height, 95):
            page[y : y + 3] = np.minimum(page[y : y + 3], 110)
    if skew:
        matrix = pages.turning(page.shape, skew)
        page = cv2.warpAffine(page, matrix, (width, height), borderValue=255)
        line = cv2.warpAffine(line, matrix, (width, height), flags=cv2.INTER_NEAREST)
    if shadow:
        page = (
            page * np.linspace(0.5, 1, width, dtype=np.float32)[None] * np.linspace(1, 0.8, height)[:, None]
        )
    if noise:
        # An ink that is never quite black, and paper never quite white.
        page = 30 + page * 0.8 + np.random.default_rng(seed).normal(0, noise, page.shape)
    return np.clip(page, 0, 255).astype(np.uint8), line


def found(page: pages.Page, line: np.ndarray) -> tuple[int, int]:
    """How many of the true lines are found, and how many lines are given."""
    matrix = pages.turning(page.gray.shape, page.angle)
    line = cv2.resize(line, page.gray.shape[::-1], interpolation=cv2.INTER_NEAREST)
    line = cv2.warpAffine(line, matrix, line.shape[::-1], flags=cv2.INTER_NEAREST)
    extents = []
    for number in range(1, line.max() + 1):
        rows = np.nonzero((line == number).any(axis=1))[0]
        if len(rows):
            extents.append((rows[0], rows[-1] + 1))
    free = [(box[1], box[1] + box[3]) for box in (found.box for found in page.lines)]
    hits = 0
    for top, bottom in extents:
        scores = [(min(bottom, b) - max(top, t)) / (max(bottom, b) - min(top, t)) for t, b in free]
        if scores and max(scores) >= 0.5:
            hits += 1
            free.pop(int(np.argmax(scores)))
    return hits, len(page.lines)


def main() -> None:
    folder, every = pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    chosen = list(forms(folder).items())[::every]
    for name, condition in CONDITIONS.items():
        hits = given = true = 0
        worst = []
        for form, items in chosen:
            page, line = worsen(*glue(items), **condition)
            found_page = pages.find_lines(page)
            hit, number = found(found_page, line)
            count = len(np.unique(line)) - 1
            hits, given, true = hits + hit, given + number, true + count
            worst.append((hit - count, number - count, form))
        worst = [w for w in sorted(worst) if w[0] < 0 or w[1]]
        print(
            f"{name:8} {len(chosen)} pages: {hits}/{true} = {hits / true:.2%} found, {given} given",
            worst[:6],
            flush=True,
        )


if __name__ == "__main__":
    main()
