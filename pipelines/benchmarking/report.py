"""The report of the benchmark: rows, ratios, a table, a picture, and a sentence about what limits the speed."""

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence

RATIOS = {
    "ours_over_ffcv_expert": "ffcv_expert",
    "ours_over_ffcv": "ffcv",
    "ours_over_torch": "torch",
    "ours_over_grain": "grain",
    "ours_over_spdl": "spdl",
    "ours_over_litdata": "litdata",
    "ours_over_streaming": "streaming",
    "ours_over_webdataset": "webdataset",
    "ours_over_tfdata_cached": "tfdata_cached",
    "ours_over_tfdata_decode": "tfdata_decode",
    "ours_over_article": "article",
    "ours_over_dali": "dali",
}
"""Names of ratios, and the peers that ours is divided by."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of the table: what was measured of one loader.

    Attributes:
      name: of the loader, for the table.
      key: its short name.
      batch_size: patches in a batch.
      parallel_calls: batches that are made at once.
      corpus_megabytes: size of the corpus, uncompressed.
      patches_per_second: median of all rounds.
      minimum: patches/s in the slowest round.
      maximum: patches/s in the fastest round.
      bytes_per_second: of patches, at the median.
      cpu_share: of all usable cores, 0 to 1; median of all rounds.
      memory_megabytes: by which the loader's start has increased the memory that is not mapped from files.
      seconds_to_first_batch: from the loader's start on.
      cannot: what the loader cannot do.
    """

    name: str
    key: str
    batch_size: int
    parallel_calls: int
    corpus_megabytes: int
    patches_per_second: float
    minimum: float
    maximum: float
    bytes_per_second: float
    cpu_share: float
    memory_megabytes: float
    seconds_to_first_batch: float
    cannot: str


def ratios(rows: Sequence[Row], batch_size: int) -> dict[str, float]:
    """Our patches/s divided by those of the limit and of each peer, as far as both were measured.

    Each takes part with the parallel_calls at which it is fastest.

    Args:
      rows: of the table.
      batch_size: at which they are compared. There are two exceptions: `best_over_limit` takes ours at its best batch
        size, and `best_over_best_limit` takes both at their best batch sizes.
    """

    def best(key: str, size: int | None = batch_size) -> float | None:
        return _fastest(row for row in rows if row.key == key and size in (None, row.batch_size))

    pairs = {
        "ours_over_limit": (best("ours"), best("limit")),
        "best_over_limit": (best("ours", None), best("limit")),
        "best_over_best_limit": (best("ours", None), best("limit", None)),
        "balanced_over_limit": (best("balanced"), best("limit")),
        "starts_over_ffcv_expert": (best("starts"), best("ffcv_expert")),
    }
    pairs |= {name: (best("ours"), best(key)) for name, key in RATIOS.items()}
    return {name: ours / other for name, (ours, other) in pairs.items() if ours and other}


def _fastest(rows: Iterable[Row]) -> float | None:
    return max((row.patches_per_second for row in rows), default=None)


def diagnosis(rows: Sequence[Row], training: Mapping[str, float] | None) -> str:
    """A sentence that says what limits the speed of this run, and which flag to change.

    It compares the fastest row of ours only with rows that have the same parallel_calls.
    """
    best = max((row for row in rows if row.key == "ours"), key=lambda row: row.patches_per_second)
    rate = f"{best.patches_per_second:,.0f} patches/s"
    if training and training["real_over_repeated"] >= 0.97:
        return (
            f"The network limits the speed of training ({training['patches_per_second']:,.0f} patches/s). The input can "
            f"deliver {rate}. No flag of the input will help; a GPU or a smaller --model will."
        )
    alike = [row for row in rows if row.parallel_calls == best.parallel_calls]
    smallest = min((row for row in alike if row.key == "ours"), key=lambda row: row.batch_size)
    if smallest.patches_per_second < 0.75 * best.patches_per_second:
        return (
            f"The fixed cost of a batch limits the speed of small batches: {smallest.patches_per_second:,.0f} patches/s "
            f"with {smallest.batch_size:,} patches in a batch, {rate} with {best.batch_size:,}. If training waits for "
            "patches, raise --batch_size."
        )
    if best.cpu_share < 0.6:
        return f"Only {best.cpu_share:.0%} of the cores' time is used at {rate}. Raise --parallel_calls."
    limit = _fastest(row for row in alike if row.key == "limit")
    if limit:
        return (
            f"Copying limits the speed: {rate} are {best.patches_per_second / limit:.0%} of what this memory can do. If "
            "you need more, let the device cut the patches (--gather=device)."
        )
    return (
        f"All cores are busy at {rate}. To compare this with what the memory can do, install numba "
        "(pip install '.[peers]')."
    )


