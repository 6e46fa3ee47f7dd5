"""Measures identify on pages under the conditions of `conditions`. The flags are in sheets.py."""

import collections
import dataclasses
import json
import pathlib
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np

from iam_writer.common.errors import MissingDataError
from iam_writer.common.files import write_beside
from iam_writer.common.provenance import provenance
from iam_writer.handwriting import iam_index, pages
from iam_writer.recognition import hands, reference
from iam_writer.recognition.described import described
from iam_writer.studies import conditions, glued_pages, iam_pages
from pipelines.system.progress import progress_bar

UNTOLD: Final = ("desk", "200 dpi", "150 dpi", "100 dpi")
"""Under these conditions the file does not tell its resolution."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """The answer about a page: the writer named first, whether the page was refused, and all warnings."""

    first: str | None
    accepted: bool
    warnings: Sequence[str]


def run(
    *, iam_dir: str, number: int, names: Sequence[str], checkpoint: str | None, output: str | None
) -> dict[str, dict[str, float]]:
    """Prints a row for each condition when it is done.

    Args:
      iam_dir: see the flags.
      number: how many pages are asked about.
      names: of CONDITIONS.
      checkpoint: see the flags.
      output: see the flags.

    Returns:
      for each condition the numbers of `pages`, of those `named_first`, `accepted`, and `refused_for_resolution`, and the numbers of
      `true` lines, of those `found`, and of `given` lines.

    Raises:
      MissingDataError: the folder has too few forms.
    """
    forms = iam_pages.forms(pathlib.Path(iam_dir))
    known, asked = chosen(pathlib.Path(iam_dir), forms, number)
    ask = (
        by_network(checkpoint)
        if checkpoint
        else by_descriptor(
            {
                writer: [iam_pages.glue(forms[form])[0] for form in of_writer]
                for writer, of_writer in known.items()
            }
        )
    )
    print(
        f"{'':18}{'pages':>6}{'lines':>7}{'found':>8}{'false':>8}{'named first':>13}{'accepted':>10}{'refused for resolution':>24}"
    )
    found = {}
    for name in names:
        found[name] = under(name, ask, asked, forms)
        print(row(name, found[name]), flush=True)
    if output:
        report = {"iam_dir": iam_dir, "checkpoint": checkpoint, "conditions": found} | provenance()
        write_beside(pathlib.Path(output), json.dumps(report, indent=2) + "\n")
    return found


def chosen(
    folder: pathlib.Path, forms: Iterable[str], number: int
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The forms of the writers with the most forms: one or two are known, and the next is asked about.

    Returns:
      writer → known forms; writer → the form that is asked about.
    """
    of_form = iam_index.read_forms(folder / "ascii/forms.txt")
    of_writer = collections.defaultdict(list)
    for form in forms:
        of_writer[of_form[form].writer].append(form)
    writers = sorted(
        (writer for writer in of_writer if len(of_writer[writer]) > 1),
        key=lambda writer: -len(of_writer[writer]),
    )
    if not writers:
        raise MissingDataError(
            f"{folder} holds no writer with two whole forms. Name IAM's folder with --iam_dir."
        )
    writers = writers[:number]
    known = {writer: of_writer[writer][: 2 if len(of_writer[writer]) > 2 else 1] for writer in writers}
    return known, {writer: of_writer[writer][len(known[writer])] for writer in writers}


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


def by_network(checkpoint: str) -> _Ask:
    """Asks a network."""
    from iam_writer.recognition import inputs, recognizer

    network = recognizer.load(checkpoint, inputs.open_calibration(checkpoint))

    def ask(page: pages.Page, told: float | None) -> Asked:
        scan = network.scan(page)
        if network.is_upside_down(page, scan):
            page = page.upside_down()
            scan = network.scan(page)
        answer = network.answer(scan)
        return Asked(
            network.writers[int(answer.probabilities.argmax())], answer.known, network.warnings(page, scan)
        )

    return ask


def under(
    name: str, ask: _Ask, asked: dict[str, str], forms: dict[str, list[iam_pages.Item]]
) -> dict[str, float]:
    """Asks about each page under a condition. Returns: see `run`."""
    counts: collections.Counter[str] = collections.Counter(
        named_first=0, accepted=0, refused_for_resolution=0
    )
    for writer, form in progress_bar(asked.items(), desc=name, unit=" pages", leave=False):
        random = np.random.default_rng(zlib.crc32(f"{name} {form}".encode()))
        picture, numbers = conditions.CONDITIONS[name](*iam_pages.glue(forms[form]), random)
        page = pages.find_lines(picture)
        counts["pages"] += 1
        counts["true"] += len(np.unique(numbers)) - 1
        counts["found"] += glued_pages.found(page, numbers)
        counts["given"] += len(page.lines)
        if not page.lines:
            counts["refused_for_resolution"] += any("resolution" in text for text in page.warnings)
            continue
        answer = ask(page, None if name in UNTOLD else conditions.DPI)
        counts["named_first"] += answer.first == writer
        counts["accepted"] += answer.first == writer and answer.accepted
        counts["refused_for_resolution"] += not answer.accepted and any(
            "resolution" in text for text in answer.warnings
        )
    return dict(counts)


def row(name: str, found: dict[str, float]) -> str:
    """A row of the table for a person."""
    number = found["pages"]
    shares = f"{found['found'] / found['true']:>8.1%}{1 - found['found'] / max(1, found['given']):>8.1%}"
    answers = f"{found['named_first'] / number:>13.0%}{found['accepted'] / number:>10.0%}{found['refused_for_resolution']:>24}"
    return f"{name:18}{number:>6}{found['true']:>7}{shares}{answers}"
