"""Reads public sets of handwriting in the layouts of their own archives. Does not use TensorFlow.

The name of a file tells the writer and the page, so the folders of a set may lie anywhere below the folder. `SETS` is the
table of the sets. IAM has a reader of its own, `iam_database`.
"""

import dataclasses
import itertools
import os
import pathlib
import re
from collections.abc import Sequence

from iam_writer.common import errors
from iam_writer.handwriting import archives, images
from iam_writer.handwriting.folder import HandwritingFolder, existing
from iam_writer.handwriting.scans import Found, Scan, walk


@dataclasses.dataclass(frozen=True)
class PublicSet:
    """A set, and how its files are named.

    Attributes:
      title: as people know it.
      get: where it is.
      units: patterns of whole file names without suffixes, with the groups `writer` and `page`. A set may hold its pages,
        lines and words at once. Then only the images of the first pattern that is there are used.
      example: a file, with its folders as the set has them.
    """

    title: str
    get: str
    units: tuple[str, ...]
    example: str


SETS = {
    "cvl": PublicSet(
        "CVL, 310 writers, five or seven texts each",
        "https://zenodo.org/records/1492267 (cvl-database-1-1.zip)",
        (
            r"(?P<page>(?P<writer>\d{4})-\d)-\d{1,2}",
            r"(?P<page>(?P<writer>\d{4})-\d)-cropped",
            r"(?P<page>(?P<writer>\d{4})-\d)",
            r"(?P<page>(?P<writer>\d{4})-\d)-\d{1,2}-\d{1,2}(-.*)?",
        ),
        "cvl-database-1-1/testset/lines/0052/0052-1-0.tif",
    ),
    "firemaker": PublicSet(
        "Firemaker, 250 writers, four tasks each",
        "https://zenodo.org/records/1194612",
        (r"(?P<page>(?P<writer>\d{3})0[1-4])",),
        "300dpi/p1-copy-normal/15201.tif",
    ),
    "icdar2013": PublicSet(
        "ICDAR 2013 writer identification, four pages of each writer",
        "https://users.iit.demokritos.gr/~louloud/ICDAR2013WriterIdentificationComp/ (unpack the .rar files)",
        (r"(?P<page>(?P<writer>\d{3})_[1-4])",),
        "icdar2013_benchmarking_dataset/101_1.tif",
    ),
    "cerug": PublicSet(
        "CERUG, 105 writers, Chinese and English",
        "https://www.ai.rug.nl/~sheng/writeridataset.html",
        (
            r"(?P<page>(?P<writer>Writer\d{2,4})_\d{2}(-\d{2})?)",
            r"(?P<page>(?P<writer>Writer\d{2,4})_\d{2}(-\d{2})?)[-_]line[-_].*",
        ),
        "CERUG-EN/Writer0101_03-01.png",
    ),
    "csafe": PublicSet(
        "CSAFE, three prompts, repeated in three sessions",
        "https://data.csafe.iastate.edu/HandwritingDatabase/",
        (r"(?P<page>(?P<writer>w\d{4})_s\d{2}_p[A-Z]{3}_r\d{2})",),
        "w0001/w0001_s01_pLND_r01.png",
    ),
}
"""Config → set."""


class PublicHandwriting(HandwritingFolder):
    """The lines of a public set (a `handwriting.Handwriting`). Pages are cut into lines.

    Args:
      name: a key of `SETS`.
      folder: the folder that holds the set, unpacked, or its archives (.zip, .tgz, .tar.gz, .tar).
      extract_dir: the folder for extracted archives and for lines cut from pages.

    Attributes: see `HandwritingFolder`.

    Raises:
      MissingDataError: there is no image of the set. The message says how its files are named.
      ArchiveError: an archive is damaged, too large, or would write outside of its folder.
      IndexFileError: a file is there twice, or a name is not UTF-8.
      NoWritingError: a writer has images, but none of them has a text line.
    """

    def __init__(
        self,
        name: str,
        folder: str | os.PathLike[str] | None,
        extract_dir: str | os.PathLike[str] | None = None,
    ):
        which = SETS[name]
        layout = f"The set {which.title}, is at\n  {which.get}\nIts files have names like {which.example}."
        root = existing(folder, layout)
        cache = pathlib.Path(extract_dir or root / ".lines").expanduser()
        paths = [path for path in walk(root) if cache not in pathlib.Path(path).parents]
        found = _found(which, root, paths)
        if not found.scans:
            packed = [path for path in paths if path.lower().endswith(archives.SUFFIXES)]
            for archive in packed:
                extracted = archives.extract(pathlib.Path(archive), cache, _is_wanted)
                found = _found(which, extracted, list(walk(extracted)), found)
        if not found.scans:
            seen = ", ".join(sorted(os.path.relpath(path, root) for path in paths)[:5]) or "nothing"
            raise errors.MissingDataError(
                f"There is no image of the set in {root}. It holds: {seen}.\n{layout}"
            )
        self._load(found, root, cache / "pages")


def _found(which: PublicSet, root: pathlib.Path, paths: Sequence[str], before: Found | None = None) -> Found:
    """The scans of the first unit that is there."""
    scans = list(before.scans) if before else []
    for unit in which.units:
        pattern = re.compile(unit)
        for path in paths:
            stem, suffix = os.path.splitext(os.path.basename(path))
            match = pattern.fullmatch(stem)
            if match and suffix.lower() in images.SUFFIXES:
                id = f"{match['writer']}/{stem}"
                scans.append(Scan(id, path, match["writer"], stem, match["page"], told=True))
        if scans:
            break
    scans.sort(key=lambda scan: scan.id)
    for one, other in itertools.pairwise(scans):
        if one.id == other.id:
            raise errors.IndexFileError(
                f"{one.path} and {other.path} have one name. If they are of two parts of the set, name the folder of one with "
                "--manual_dir; otherwise remove one of them."
            )
    return Found(scans, [], [])


def _is_wanted(name: str) -> bool:
    return name.lower().endswith(images.SUFFIXES)
