r"""Pages glued from IAM's sentence images at their own places; and how many of their lines `pages` finds.

python tests/iam_pages.py ~/iam [every]
"""

import pathlib
import sys

import numpy as np

from iam_writer.handwriting import pages
from iam_writer.studies.glued_pages import found, worsen
from iam_writer.studies.iam_pages import forms, glue

CONDITIONS = {
    "clean": {},
    "ruled": {"ruled": True},
    "shadow": {"shadow": True},
    "noise": {"noise": 15},
    "skew 3": {"skew": 3},
    "skew -3": {"skew": -3},
    "all": {"ruled": True, "shadow": True, "noise": 15, "skew": 3},
}


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
