"""How programs print their answers: in words, as JSON (`--json`) or as a table (`--csv`).

After `flags.adopt_module_key_flags(answers)`, the --help of a program lists both flags.
"""

import contextlib
import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from absl import flags

flags.DEFINE_bool("json", False, "Print one JSON object on one line for each answer.")
flags.DEFINE_bool(
    "csv",
    False,
    "Print a table (CSV) with the fields of --json. The names of fields in fields have dots between, as in "
    "candidates.1.writer.",
)


@flags.multi_flags_validator(
    ["json", "csv"], "--json and --csv cannot be given together. Leave one of them out."
)
def _is_one_form(values: dict[str, Any]) -> bool:
    return not (values["json"] and values["csv"])


Say = Callable[..., None]


@contextlib.contextmanager
def printed() -> Iterator[Say]:
    """Gives a function that prints an answer as the flags say.

    The function takes the answer as it is in JSON (a mapping), and in words. A third argument, if there is one, holds the rows of the
    table; by default the answer is one row. A table is printed when all answers are there, or when the program is stopped, since
    answers may differ in their fields.
    """
    as_json, as_csv = flags.FLAGS.json, flags.FLAGS.csv
    rows: list[dict[str, object]] = []

    def say(data: Mapping[str, Any], text: str, table: Iterable[Mapping[str, Any]] | None = None) -> None:
        if as_csv:
            rows.extend(map(flat, [data] if table is None else table))
        else:
            print(json.dumps(data) if as_json else text, flush=True)

    try:
        yield say
    finally:
        if rows:
            names = list(dict.fromkeys(name for row in rows for name in row))
            table = csv.DictWriter(sys.stdout, names, lineterminator="\n")
            table.writeheader()
            table.writerows(rows)


def flat(data: Mapping[str, Any]) -> dict[str, object]:
    """The fields of a JSON object in one row: {'a': {'b': 1}, 'c': [{'d': 2}]} → {'a.b': 1, 'c.1.d': 2}.

    Lists of numbers and texts become one text, with '; ' between.
    """
    found: dict[str, object] = {}
    for name, value in data.items():
        if isinstance(value, list | tuple) and any(isinstance(one, Mapping) for one in value):
            value = {str(number): one for number, one in enumerate(value, 1)}
        if isinstance(value, Mapping):
            found |= {f"{name}.{inner}": one for inner, one in flat(value).items()}
        elif isinstance(value, list | tuple):
            found[name] = "; ".join(map(str, value))
        else:
            found[name] = json.dumps(value) if isinstance(value, bool) else value
    return found
