"""Runs that differ in a flag or two and train for the same minutes, and a table of them. The flags are in ablate.py.

"The same minutes" means a number of patches: as many as a recipe trains in these minutes on this machine. The speed is
measured before. A run that the clock ends could not be repeated, and could not be continued after a kill. So each run
has a fixed number of patches, and its flags.txt repeats it with `iam_writer.train`. The table gives the minutes that each
run took.
"""

import contextlib
import dataclasses
import json
import logging
import pathlib
import statistics
import urllib.parse

import keras

from iam_writer.common.files import write_beside
from iam_writer.common.specs import listed
from iam_writer.recognition import checkpoints, scanning
from iam_writer.studies import tables
from iam_writer.training import experiment, trainer
from iam_writer.training.data import Data, load
from iam_writer.training.settings import Settings
from pipelines.patch_order import number_of_positions

log = logging.getLogger(__name__)

ROUNDS, ROUND_SECONDS = 5, 3
"""Each round measures all rows in turn, so that a busy moment of the machine slows all of them.

The speed of a row is its median over rounds.
"""

SPEEDS = "speeds.json"

_HEAD = """\
<!-- Written by python -m iam_writer.studies.ablate. Do not edit: run it again. -->

# Same minutes of training: {dataset}

{command}

{protocol} Accuracies are top-1 in per cent, {seeds}. The best epoch was chosen by validation lines.

The first row is the recipe. Each other row is the recipe with the named flags changed. The speed of each row was measured
first, on {machine}. Each run then trained as many patches as its row trains in {minutes:g} min at that speed. The column
"minutes" says how long that took, without validation. Rows without minutes were not trained: the networks of the first row scan
the lines in another way.

"""


def run(rows: dict[str, Settings], scans: dict[str, Settings], minutes: float) -> dict[str, list[dict]]:
    """Trains, or continues to train, each row for each seed. Then scans the lines again with the settings of each scan.

    Args:
      rows: change → settings. The first row is the base, with no change.
      scans: change → settings, which differ from the base in scanning only.
      minutes: minutes of training for each run.

    Returns:
      For each change a list with an entry for each seed: the content of result.json, or for a scan the accuracies only.

    Raises:
      The exceptions of `experiment.run`.
    """
    base = next(iter(rows.values()))
    data = {change: load(settings) for change, settings in rows.items()}
    speeds = _speeds(rows, data)
    results = {change: [] for change in (*rows, *scans)}
    # All rows of one seed run before the next seed, so that a machine that becomes slower slows all rows.
    for seed in range(base.seed, base.seed + base.num_seeds):
        for change, settings in rows.items():
            positions = number_of_positions(data[change].strips["train"], settings.patch_width)
            fraction = 60 * minutes * speeds[change] / (settings.epochs * positions)
            log.info("%s, seed %d.", change or "Base", seed)
            chosen = dataclasses.replace(
                settings,
                seed=seed,
                num_seeds=1,
                patch_fraction=float(f"{fraction:.4g}"),
                workdir=str(_folder(base, change) / f"seed{seed}"),
            )
            results[change].append(_trained(chosen, data[change]))
        for change, settings in scans.items():
            results[change].append(_scanned(settings, data[""], _folder(base, "") / f"seed{seed}", change))
    return results


def page(results: dict[str, list[dict]], minutes: float) -> str:
    """The table in Markdown.

    Args:
      results: what `run` returns.
      minutes: the minutes that `run` was given.
    """
    base = next(iter(results.values()))
    seeds = ", ".join(tables.config(run, "seed") for run in base)
    head = _HEAD.format(
        dataset=tables.dataset(base[0]),
        protocol=tables.protocol(base[0]),
        seeds=f"means and standard deviations over seeds {seeds}" if len(base) > 1 else f"of seed {seeds}",
        minutes=minutes,
        machine=tables.machine(base[0]),
        command=tables.command(base),
    )
    names = ("changed", "validation lines", "test lines", "test forms", "windows a line")
    names += ("minutes", "patches trained", "patches/s")
    table = [names, ("---",) + 7 * ("---:",)]
    for change, row in results.items():
        windows = [run["test.patches"] / run["test.lines"] for run in row]
        table.append(
            (
                f"`{change}`" if change else "nothing",
                *(
                    tables.per_cent(row, name) + tables.deviation(row, name)
                    for name in ("validation.line_top1", "test.line_top1", "test.form_top1")
                ),
                tables.number(statistics.fmean(windows), ".1f"),
                tables.number(tables.mean(row, "train.minutes"), ".2f"),
                tables.number(tables.mean(row, "train.patches")),
                tables.number(tables.mean(row, "train.patches_per_second")),
            )
        )
    return head + tables.markdown(table)


def _speeds(rows: dict[str, Settings], data: dict[str, Data]) -> dict[str, float]:
    """Patches/s of each row. They are measured once and kept, because a run that continues must keep its budget."""
    path = pathlib.Path(next(iter(rows.values())).workdir) / SPEEDS
    known = json.loads(path.read_text()) if path.exists() else {}
    missing = {change: settings for change, settings in rows.items() if change not in known}
    if missing:
        with contextlib.ExitStack() as stack:
            measures = {
                change: stack.enter_context(
                    contextlib.closing(trainer.speeds(settings, data[change], ROUND_SECONDS))
                )
                for change, settings in missing.items()
            }
            rounds = [{change: next(measure) for change, measure in measures.items()} for _ in range(ROUNDS)]
        known |= {change: statistics.median(found[change] for found in rounds) for change in missing}
        path.parent.mkdir(parents=True, exist_ok=True)
        write_beside(path, json.dumps(known, indent=2) + "\n")
    for change in rows:
        log.info("%s: %.0f patches/s.", change or "Base", known[change])
    return known


def _trained(settings: Settings, data: Data) -> dict:
    """The content of a run's result.json. Runs first if there is no result of these settings and data."""
    path = pathlib.Path(settings.workdir) / "result.json"
    if path.exists():
        result = json.loads(path.read_text())
        same_data = listed(result["dataset_fingerprint"]) == data.fingerprints
        if result["config"] == dataclasses.asdict(settings) and same_data:
            return result
    keras.backend.clear_session()  # Frees the previous network, and Keras counts layer names from the start.
    experiment.run(settings)
    return json.loads(path.read_text())


def _scanned(settings: Settings, data: Data, workdir: pathlib.Path, change: str) -> dict:
    """Accuracies of the best network of a run when it scans with `settings`. They are kept beside the run."""
    checkpoint, path = workdir / trainer.BEST, workdir / f"scan {_file_name(change)}.json"
    origin = {
        "checkpoint": checkpoints.fingerprint(checkpoint),
        "window_stride": settings.window_stride,
        "combine": settings.combine,
        "window_sizes": settings.window_sizes,
    }
    if path.exists():
        result = json.loads(path.read_text())
        if origin.items() <= result.items():
            return result
    keras.backend.clear_session()
    rule = settings.rule
    model = scanning.seeing(checkpoints.load(checkpoint), rule.sizes)
    result = dict(origin)
    for split in ("validation", "test"):
        accuracies = scanning.evaluate(model, data.strips[split], rule, split)
        result |= {f"{split}.{name}": value for name, value in accuracies.items()}
    write_beside(path, json.dumps(result, indent=2) + "\n")
    return result


def _folder(base: Settings, change: str) -> pathlib.Path:
    return pathlib.Path(base.workdir) / (_file_name(change) or "base")


def _file_name(change: str) -> str:
    return urllib.parse.quote(change, safe="=, ")
