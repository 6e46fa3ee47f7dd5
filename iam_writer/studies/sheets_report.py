"""Measures identify on pages under the conditions of `conditions`. The flags are in sheets.py."""

import collections
import dataclasses
import json
import pathlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from iam_writer.common.errors import FlagError, MissingDataError
from iam_writer.common.files import write_beside
from iam_writer.common.provenance import provenance
from iam_writer.handwriting import iam_index, pages
from iam_writer.recognition import hands, reference
from iam_writer.recognition.described import described
from iam_writer.studies import conditions, glued_pages, iam_pages
from pipelines.system.progress import progress_bar

UNTOLD: Final = ("desk", "200 dpi", "150 dpi", "100 dpi")
"""Under these conditions the file does not tell its resolution."""

Row = dict[str, Any]
"""The result for a page: `condition`, `form`, `writer`, `stranger`; the numbers of `true`, `found` and `given` lines; `warnings` of the
page; for each way of asking the fields of an `Asked`, or None if no line was found."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """The answer about a page: the writer named first, whether the page was accepted, and all warnings of a refusal."""

    first: str | None
    accepted: bool
    warnings: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Forms:
    """The forms of a study.

    Attributes:
      known: writer → one or two forms, which are known.
      asked: writer → another form, which is asked about.
      strangers: the same for writers who are not known.
    """

    known: dict[str, list[str]]
    asked: dict[str, str]
    strangers: dict[str, str]


def run(
    *,
    iam_dir: str,
    number: int,
    names: Sequence[str],
    strangers: int = 0,
    checkpoint: str | None = None,
    known: bool = True,
    split: str = "test",
    data_dir: str | None = None,
    output: str | None = None,
) -> list[Row]:
    """Prints a row for each condition when it is done.

    Args:
      number: how many pages are asked about.
      names: of CONDITIONS.
      others: see the flags.

    Returns:
      The results of all pages.

    Raises:
      FlagError: `output` holds the results of other flags.
      MissingDataError: the folder has too few forms.
    """
    folder = pathlib.Path(iam_dir)
    forms = iam_pages.forms(folder)
    settings = {"iam_dir": iam_dir, "checkpoint": checkpoint, "known": known, "split": split}
    kept = _kept(pathlib.Path(output), settings) if output else []
    ways: dict[str, _Ask] = {}
    if checkpoint:
        ask, of_split = by_checkpoint(checkpoint, split, data_dir)
        ways["checkpoint"] = ask
        chosen = chosen_of_splits(folder, forms, of_split, number, strangers)
    else:
        chosen = chosen_of_all(folder, forms, number, strangers)
    if known:
        ways["known"] = by_descriptor(
            {
                writer: [iam_pages.glue(forms[form])[0] for form in some]
                for writer, some in chosen.known.items()
            }
        )
    print(head(ways))
    found: list[Row] = []
    for name in names:
        rows = []
        for row in under(name, ways, chosen, forms, [row for row in kept if row["condition"] == name]):
            rows.append(row)
            if output and row not in kept:
                with open(output, "a") as file:
                    file.write(json.dumps(row) + "\n")
        print("\n".join(table_rows(name, rows)), flush=True)
        found += rows
    return found


def _kept(path: pathlib.Path, settings: Row) -> list[Row]:
    """What an earlier run has written; begins the file if there is none."""
    if not path.exists():
        path.write_text(json.dumps({"settings": settings} | provenance()) + "\n")
        return []
    first, *rows = (line for line in path.read_text().split("\n") if line)
    if json.loads(first)["settings"] != settings:
        raise FlagError(f"{path} holds the results of other flags. Give another file as --output.")
    found = []
    for line in rows:
        try:
            found.append(json.loads(line))
        except ValueError:  # The program was killed while it wrote this row.
            write_beside(path, "".join(f"{json.dumps(row)}\n" for row in [json.loads(first), *found]))
            break
    return found


def chosen_of_all(folder: pathlib.Path, forms: Iterable[str], number: int, strangers: int) -> Forms:
    """The forms of the writers with the most forms: one or two are known, and the next is asked about."""
    of_writer = _by_writer(folder, forms)
    writers = sorted(
        (writer for writer in of_writer if len(of_writer[writer]) > 1),
        key=lambda writer: -len(of_writer[writer]),
    )
    if not writers:
        raise MissingDataError(
            f"{folder} holds no writer with two whole forms. Name IAM's folder with --iam_dir."
        )
    others = {writer: of_writer[writer][0] for writer in writers[number : number + strangers]}
    writers = writers[:number]
    known = {writer: of_writer[writer][: 2 if len(of_writer[writer]) > 2 else 1] for writer in writers}
    return Forms(known, {writer: of_writer[writer][len(known[writer])] for writer in writers}, others)


def chosen_of_splits(
    folder: pathlib.Path,
    forms: Iterable[str],
    of_split: Mapping[str, Mapping[str, Iterable[str]]],
    number: int,
    strangers: int,
) -> Forms:
    """Forms of the writers of a checkpoint: forms of train are known, and a form that is held out is asked about.

    Args:
      folder: of IAM.
      forms: that are whole in the folder.
      of_split: 'train' and 'asked' → writer → forms.
      number: of writers who are asked about. All writers of the checkpoint are known.
      strangers: so many writers whom the checkpoint does not know.
    """
    whole, of_writer = set(forms), _by_writer(folder, forms)
    here = {
        part: {writer: sorted(whole & set(some)) for writer, some in by_writer.items()}
        for part, by_writer in of_split.items()
    }
    writers = sorted(writer for writer, some in here["asked"].items() if some and here["train"].get(writer))
    if not writers:
        raise MissingDataError(
            f"{folder} holds none of the forms that the checkpoint was trained on. Name the same folder of IAM with --iam_dir."
        )
    names = set(of_split["train"]) | set(of_split["asked"])
    others = sorted(set(of_writer) - names, key=lambda writer: (-len(of_writer[writer]), writer))
    return Forms(
        {writer: here["train"][writer][:2] for writer in writers},
        {writer: here["asked"][writer][0] for writer in writers[:number]},
        {writer: of_writer[writer][0] for writer in others[:strangers]},
    )


def _by_writer(folder: pathlib.Path, forms: Iterable[str]) -> dict[str, list[str]]:
    of_form = iam_index.read_forms(folder / "ascii/forms.txt")
    of_writer = collections.defaultdict(list)
    for form in forms:
        of_writer[of_form[form].writer].append(form)
    return dict(of_writer)


_Ask = Callable[[pages.Page, float | None], Asked]


def by_descriptor(known: dict[str, list[np.ndarray]]) -> _Ask:
    """Asks the hand descriptor, which knows these pages of each writer."""
    population = reference.read()

    def sample(name: str, read: Sequence[pages.Page], told: float | None) -> hands.Sample:
        return hands.Sample(
            name, tuple(described(f"{name}-{i}", f"{name}-{i}", page, told) for i, page in enumerate(read))
        )

    progress = progress_bar(known.items(), desc="known writers", leave=False)
    samples = {
        writer: sample(writer, [pages.find_lines(page) for page in some], conditions.DPI)
        for writer, some in progress
    }

    def ask(page: pages.Page, told: float | None) -> Asked:
        answer = hands.rank_likeliest(
            sample("asked", [page], told),
            samples,
            population,
            lambda one, dpi: described(one.path, one.sha256, page, None, dpi),
        )
        return Asked(answer.candidates[0][0], answer.writer is not None, answer.warnings)

    return ask


def by_checkpoint(
    checkpoint: str, split: str, data_dir: str | None
) -> tuple[_Ask, dict[str, dict[str, set[str]]]]:
    """Asks a checkpoint. Also returns which forms of its dataset it was trained on, and which forms a split holds."""
    from iam_writer.common import datasets
    from iam_writer.recognition import inputs, recognizer
    from iam_writer.studies.people import form_names

    network = recognizer.load(checkpoint, inputs.open_calibration(checkpoint))
    own = datasets.builders(network.run, data_dir)
    if len(own) > 1:
        raise FlagError(
            f"{checkpoint} was trained on several datasets. Name one that was trained on IAM alone."
        )

    def ask(page: pages.Page, told: float | None) -> Asked:
        scan = network.scan(page)
        if network.is_upside_down(page, scan):
            page = page.upside_down()
            scan = network.scan(page)
        answer = network.answer(scan)
        # To find out what is odd about a page takes as long as to read it. Only the warnings of refusals are counted.
        warnings = [] if answer.known else network.warnings(page, scan)
        return Asked(network.writers[int(answer.probabilities.argmax())], answer.known, warnings)

    return ask, {"train": form_names(own, ["train"]), "asked": form_names(own, [split])}


def under(
    name: str,
    ways: Mapping[str, _Ask],
    chosen: Forms,
    forms: Mapping[str, list[iam_pages.Item]],
    kept: Sequence[Row] = (),
) -> Iterator[Row]:
    """Asks about each page under a condition, unless its row was kept."""
    every = [
        (writer, form, stranger)
        for some, stranger in ((chosen.asked, False), (chosen.strangers, True))
        for writer, form in some.items()
    ]
    done = {(row["form"], row["stranger"]): row for row in kept}
    for writer, form, stranger in progress_bar(every, desc=name, unit=" pages", leave=False):
        row = done.get((form, stranger))
        if row is None:
            random = np.random.default_rng(zlib.crc32(f"{name} {form}".encode()))
            picture, numbers = conditions.CONDITIONS[name](*iam_pages.glue(forms[form]), random)
            page = pages.find_lines(picture)
            row = {
                "condition": name,
                "form": form,
                "writer": writer,
                "stranger": stranger,
                "true": len(np.unique(numbers)) - 1,
                "found": glued_pages.found(page, numbers),
                "given": len(page.lines),
                "warnings": page.warnings,
            }
            told = None if name in UNTOLD else conditions.DPI
            for way, ask in ways.items():
                row[way] = dataclasses.asdict(ask(page, told)) if page.lines else None
            row = json.loads(json.dumps(row))  # As it is read again.
        yield row


def head(ways: Iterable[str]) -> str:
    columns = "".join(f"{f'{way}: first':>19}{'accepted':>10}{'strangers':>11}" for way in ways)
    return f"{'':18}{'pages':>6}{'lines':>7}{'found':>8}{'false':>8}{columns}"


def table_rows(name: str, rows: Sequence[Row]) -> list[str]:
    """The rows of the table for a person: one, and another if pages were refused for their resolution."""
    known = [row for row in rows if not row["stranger"]]
    others = [row for row in rows if row["stranger"]]
    true, found, given = (sum(row[key] for row in rows) for key in ("true", "found", "given"))
    text = f"{name:18}{len(rows):>6}{true:>7}{found / max(1, true):>8.1%}{1 - found / max(1, given):>8.1%}"
    notes = []
    for way in [way for way in ("checkpoint", "known") if rows and way in rows[0]]:
        first = [bool(row[way]) and row[way]["first"] == row["writer"] for row in known]
        accepted = [is_first and row[way]["accepted"] for is_first, row in zip(first, known, strict=True)]
        taken = sum(bool(row[way]) and row[way]["accepted"] for row in others)
        text += f"{np.mean(first):>19.0%}{np.mean(accepted):>10.0%}" + f"{taken} of {len(others)}".rjust(11)
        wrong = sum(
            bool(row[way]) and row[way]["accepted"] and row[way]["first"] != row["writer"] for row in known
        )
        refused = [row for row in rows if row[way] is None or not row[way]["accepted"]]
        coarse = sum(any("resolution" in text for text in (row[way] or row)["warnings"]) for row in refused)
        if wrong or coarse:
            notes.append(
                f"{'':18}{way}: {wrong} pages were given to another known writer; {coarse} of {len(refused)} refusals name the "
                "resolution"
            )
    return [text, *notes]
