"""Shows figures of runs in Markdown.

A `row` is a list of runs that share one row of a table. A run is the content of its result.json. A missing figure is shown
as a dash.
"""

import os
import pathlib
import shlex
import statistics
from collections.abc import Iterable, Sequence

from iam_writer.common.specs import config_of, listed
from iam_writer.iam_writer_dataset_builder import Builder

UNKNOWN = "–"

HELD_OUT = {
    "form": "whole forms are held out",
    "form_or_row": "whole forms are held out, and text lines of the writers who have a single form",
    "image": "**LEAKS**: single images are held out, and the network has seen other images of the same pages in training",
}
"""What a config's `split_by` means."""


def markdown(table: Iterable[Sequence[str]]) -> str:
    """Rows of cells; the second row says how columns are aligned."""
    return "\n".join(f"| {' | '.join(row)} |" for row in table) + "\n"


def dataset(result: dict) -> str:
    """The datasets that a run was trained on, as `datasets` names them, with commas between."""
    return ",".join(datasets(result))


def datasets(result: dict) -> list[str]:
    """The names of the datasets in TFDS, without the version of the files. For invented writers they say more than the flag."""
    if "dataset" not in result:
        return listed(config(result, "dataset"))
    return [name.rpartition("/")[0] for name in listed(result["dataset"])]


def protocol(result: dict) -> str:
    """A sentence about how lines are held out (for each dataset if they differ), and about the size of the test."""
    names = [config_of(name) for name in datasets(result)]
    how = [_held_out(name) for name in names]
    alike = len(set(how)) == 1
    sentence = how[0] if alike else "; ".join(f"{name}: {of}" for name, of in zip(names, how, strict=True))
    script = result.get("config", {}).get("test_script")
    if script:
        sentence += (
            f"; invented hands write the test lines in {script.capitalize()} letters, never seen in training"
        )
    counts = (f"{number(result.get(f'test.{what}'))} {what}" for what in ("lines", "forms", "writers"))
    return f"{sentence[0].upper()}{sentence[1:]}. Test: {', '.join(counts)}."


def _held_out(name: str) -> str:
    builder_config = Builder.builder_configs.get("synthetic" if name.startswith("synthetic") else name)
    return HELD_OUT.get(getattr(builder_config, "split_by", None), "how lines are held out is not known")


def config(result: dict, name: str) -> str:
    return str(result.get("config", {}).get(name, UNKNOWN))


def mean(row: Iterable[dict], name: str) -> float | None:
    known = [run[name] for run in row if run.get(name) is not None]
    return statistics.fmean(known) if known else None


def deviation(row: Iterable[dict], name: str) -> str:
    known = [100 * run[name] for run in row if run.get(name) is not None]
    return f" ± {statistics.stdev(known):.1f}" if len(known) > 1 else ""


def per_cent(row: Iterable[dict], name: str) -> str:
    share = mean(row, name)
    return UNKNOWN if share is None else f"{100 * share:.1f}"


def number(value: float | None, form: str = ",.0f") -> str:
    return UNKNOWN if value is None else format(value, form)


def machine(result: dict) -> str:
    """Such as '2 cores of Intel(R) Xeon(R) Processor, 1 × NVIDIA H100'."""
    cores, gpus = result.get("machine.cores"), result.get("machine.gpus")
    if cores is None:
        return UNKNOWN
    cpu, gpu = result.get("machine.cpu"), result.get("machine.gpu")
    machine = f"{cores} cores" + (f" of {cpu}" if cpu else "")
    return machine + (f", {gpus} × {gpu or 'GPU'}" if gpus else "")


def command(row: Sequence[dict]) -> str:
    """The command that repeats a run, without the paths of its files. An absolute --flagfile is shown as its name only."""
    hidden = {"data_dir", "workdir", "table"} | ({"seed"} if len(row) > 1 else set())
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
