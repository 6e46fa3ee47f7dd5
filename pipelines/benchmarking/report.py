"""What the benchmark's rows say: ratios, a table, a picture, and the bottleneck in a sentence."""

import os
from collections.abc import Sequence

RATIOS = {
    "ours_over_ffcv_expert": "ffcv_expert",
    "ours_over_ffcv": "ffcv",
    "ours_over_torch": "torch",
    "ours_over_grain": "grain",
    "ours_over_tfdata_cached": "tfdata_cached",
    "ours_over_tfdata_decode": "tfdata_decode",
    "ours_over_article": "article",
    "ours_over_dali": "dali",
}


def ratios(rows: Sequence[dict[str, object]], batch_size: int) -> dict[str, float]:
    """Ours over the limit and over each peer, as far as they were measured.

    Args:
      rows: of the table.
      batch_size: at which they are compared. `best_over_limit` alone takes ours at its best batch size, and
        `best_over_best_limit` the limit at its best one too.
    """

    def best(key: str, size: int | None = batch_size) -> float | None:
        rates = [
            row["patches_per_second"]
            for row in rows
            if row["key"] == key and row["batch_size"] == (size or row["batch_size"])
        ]
        return max(rates, default=None)

    pairs = {
        "ours_over_limit": (best("ours"), best("limit")),
        "best_over_limit": (best("ours", None), best("limit")),
        "best_over_best_limit": (best("ours", None), best("limit", None)),
        "balanced_over_limit": (best("balanced"), best("limit")),
        "starts_over_ffcv_expert": (best("starts"), best("ffcv_expert")),
    }
    pairs |= {name: (best("ours"), best(key)) for name, key in RATIOS.items()}
    return {name: ours / other for name, (ours, other) in pairs.items() if ours and other}


def diagnosis(rows: Sequence[dict], found: dict[str, float], training: dict[str, float] | None) -> str:
    """What bounds this run, and which flag to turn, in a sentence."""
    ours = [row for row in rows if row["key"] == "ours"]
    best = max(ours, key=lambda row: row["patches_per_second"])
    rate = f"{best['patches_per_second']:,.0f} patches/s"
    if training and training["real_over_repeated"] >= 0.97:
        return (
            f"The network bounds training ({training['patches_per_second']:,.0f} patches/s; the input could deliver "
            f"{rate}): no flag of the input will help; a GPU or a smaller --model will."
        )
    smallest = min(ours, key=lambda row: row["batch_size"])
    if smallest["patches_per_second"] < 0.75 * best["patches_per_second"]:
        return (
            f"Below a batch of {best['batch_size']:,} the fixed cost of a batch bounds the input "
            f"({smallest['patches_per_second']:,.0f} patches/s at {smallest['batch_size']:,}, {rate} at "
            f"{best['batch_size']:,}): raise --batch_size if it is short of patches."
        )
    if best["cpu_share"] < 0.6:
        return f"Cores stand idle ({best['cpu_share']:.0%} in use at {rate}): raise --parallel_calls."
    if "best_over_limit" in found:
        return (
            f"Copying bounds the input: {rate} are {found['best_over_limit']:.0%} of what this memory can do. Where "
            "that is too little, let the device gather from start columns (--gather=device)."
        )
    return (
        f"All cores are in use at {rate}; install the peers to see how far that is from what memory can do."
    )


def table(rows: Sequence[dict], missing: dict[str, str]) -> str:
    """The rows for people, the fastest first within a batch size."""
    head = (
        f"{'':38}{'batch':>7}{'calls':>6}{'MB':>7}{'patches/s':>12}{'minimum':>12}{'maximum':>12}{'GB/s':>7}"
        f"{'CPU':>6}{'memory':>9}{'first':>8}  cannot"
    )
    lines = [head]
    for row in sorted(rows, key=lambda row: (row["batch_size"], -row["patches_per_second"])):
        numbers = "".join(f"{row[key]:>12,.0f}" for key in ("patches_per_second", "minimum", "maximum"))
        lines.append(
            f"{row['name']:38}{row['batch_size']:>7,}{row['parallel_calls']:>6}{row['corpus_megabytes']:>7,}{numbers}"
            f"{row['bytes_per_second'] / 1e9:>7.2f}{row['cpu_share']:>6.0%}{row['memory_megabytes']:>6,.0f} MB"
            f"{row['seconds_to_first_batch']:>6.2f} s  {row['cannot']}".rstrip()
        )
    lines += [f"{name:38}not measured: {why}" for name, why in missing.items()]
    return "\n".join(lines)


def draw(rows: Sequence[dict], path: os.PathLike) -> None:
    """Draws patches/s against batch size, parallel calls and corpus size into a PNG file."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    fields = {
        "batch_size": "patches in a batch",
        "parallel_calls": "batches made at once",
        "corpus_megabytes": "corpus, MB",
    }
    # A panel for each thing of which ours was measured at several values.
    ours = [row for row in rows if row["key"] == "ours"]
    fields = {name: label for name, label in fields.items() if len({row[name] for row in ours}) > 1}
    fields = fields or {"batch_size": "patches in a batch"}
    size = (4 * len(fields) + 3.5, 4.2)
    figure, axes = pyplot.subplots(
        1, len(fields), figsize=size, sharey=True, squeeze=False, layout="constrained"
    )
    axes = axes[0]
    for axis, (field, label) in zip(axes, fields.items(), strict=True):
        axis.set_prop_cycle(color=pyplot.get_cmap("tab20").colors)
        # Corpora of other sizes are compared in a panel of their own. (That of pairs has wider narrowest images.)
        shown = [
            row
            for row in rows
            if field == "corpus_megabytes"
            or row["key"] != "ours"
            or row["corpus_megabytes"] == rows[0]["corpus_megabytes"]
        ]
        for name in dict.fromkeys(row["name"] for row in rows if row["key"] != "starts"):
            points: dict[float, list[float]] = {}
            for row in shown:
                if row["name"] == name:
                    points.setdefault(row[field], []).append(row["patches_per_second"])
            values = sorted((x, max(rates)) for x, rates in points.items())
            axis.plot(*zip(*values, strict=True), "o-", label=name)
        ticks = sorted({row[field] for row in ours})
        axis.set(xscale="log", yscale="log", xlabel=label)
        axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("patches/s")
    axes[-1].legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
