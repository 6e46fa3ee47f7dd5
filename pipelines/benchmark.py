r"""How many patches a second the input delivers, against what others deliver from the same images in the same run.

  python -m pipelines.benchmark

makes a corpus of gray lines, lays it into strips, and measures in interleaved rounds: every contender runs once in
each round, so that a noisy machine disturbs all of them alike. What counts is the ratio of the medians.
"""

import dataclasses
import io
import json
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator

import numpy as np
from absl import app, flags
from PIL import Image, ImageDraw

flags.DEFINE_integer("images", 600, "How many images the corpus has.", 1)
flags.DEFINE_integer("mean_width", 1326, "Their mean width in columns.", 1)
flags.DEFINE_integer("patch_height", 113, "Height of the images and of a patch.", 1)
flags.DEFINE_integer("patch_width", 113, "Width of a patch, in columns.", 1)
flags.DEFINE_multi_integer(
    "batch_size", [256, 1024, 4096], "Patches in a batch; repeat the flag for several.", 1
)
flags.DEFINE_integer("parallel_calls", 2, "Threads that make batches.", 1)
flags.DEFINE_integer("rounds", 5, "How often each contender runs.", 1)
flags.DEFINE_float("seconds", 2, "How long it runs each time, at least.", 0)
flags.DEFINE_string("output", None, "Also write the table as JSON to this file.")


@dataclasses.dataclass(frozen=True)
class Contender:
    """A way to make batches.

    Attributes:
      name: as in the table.
      batch_size: patches a batch.
      open: () → iterator of (patches, labels), endless.
    """

    name: str
    batch_size: int
    open: Callable[[], Iterator]


def make_corpus(images: int, mean_width: int, height: int) -> list[bytes]:
    """PNG files of gray lines with something like handwriting on them, of widths from a half to twice the mean."""
    random = np.random.default_rng(0)
    files = []
    for width in (mean_width * 2.0 ** random.uniform(-1, 1, images) / 1.0820).astype(
        int
    ):  # The mean of 2^U(-1,1).
        picture = Image.new("L", (max(1, width), height), 255)
        pen = ImageDraw.Draw(picture)
        for x in range(0, width, 30):
            points = [
                (x + dx, y)
                for dx, y in zip(random.normal(15, 12, 6), random.uniform(20, height - 20, 6), strict=True)
            ]
            pen.line(points, fill=int(random.integers(0, 120)), width=3, joint="curve")
        file = io.BytesIO()
        picture.save(file, "PNG")
        files.append(file.getvalue())
    return files


def contenders(files: list[bytes], folder: pathlib.Path) -> list[Contender]:
    """Everything that is measured; all deliver uint8 patches and int32 labels, in random order."""
    import tensorflow as tf

    from pipelines.patches import patches
    from pipelines.strips import Example, open_or_build

    height, width, calls = flags.FLAGS.patch_height, flags.FLAGS.patch_width, flags.FLAGS.parallel_calls
    labels = np.arange(len(files), dtype=np.int32) * 50 // len(files)  # Fifty writers, in equal shares.
    strips = open_or_build(
        folder / "train",
        lambda: (Example(file, int(label)) for file, label in zip(files, labels, strict=True)),
        height=height,
        min_width=width,
        source=f"{len(files)} images",
        total=len(files),
    )

    def ours(batch_size: int, balance: str) -> Iterator:
        return iter(
            patches(
                strips,
                patch_width=width,
                batch_size=batch_size,
                seed=0,
                balance=balance,
                num_parallel_calls=calls,
            )
        )

    def tutorial(batch_size: int) -> Iterator:
        def decode(file, label):
            return tf.io.decode_png(file, channels=1), label

        def crop(image, label):
            return tf.image.random_crop(image, (height, width, 1)), label

        dataset = tf.data.Dataset.from_tensor_slices((files, labels)).map(decode).cache().repeat()
        dataset = dataset.shuffle(1000).map(crop, num_parallel_calls=tf.data.AUTOTUNE)
        return iter(dataset.batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE))

    found = []
    for size in flags.FLAGS.batch_size:
        found.append(Contender("ours", size, lambda size=size: ours(size, "none")))
        found.append(Contender("ours, writers in balance", size, lambda size=size: ours(size, "writers")))
        found.append(
            Contender("tf.data, cached decode + random_crop", size, lambda size=size: tutorial(size))
        )
    return found


def measure(contender: Contender, seconds: float) -> float:
    """Patches a second, after a warm-up of a quarter of that time."""
    batches = contender.open()
    for duration in (seconds / 4, seconds):
        count, started = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - started) < duration or not count:
            next(batches)
            count += 1
    return count * contender.batch_size / elapsed


def rows_and_ratios(rates: dict[Contender, list[float]]) -> tuple[list[dict], dict[str, float]]:
    """The table's rows, and ours over each other contender, both at the batch size where they are fastest."""
    rows = [
        {
            "name": contender.name,
            "batch_size": contender.batch_size,
            "patches_per_second": statistics.median(values),
            "minimum": min(values),
            "maximum": max(values),
        }
        for contender, values in rates.items()
    ]
    best: dict[str, float] = {}
    for row in rows:
        best[row["name"]] = max(best.get(row["name"], 0), row["patches_per_second"])
    ours = best["ours"]
    return rows, {f"ours over {name}": ours / rate for name, rate in best.items() if name != "ours"}


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"Unknown argument {argv[1]!r}; flags begin with --.")
    values = flags.FLAGS
    files = make_corpus(values.images, values.mean_width, values.patch_height)
    with tempfile.TemporaryDirectory() as folder:
        all_contenders = contenders(files, pathlib.Path(folder))
        rates = {contender: [] for contender in all_contenders}
        for _ in range(values.rounds):
            for contender in all_contenders:
                rates[contender].append(measure(contender, values.seconds))
    rows, ratios = rows_and_ratios(rates)
    print(f"{'':38}{'batch':>7}{'patches/s':>12}{'minimum':>12}{'maximum':>12}")
    for row in rows:
        numbers = "".join(f"{row[key]:>12,.0f}" for key in ("patches_per_second", "minimum", "maximum"))
        print(f"{row['name']:38}{row['batch_size']:>7,}{numbers}")
    for name, ratio in ratios.items():
        print(f"{name}: {ratio:.1f} ×")
    if values.output:
        pathlib.Path(values.output).write_text(json.dumps({"rows": rows, "ratios": ratios}, indent=2) + "\n")


if __name__ == "__main__":
    app.run(main)
