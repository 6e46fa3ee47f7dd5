"""The images that the benchmark measures on, made by code."""

import io
import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from pipelines.benchmarking.peers import Corpus


def make_images(images: int, mean_width: int, height: int, min_width: int) -> list[bytes]:
    """PNG files of gray lines that look a little like handwriting. Their widths are from half to twice the mean."""
    random = np.random.default_rng(0)
    files = []
    # The mean of 2^U(-1,1) is 1.0820.
    for width in (mean_width * 2.0 ** random.uniform(-1, 1, images) / 1.0820).astype(int):
        picture = Image.new("L", (max(min_width, width), height), 255)
        pen = ImageDraw.Draw(picture)
        for x in range(0, width, 30):
            points = [
                (x + dx, y)
                for dx, y in zip(
                    random.normal(15, 12, 6), random.uniform(height / 6, height * 5 / 6, 6), strict=True
                )
            ]
            pen.line(points, fill=int(random.integers(0, 120)), width=3, joint="curve")
        file = io.BytesIO()
        picture.save(file, "PNG")
        files.append(file.getvalue())
    return files


def lay_corpus(files: Sequence[bytes], folder: pathlib.Path, height: int, width: int, total: int) -> Corpus:
    """Lays `total` images into strips. The files are repeated. Fifty writers have equal shares of the images."""
    from pipelines.strips import Example, open_or_build

    labels = np.arange(total, dtype=np.int32) * 50 // total
    strips = open_or_build(
        folder / f"strips-{height}x{width}-{total}",
        lambda: (Example(files[k % len(files)], int(label)) for k, label in enumerate(labels)),
        height=height,
        min_width=width,
        source=f"{total} images, {len(files)} different ones of {sum(map(len, files))} bytes",
        total=total,
    )
    return Corpus(files, labels, strips, folder, height, width)
