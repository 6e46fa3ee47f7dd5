"""Finds the files of IAM in a folder, as its site serves them or as copies of it are arranged. Does not use TensorFlow.

The files are searched in one folder and in the folders below it:

- the index: `forms.txt` (or `forms_for_parsing.txt`, the same without its header) and, optionally, `sentences.txt`,
  `lines.txt` or `words.txt`; as files, or in `ascii.tgz`. Without forms.txt, the writers are taken from IAM's XML files,
  in a folder or in `xml.tgz`
- the images: in three places, in this order. First, below a folder `sentences` (or `lines`, `words`, `forms`: the unit).
  Second, in `sentences.tgz` (or `lines.tgz`, `words.tgz`, or `formsA-D.tgz` and the like). Third, any image with a
  fitting name (`a01-000u-s00-00.png`), in one folder or in a folder for each writer.

Only the first of these three places that has images is used. An archive is extracted once. Archives may also end with
.tar.gz, .tar or .zip.
"""

import functools
import os
import pathlib
import re
from collections.abc import Iterable, Iterator, Sequence

from iam_writer.common import errors
from iam_writer.handwriting import archives, images
from iam_writer.handwriting.iam_index import ID, Form, read_forms, read_xml

# So many levels of folders below manual_dir are searched. iam/data/sentences/a01/a01-000u/ needs five.
_DEPTH = 6

EXAMPLES = {
    "sentences": "a01-000u-s00-00.png",
    "lines": "a01-000u-00.png",
    "words": "a01-000u-00-00.png",
    "forms": "a01-000u.png",
}
SUFFIXES = {"sentences": "", "lines": "_lines", "words": "_words", "forms": "_forms"}
"""Unit → how the names of its configs end."""

# The archives of forms are formsA-D.tgz, formsE-H.tgz and formsI-Z.tgz.
_ARCHIVES = {unit: unit if unit != "forms" else r"forms([A-Z]-[A-Z])?" for unit in ID}


class IamFiles:
    """The files of IAM that were found.

    Args:
      manual_dir: the folder that is searched.
      unit: `sentences`, `lines`, `words` or `forms`.
      extract_dir: the folder for extracted archives.

    Attributes:
      forms: the pages, by id.
      forms_name: the file that tells the pages.
      index_files: the files of the index that were found.
      pieces_file: sentences.txt, lines.txt or words.txt, depending on the unit; None if there is no such file.
      images: the image files by id, sorted.

    Raises:
      MissingDataError: the index or the images are not there. The message says how to get them.
      ArchiveError, IndexFileError: see `IamDatabase`.
    """

    def __init__(
        self, manual_dir: str | os.PathLike[str] | None, unit: str, extract_dir: str | os.PathLike[str] | None
    ):
        if not manual_dir:
            raise errors.MissingDataError(
                f"The folder of the IAM database is not named. Name it with --manual_dir.\n{_how_to_get(unit)}"
            )
        self._folder = _absolute(manual_dir)
        self._unit = unit
        self._extract_dir = _absolute(extract_dir) if extract_dir else None
        if not self._folder.is_dir():
            raise errors.MissingDataError(
                f"There is no folder {self._folder}. Name the folder of the IAM database with --manual_dir.\n{_how_to_get(unit)}"
            )
        self._entries = list(_walk(self._folder, _DEPTH, self._extract_dir))
        forms_file = self._index_file("forms.txt", "forms_for_parsing.txt")
        self.pieces_file = self._index_file(f"{unit}.txt")
        self.images = self._find_images()
        xml_files = [] if forms_file else self._xml_files()
        self._check_complete(bool(forms_file or xml_files))
        self.forms: dict[str, Form] = read_forms(forms_file) if forms_file else read_xml(xml_files)
        self.forms_name = forms_file.name if forms_file else "IAM's XML files"
        self.index_files = [forms_file, self.pieces_file, *xml_files]

    def _index_file(self, *names: str) -> pathlib.Path | None:
        found = _first(self._entries, names)
        if not found and self._ascii_folder:
            found = _first(_walk(self._ascii_folder, _DEPTH), names)
        return found

    def _xml_files(self) -> list[pathlib.Path]:
        def named(entries: Iterable[os.DirEntry[str]]) -> list[pathlib.Path]:
            paths = [pathlib.Path(entry.path) for entry in entries if entry.name.endswith(".xml")]
            return sorted(path for path in paths if ID["forms"].fullmatch(path.stem))

        extracted = self._extract("xml")
        return named(self._entries) or [path for folder in extracted for path in named(_walk(folder, _DEPTH))]

    @functools.cached_property
    def _ascii_folder(self) -> pathlib.Path | None:
        return next(iter(self._extract("ascii")), None)

    def _archives(self, pattern: str) -> list[pathlib.Path]:
        """The archives whose names match, the least deep one of each name."""
        endings = "|".join(map(re.escape, archives.SUFFIXES))
        named = re.compile(rf"({pattern})({endings})")
        found: dict[str, pathlib.Path] = {}
        for entry in sorted(self._entries, key=lambda entry: (entry.path.count(os.sep), entry.path)):
            if match := named.fullmatch(entry.name):
                found.setdefault(match[1], pathlib.Path(entry.path))
        return [path for _, path in sorted(found.items())]

    def _extract(self, pattern: str) -> list[pathlib.Path]:
        """The folders of the extracted archives whose names match."""
        found = self._archives(pattern)
        if found and not self._extract_dir:
            raise errors.MissingDataError(
                f"{found[0]} must be extracted, but no folder for that is named. Name it with extract_dir."
            )
        extract_dir = self._extract_dir
        return [archives.extract(path, extract_dir, _is_wanted) for path in found] if extract_dir else []

    def _find_images(self) -> dict[str, os.DirEntry[str]]:
        found = self._images_in(self._entries, self._unit)
        below = len(str(self._folder))
        tree = [(id, file) for id, file in found if self._unit in file.path[below:].split(os.sep)]
        if tree:
            return _unique(tree)
        extracted = self._extract(_ARCHIVES[self._unit])
        inside = [entry for folder in extracted for entry in _walk(folder, _DEPTH)]
        return _unique(self._images_in(inside, self._unit) if extracted else found)

    @staticmethod
    def _images_in(entries: Iterable[os.DirEntry[str]], unit: str) -> list[tuple[str, os.DirEntry[str]]]:
        stems = ((os.path.splitext(entry.name), entry) for entry in entries)
        id = ID[unit]
        return [
            (stem, entry)
            for (stem, suffix), entry in stems
            if suffix.lower() in images.SUFFIXES and id.fullmatch(stem)
        ]

    def _check_complete(self, has_index: bool) -> None:
        """Raises MissingDataError with what is missing, unless there are an index and images."""
        if has_index and self.images:
            return
        missing = []
        if not has_index:
            missing.append("forms.txt (or forms_for_parsing.txt, or ascii.tgz, which holds it; or xml.tgz)")
        if not self.images:
            archive = "formsA-D.tgz" if self._unit == "forms" else f"{self._unit}.tgz"
            missing.append(
                f"images with names like {EXAMPLES[self._unit]} (in {archive}, in a folder {self._unit}, or in any other "
                "folder)"
            )
        names = sorted(entry.name for entry in os.scandir(self._folder))
        found = ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")
        raise errors.MissingDataError(
            f"The IAM database in {self._folder} is not complete.\n"
            f"  missing: {'; '.join(missing)}\n"
            f"  found: {found or 'nothing'}\n" + "".join(self._hints()) + _how_to_get(self._unit)
        )

    def _hints(self) -> Iterator[str]:
        """What can be done with what is there."""
        for unit in () if self.images else ID:
            archive = next(iter(self._archives(_ARCHIVES[unit])), None)
            images_there = self._images_in(self._entries, unit)
            if unit != self._unit and (archive or images_there):
                what = archive.name if archive else pathlib.Path(images_there[0][1].path).name
                there = f"{what} fits" if archive else f"images like {what} fit"
                yield (
                    f"  {there} the configs that end with {SUFFIXES[unit]}, such as --dataset=iam_writer/top50{SUFFIXES[unit]}\n"
                    if SUFFIXES[unit]
                    else f"  {there} --dataset=iam_writer/top50\n"
                )
        known = re.compile("|".join([*_ARCHIVES.values(), "ascii", "xml"]))
        for entry in self._entries:
            stem, dot, _ = entry.name.partition(".")
            if dot and entry.name.endswith(archives.SUFFIXES) and not known.fullmatch(stem):
                yield f"  {entry.name} is no archive of IAM by its name: unpack it here, or give it the name that IAM's site gives it\n"


