r"""Writes docs/results.md from what runs have left: no figure in it is typed by hand.

  python -m iam_writer.results runs/*/result.json --output=docs/results.md

A table for each protocol: a dataset, how it holds lines out, and how many lines, forms and writers the test has. Runs
that differ in nothing but their seed make one row, of means.

Exit status: 0 done; 1 a file is none of ours, and the message says which.
"""

import json
import os
import pathlib
import shlex
import statistics
import sys
from collections.abc import Iterable, Sequence

from absl import app, flags

from iam_writer import programs
from iam_writer.errors import MissingDataError
from iam_writer.files import write_beside
from iam_writer.iam_writer_dataset_builder import Builder

flags.DEFINE_string("output", "docs/results.md", "The file to write.")

UNKNOWN = "–"

HELD_OUT = {
    "form": "whole forms are held out",
    "form_or_row": "whole forms are held out, and text lines of the writers who have a single form",
    "image": "**LEAKS**: single images are held out, whose pages the network has seen in training",
}
"""What a config's `split_by` means."""

# What may differ between runs of one row: it says where things lie and how fast they go, not what is learnt.
_INCIDENTAL = (
    "seed manual_dir data_dir workdir max_bad_images parallel_calls gather processes checkpoint_minutes "
    "profile_steps jit_compile deterministic"
).split()

_HEAD = """\
<!-- Written by python -m iam_writer.results from the result.json of runs. Do not edit: run it again. -->

# Results

Accuracies are those of the test part, whose writer is named first, in per cent; the best epoch, or the SVM's C, was chosen
by validation lines. "Macro" is the mean over writers of the accuracy of their lines. Several seeds make one row, of means,
with the standard deviation of lines. "Minutes" are those of the whole command, resumptions included.
"""


def report(results: Sequence[dict]) -> str:
    """The page.

    Args:
      results: what `result.json` files hold; where one lacks a figure, the page has a dash.
    """
    protocols: dict[tuple, list[dict]] = {}
    for result in results:
        test = tuple(result.get(f"test.{name}") for name in ("lines", "forms", "writers"))
        protocols.setdefault((_dataset(result), test), []).append(result)
    parts = [_HEAD]
    for (dataset, (lines, forms, writers)), runs in sorted(protocols.items(), key=repr):
        parts.append(
            f"## {dataset}\n\n{_held_out(dataset)}{_test_script(runs[0])}. Test: {_number(lines)} lines, {_number(forms)} forms, "
            f"{_number(writers)} writers.\n"
        )
        parts.append(_table(runs))
    return "\n".join(parts)


def _table(runs: Sequence[dict]) -> str:
    """A row for each set of runs that differ in their seed only, the best line accuracy first."""
    rows: dict[str, list[dict]] = {}
    for run in runs:
        config = {name: value for name, value in run.get("config", {}).items() if name not in _INCIDENTAL}
        rows.setdefault(json.dumps(config, sort_keys=True), []).append(run)
    ranked = sorted(rows.values(), key=lambda row: -(_mean(row, "test.line_top1") or 0))
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
            _config(row[0], "model"),
            _per_cent(_mean(row, "test.patch_top1")),
            _per_cent(_mean(row, "test.line_top1")) + _deviation(row, "test.line_top1"),
            _per_cent(_mean(row, "test.line_macro_top1")),
            _per_cent(_mean(row, "test.form_top1")),
            ", ".join(sorted({_config(run, "seed") for run in row})),
            _number(_mean(row, "minutes"), ".1f"),
            _number(_mean(row, "train.patches")),
            ", ".join(sorted({_machine(run) for run in row})),
            _command(row),
        )
        for row in ranked
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in table) + "\n"


def _dataset(result: dict) -> str:
    """As TFDS names it, without the version of its files. Of invented writers this says more than the flag."""
    if "dataset" not in result:
        return _config(result, "dataset")
    return ",".join(name.rpartition("/")[0] for name in result["dataset"].split(","))


