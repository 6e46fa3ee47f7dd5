r"""Pages glued from IAM's sentence images at their own places; and how many of their lines `pages` finds.

python tests/iam_pages.py ~/iam [every]
"""

import collections
import pathlib
import sys

import numpy as np
from PIL import Image

from iam_writer.handwriting import iam_index, pages
from iam_writer.studies.glued_pages import MARGIN, found, worsen

CONDITIONS = {
    "clean": {},
    "ruled": {"ruled": True},
    "shadow": {"shadow": True},
    "noise": {"noise": 15},
    "skew 3": {"skew": 3},
    "skew -3": {"skew": -3},
    "all": {"ruled": True, "shadow": True, "noise": 15, "skew": 3},
}


def forms(folder: pathlib.Path) -> dict[str, list[iam_index.Piece]]:
    """The forms whose pieces are all in the folder."""
    boxes = {}
    for row in (folder / "ascii/sentences.txt").read_text().split("\n"):
        if row and not row.startswith("#"):
            fields = row.split()
            boxes[fields[0]] = tuple(map(int, fields[5:9]))
    pieces = iam_index.read_pieces(folder / "ascii/sentences.txt", "sentences").by_id
    rows = iam_index.physical_rows(pieces.values())
    by_form = collections.defaultdict(list)
    for id, piece in pieces.items():
        by_form[piece.form].append(
            (folder / f"sentences/{piece.form[:3]}/{piece.form}/{id}.png", rows[id], boxes[id])
        )
    return {form: items for form, items in by_form.items() if all(path.exists() for path, _, _ in items)}


def glue(items) -> tuple[np.ndarray, np.ndarray]:
    """Does what `glued_pages.glue` does, but lines overlap as they do on the form."""
    right = max(x + w for _, _, (x, _, w, _) in items)
    left = min(x for _, _, (x, _, _, _) in items)
    top = min(y for _, _, (_, y, _, _) in items)
    bottom = max(y + h for _, _, (_, y, _, h) in items)
    page = np.full((bottom - top + 2 * MARGIN, right - left + 2 * MARGIN), 255, np.uint8)
    line = np.zeros(page.shape, np.uint16)
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


def main() -> None:
    folder, every = pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    chosen = list(forms(folder).items())[::every]
    for name, condition in CONDITIONS.items():
        hits = given = true = 0
        worst = []
        for form, items in chosen:
            page, line = worsen(*glue(items), **condition)
            found_page = pages.find_lines(page)
            hit, number = found(found_page, line), len(found_page.lines)
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
