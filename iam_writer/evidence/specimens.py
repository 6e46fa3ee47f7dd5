"""Reads pages whose writers are known, or not: folders of scans, and the IAM handwriting database. No TensorFlow."""

import collections
import dataclasses
import os
import pathlib
import re
from collections.abc import Collection, Iterable
from typing import Final

import numpy as np

from iam_writer.common.errors import BadImageError, MissingDataError
from iam_writer.handwriting import documents, sources
from iam_writer.handwriting.iam_database import IamDatabase
from iam_writer.handwriting.splits import shuffled
from iam_writer.recognition import hands
from iam_writer.recognition.described import DescribedPage, describe_all, describe_lines

LINE_NAME: Final = re.compile(r"(?P<form>.+)-[^-]+")
"""Files of single lines are named so; those with the same form are one page."""


@dataclasses.dataclass(frozen=True)
class Specimen:
    """A page.

    Attributes:
      name: of the page.
      writer: who wrote it; None if that is not known.
      of_lines: int32 `[lines, SIZE]`, counts of its lines.
      files: paths of its files, resolved.
      amount: see `reference.amount`.
    """

    name: str
    writer: str | None
    of_lines: np.ndarray
    files: tuple[str, ...]

    def counts(self, lines: int | None = None) -> np.ndarray:
        """int64 `[2, SIZE]`: counts of the first, third, fifth … of so many lines, and of the others."""
        some = self.of_lines[:lines].astype(np.int64)
        return np.stack([some[0::2].sum(axis=0), some[1::2].sum(axis=0)])


@dataclasses.dataclass(frozen=True)
class Specimens:
    """Pages of a collection.

    Attributes:
      pages: at least one.
      left_out: a sentence for each file that was left out.
      notes: sentences on PAGE-XML and ALTO files that gave the lines, or should have.
    """

    pages: tuple[Specimen, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> np.ndarray:
        """int64 `[n, 2, SIZE]`."""
        return np.stack([page.counts() for page in self.pages])

    @property
    def writers(self) -> list[str] | None:
        """Who wrote each page; None if that is not known of all."""
        names = [page.writer for page in self.pages if page.writer is not None]
        return names if len(names) == len(self.pages) else None

    def without(self, files: Collection[str]) -> "Specimens":
        """Without pages in some files, and without all pages by the same writers.

        Raises:
          MissingDataError: no page is left.
        """
        writers = {page.writer for page in self.pages if set(page.files) & set(files)} - {None}
        kept = tuple(
            page for page in self.pages if page.writer not in writers and not set(page.files) & set(files)
        )
        if not kept:
            raise MissingDataError(
                "The population has no page that is not in question. Name a folder with pages by others."
            )
        return dataclasses.replace(self, pages=kept)


def read(place: str | os.PathLike[str]) -> Specimens:
    """Reads a folder.

    Args:
      place: a folder with a folder of pages (or of lines, `<page>-<line>.png`) for each writer; a folder of pages whose writers
        are not known; or the IAM handwriting database, which has a forms.txt.

    Raises:
      MissingDataError: there is no such folder, or no page with handwriting in it.
    """
    root = pathlib.Path(place).expanduser()
    if not root.is_dir():
        raise MissingDataError(
            f"There is no folder {root}. Name a folder with a folder of pages for each writer."
        )
    if any((root / name).is_file() for name in ("forms.txt", "ascii/forms.txt")):
        return _of_iam(root)
    folders = [path for path in sorted(root.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    writer_of = {file: folder.name for folder in folders for file in sources.in_folder(folder)}
    files = list(writer_of) or sources.in_folder(root)
    names = [page for file in files for page in documents.pages_of(file)]
    pages, left_out = hands.good(describe_all(names, progress="Pages"))
    found = _joined(pages, writer_of)
    if not found:
        raise MissingDataError(
            f"{root} holds no page with handwriting. Make a folder for each writer, with page images in it."
        )
    return Specimens(tuple(found), tuple(left_out), tuple(hands.about_lines(pages)))


def _joined(pages: Iterable[DescribedPage], writer_of: dict[str, str]) -> list[Specimen]:
    """Puts files of single lines of one form together."""
    groups: dict[tuple[str | None, str], list[DescribedPage]] = collections.defaultdict(list)
    for page in pages:
        writer = writer_of.get(documents.split(page.path)[0])
        stem = os.path.splitext(page.path)[0]
        match = LINE_NAME.fullmatch(stem) if page.lines == 1 else None
        groups[writer, match["form"] if match else page.path].append(page)
    return [
        Specimen(
            name,
            writer,
            np.concatenate([page.of_lines for page in group]),
            tuple(os.path.realpath(page.path) for page in group),
        )
        for (writer, name), group in groups.items()
    ]


def _of_iam(root: pathlib.Path) -> Specimens:
    try:
        database = IamDatabase(root, "lines")
    except MissingDataError:
        database = IamDatabase(root, "sentences")
    lines = collections.defaultdict(list)
    for line in database.lines:
        lines[line.form].append(line)
    found, left_out = [], []
    read: dict[str, list[bytes]] = {}
    for form, of_form in lines.items():
        read[form] = []
        for line in of_form:
            try:
                read[form].append(database.read(line))
            except BadImageError as error:
                left_out.append(f"{error}. It was left out.")
    counts = describe_lines(read, progress="Forms")
    for form, of_lines in counts.items():
        if of_lines.any():
            found.append(Specimen(form, lines[form][0].writer, of_lines, ()))
    return Specimens(tuple(found), tuple(left_out))


def drawn(read: Specimens, writers: int | None, pages: int | None, seed: str) -> Specimens:
    """Some writers, and some pages of each, drawn by their names and a seed."""
    if read.writers is None:
        return read
    chosen = list(read.pages)
    if pages:
        some = set()
        for writer in set(read.writers):
            names = [page.name for page in chosen if page.writer == writer]
            if len(names) >= pages:
                some |= {(writer, name) for name in _shuffled(names, seed)[:pages]}
        chosen = [page for page in chosen if (page.writer, page.name) in some]
    if writers:
        some_writers = set(_shuffled({str(page.writer) for page in chosen}, seed)[:writers])
        chosen = [page for page in chosen if page.writer in some_writers]
    return dataclasses.replace(read, pages=tuple(chosen))


def _shuffled(names: set[str] | list[str], seed: str) -> list[str]:
    return [name.partition(" ")[2] for name in shuffled(f"{seed} {name}" for name in names)]
