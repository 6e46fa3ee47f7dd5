"""The page of results of many runs. Its flags are in results.py."""

import json
import os
import pathlib
import shlex
from collections.abc import Iterable, Sequence

from iam_writer.common.errors import MissingDataError
from iam_writer.studies import tables

# Settings that may differ between the runs of one row. They change paths and speed, but not what is learnt.
_INCIDENTAL = (
    "seed manual_dir data_dir workdir max_bad_images parallel_calls gather steps_per_call processes checkpoint_minutes "
    "jit_compile deterministic"
).split()

_PATHS = ("manual_dir", "data_dir", "workdir", "fonts_dir", "text_file", "data_service")
"""Settings that name a place on the machine of the run."""

_KEPT = ("test.", "validation.", "train.", "versions.", "machine.")
_KEPT_WHOLE = ("minutes", "dataset", "config", "command", "backend", "precision", "rule", "note")

_HEAD = """\
<!-- Written by python -m iam_writer.studies.results from the result.json of runs. Do not edit: run it again. -->

# Results

An accuracy is the share of the test part, in per cent, whose writer is named first. The best epoch, or the C of the support
vector machine, was chosen by validation lines. "Macro line" is the mean over writers of the accuracy of each writer's lines. Runs
that differ only in their seed share one row. The row has the means, and the standard deviation of the accuracy on lines. "Minutes" are
the time of the whole command, with all its parts if it was stopped and continued.
"""


def report(results: Sequence[dict]) -> str:
    """The page.

    Args:
      results: the contents of result.json files. If one lacks a figure, the page shows a dash.
    """
    protocols: dict[tuple, list[dict]] = {}
    for result in results:
        test = tuple(result.get(f"test.{name}") for name in ("lines", "forms", "writers"))
        protocols.setdefault((tables.dataset(result), test), []).append(result)
    parts = [_HEAD]
    for (dataset, _), runs in sorted(protocols.items(), key=repr):
        parts.append(f"## {dataset}\n\n{tables.protocol(runs[0])}\n")
        parts.append(_table(runs))
    return "\n".join(parts)


def _table(runs: Sequence[dict]) -> str:
    """A row for each set of runs that differ in their seed only, the best line accuracy first."""
    rows: dict[str, list[dict]] = {}
    for run in runs:
        config = {name: value for name, value in run.get("config", {}).items() if name not in _INCIDENTAL}
        rows.setdefault(json.dumps(config, sort_keys=True), []).append(run)
    ranked = sorted(rows.values(), key=lambda row: -(tables.mean(row, "test.line_top1") or 0))
    head = (
        "model",
        "patch",
        "line",
        "macro line",
        "form",
        "seeds",
        "minutes",
        "patches trained",
        "machine",
        "command",
    )
    table = [head, ("---",) + 7 * ("---:",) + 2 * ("---",)]
    table += [
        (
            tables.config(row[0], "model"),
            tables.per_cent(row, "test.patch_top1"),
            tables.per_cent(row, "test.line_top1") + tables.deviation(row, "test.line_top1"),
            tables.per_cent(row, "test.line_macro_top1"),
            tables.per_cent(row, "test.form_top1"),
            ", ".join(sorted({tables.config(run, "seed") for run in row})),
            tables.number(tables.mean(row, "minutes"), ".1f"),
            tables.number(tables.mean(row, "train.patches")),
            ", ".join(sorted({tables.machine(run) for run in row})),
            tables.command(row),
        )
        for row in ranked
    ]
    return tables.markdown(table)


def read(paths: Iterable[str | os.PathLike]) -> dict[str, dict]:
    """The path and the content of each file, each file once. A file with means over seeds is replaced by the files of its seeds beside it.

    Raises:
      MissingDataError: a file is not there, or is not the result.json of a run.
    """
    results: dict[str, dict] = {}
    for path in map(pathlib.Path, paths):
        try:
            result = json.loads(path.read_text())
            config = result["config"]
            if config.get("num_seeds", 1) > 1:
                seeds = range(config["seed"], config["seed"] + config["num_seeds"])
                of_seeds = [path.with_name(f"seed{seed}") / path.name for seed in seeds]
                results |= read(of_seeds)
                continue
            report([result])  # An error in the content shows here, where the name of the file is known.
        except KeyError as error:
            raise MissingDataError(
                f"{path} is not the result.json of a run: it has no {error}. Leave it out."
            ) from error
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise MissingDataError(
                f"{path} is not the result.json of a run: {error}. Leave it out."
            ) from error
        results[os.path.realpath(path)] = result
    return results


def kept(result: dict) -> dict:
    """A result.json without what is private: no path of a machine, no fingerprint of the data, nothing learnt from them.

    `report` makes the same row of it.
    """
    shared = {name: value for name, value in result.items() if name.startswith(_KEPT) or name in _KEPT_WHOLE}
    config = shared["config"]
    shared["config"] = {name: None if name in _PATHS else value for name, value in config.items()}
    if (command := tables.command([result])) != tables.UNKNOWN:
        shared["command"] = shlex.split(command.strip("`"))
    return shared