def table(rows: Sequence[Row], missing: Mapping[str, str]) -> str:
    """The rows as text. Rows of the same batch size stand together, the fastest first.

    Args:
      rows: of the table.
      missing: the peers that were not measured, by name, and why.
    """
    lines = [
        f"{'':38}{'batch':>7}{'calls':>6}{'corpus':>10}{'patches/s':>12}{'MB/s':>9}{'minimum':>12}{'maximum':>12}"
        f"{'CPU':>6}{'memory':>10}{'first':>9}  cannot"
    ]
    for row in sorted(rows, key=lambda row: (row.batch_size, -row.patches_per_second)):
        lines.append(
            f"{row.name:38}{row.batch_size:>7,}{row.parallel_calls:>6}{row.corpus_megabytes:>7,} MB"
            f"{row.patches_per_second:>12,.0f}{row.bytes_per_second / 1e6:>9,.0f}{row.minimum:>12,.0f}"
            f"{row.maximum:>12,.0f}{row.cpu_share:>6.0%}{row.memory_megabytes:>7,.0f} MB"
            f"{row.seconds_to_first_batch:>7.2f} s  {row.cannot}".rstrip()
        )
    lines += [f"{name:38}not measured: {why}" for name, why in missing.items()]
    return "\n".join(lines)


def draw(rows: Sequence[Row], path: str | os.PathLike[str]) -> None:
    """Draws patches/s against batch size, parallel calls and corpus size. Writes the drawing as PNG to `path`."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    fields = {
        "batch_size": "patches in a batch",
        "parallel_calls": "batches made at once",
        "corpus_megabytes": "corpus, MB",
    }
    # There is a panel for each field of which ours was measured at several values.
    ours = [row for row in rows if row.key == "ours"]
    fields = {name: label for name, label in fields.items() if len({getattr(row, name) for row in ours}) > 1}
    fields = fields or {"batch_size": "patches in a batch"}
    size = (4 * len(fields) + 3.5, 4.2)
    figure, axes = pyplot.subplots(
        1, len(fields), figsize=size, sharey=True, squeeze=False, layout="constrained"
    )
    axes = axes[0]
    for axis, (field, label) in zip(axes, fields.items(), strict=True):
        axis.set_prop_cycle(color=[pyplot.get_cmap("tab20")(number) for number in range(20)])
        # Ours on corpora of other sizes is shown only in the panel of corpus sizes. Pairs have a corpus of their own,
        # because their narrowest images are wider.
        shown = [
            row
            for row in rows
            if field == "corpus_megabytes"
            or row.key != "ours"
            or row.corpus_megabytes == rows[0].corpus_megabytes
        ]
        for name in dict.fromkeys(row.name for row in rows if row.key != "starts"):
            points: dict[float, list[float]] = {}
            for row in shown:
                if row.name == name:
                    points.setdefault(getattr(row, field), []).append(row.patches_per_second)
            values = sorted((x, max(rates)) for x, rates in points.items())
            axis.plot(*zip(*values, strict=True), "o-", label=name)
        ticks = sorted({getattr(row, field) for row in ours})
        axis.set(xscale="log", yscale="log", xlabel=label)
        axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("patches/s")
    axes[-1].legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