def _is_wanted(name: str) -> bool:
    return name.lower().endswith((*images.SUFFIXES, ".txt", ".xml"))


def _how_to_get(unit: str) -> str:
    archive = "formsA-D.tgz, formsE-H.tgz and formsI-Z.tgz" if unit == "forms" else f"{unit}.tgz"
    return (
        "To get the database, register at\n"
        "  https://fki.tic.heia-fr.ch/databases/iam-handwriting-database\n"
        f"(free, for non-commercial research). Download ascii.tgz and {archive} into one folder. You need not extract them."
    )


def _absolute(folder: str | os.PathLike[str]) -> pathlib.Path:
    return pathlib.Path(os.path.abspath(pathlib.Path(folder).expanduser()))


def _walk(
    folder: str | os.PathLike[str], depth: int, skip: pathlib.Path | None = None
) -> Iterator[os.DirEntry[str]]:
    """The files in a folder, then those up to `depth` folders below, by name. Hidden names are left out."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: (entry.is_dir(), entry.name))
    except OSError as error:
        raise errors.MissingDataError(f"The folder {folder} cannot be read: {error.strerror}.") from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_file():
            yield entry
        elif entry.is_dir() and depth and pathlib.Path(entry.path) != skip:
            yield from _walk(entry.path, depth - 1, skip)


def _first(entries: Iterable[os.DirEntry[str]], names: Sequence[str]) -> pathlib.Path | None:
    """The file with the first of the names that was found. Among several such files, the least deep one."""
    found = [entry for entry in entries if entry.name in names]
    best = min(
        found, key=lambda entry: (names.index(entry.name), entry.path.count(os.sep), entry.path), default=None
    )
    return pathlib.Path(best.path) if best else None


def _unique(found: Sequence[tuple[str, os.DirEntry[str]]]) -> dict[str, os.DirEntry[str]]:
    files: dict[str, os.DirEntry[str]] = {}
    for id, entry in sorted(found, key=lambda item: item[0]):
        other = files.setdefault(id, entry)
        if other is not entry:
            raise errors.IndexFileError(
                f"There are two images of {id}: {other.path} and {entry.path}. Remove one of them."
            )
    return files