def _held_out(dataset: str) -> str:
    names = [name.partition("/")[2] for name in dataset.split(",")]
    configs = [Builder.builder_configs.get("synthetic" if n.startswith("synthetic") else n) for n in names]
    said = [
        HELD_OUT.get(getattr(c, "split_by", None), "how lines are held out is not known") for c in configs
    ]
    alike = len(set(said)) == 1
    sentence = said[0] if alike else "; ".join(f"{n}: {how}" for n, how in zip(names, said, strict=True))
    return sentence[0].upper() + sentence[1:]


def _test_script(result: dict) -> str:
    script = result.get("config", {}).get("test_script")
    return (
        f"; invented hands write the test lines in {script.capitalize()} letters, never seen in training"
        if script
        else ""
    )


def _config(result: dict, name: str) -> str:
    return str(result.get("config", {}).get(name, UNKNOWN))


def _mean(row: Iterable[dict], name: str) -> float | None:
    known = [run[name] for run in row if run.get(name) is not None]
    return statistics.fmean(known) if known else None


def _deviation(row: Iterable[dict], name: str) -> str:
    known = [100 * run[name] for run in row if run.get(name) is not None]
    return f" ± {statistics.stdev(known):.1f}" if len(known) > 1 else ""


def _per_cent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{100 * share:.1f}"


def _number(value: float | None, form: str = ",.0f") -> str:
    return UNKNOWN if value is None else format(value, form)


def _machine(result: dict) -> str:
    """Such as '2 cores of Intel(R) Xeon(R) Processor, 1 × NVIDIA H100'."""
    cores, gpus = result.get("machine.cores"), result.get("machine.gpus")
    if cores is None:
        return UNKNOWN
    cpu, gpu = result.get("machine.cpu"), result.get("machine.gpu")
    machine = f"{cores} cores" + (f" of {cpu}" if cpu else "")
    return machine + (f", {gpus} × {gpu or 'GPU'}" if gpus else "")


def _command(row: Sequence[dict]) -> str:
    """What repeats a run, but for the places where its files lay; of an absolute --flagfile the name alone."""
    hidden = ("data_dir", "workdir") if len(row) == 1 else ("data_dir", "workdir", "seed")
    words = row[0].get("command", [])
    if "-m" not in words:
        return UNKNOWN
    module, *arguments = words[words.index("-m") + 1 :]
    shown = []
    for name, value in _pairs(arguments):
        if name == "flagfile" and os.path.isabs(value):
            value = pathlib.Path(value).name
        if name == "manual_dir":
            value = "DIR"
        if name not in hidden:
            shown.append(f"--{name}" if value is None else shlex.quote(f"--{name}={value}"))
    return f"`{' '.join(['python -m', module, *shown])}`"


def _pairs(arguments: Sequence[str]) -> Iterable[tuple[str, str | None]]:
    """--name=value, --name value, --name → (name, value or None)."""
    arguments = list(arguments)
    while arguments:
        name, equals, value = arguments.pop(0).lstrip("-").partition("=")
        if not equals:
            followed = arguments and not arguments[0].startswith("-")
            value = arguments.pop(0) if followed else None
        yield name, value


def read(paths: Iterable[str]) -> list[dict]:
    """The files' contents.

    Raises:
      MissingDataError: one is not there, or no JSON object.
    """
    results = []
    for path in paths:
        try:
            result = json.loads(pathlib.Path(path).read_text())
        except (OSError, ValueError) as error:
            raise MissingDataError(f"{path} cannot be read: {error}") from error
        if not isinstance(result, dict) or "config" not in result:
            raise MissingDataError(f"{path} is no result.json of a run")
        results.append(result)
    return results


def main(argv: list[str]) -> None:
    if len(argv) < 2:
        raise app.UsageError("Pass the result.json of one run or more.")
    with programs.plain_endings():
        output = pathlib.Path(flags.FLAGS.output)
        output.parent.mkdir(parents=True, exist_ok=True)
        write_beside(output, report(read(argv[1:])))
    print(f"Wrote {output} from {len(argv) - 1} results.", file=sys.stderr)


if __name__ == "__main__":
    app.run(main)
