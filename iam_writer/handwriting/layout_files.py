"""Finds the PAGE-XML or ALTO file that belongs to a picture. Does not use TensorFlow.

For a picture page.png the first of these files is taken: page.xml in the same folder, in page/ or in alto/ (as eScriptorium and
Transkribus export); or what the mets.xml of an OCR-D workspace says.
"""

import dataclasses
import functools
import hashlib
import os
import pathlib
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote, urlparse

from iam_writer.handwriting import documents, layouts
from iam_writer.handwriting.layouts import Layout, LayoutError

FOLDERS: Final = ("", "page", "alto", "PAGE", "ALTO")
"""Where the file of a picture is searched, below the folder of the picture."""


@dataclasses.dataclass(frozen=True)
class Found:
    """A file beside a picture.

    Attributes:
      path: of the file.
      sha256: of its content, in hexadecimal.
      layout: its lines as the file gives them; None if it cannot be used.
      why: why it cannot be used, a sentence that follows the name of the file; empty if it can.
    """

    path: str
    sha256: str
    layout: Layout | None
    why: str = ""

    @property
    def name(self) -> str:
        """The name of the file in messages, such as 'page.xml'."""
        return pathlib.PurePath(self.path).name


NOT_USED: Final = "was not used, and the program found the lines itself"
"""What the warning about a file says that cannot be used."""


def find(picture: str | os.PathLike[str]) -> Found | None:
    """The file that gives the lines of a picture; None if there is none.

    Args:
      picture: an image file, or the name of a page, see `documents`.
    """
    file, number = documents.split(os.fspath(picture))
    path = pathlib.Path(file)
    for folder in FOLDERS:
        found = _read(path.parent / folder / f"{path.stem}.xml", number or 1)
        if found is not None:
            return found
    for folder_path in (path.parent, path.parent.parent):
        workspace = folder_path / "mets.xml"
        if workspace.is_file():
            return _by_workspace(workspace, path)
    return None


def in_words(files: Sequence[str]) -> str | None:
    """Tells where the lines of pages are from; None if the program found all of them.

    Args:
      files: the PAGE-XML or ALTO file of each page; empty where there is none, see `pages.Page.layout`.
    """
    given = [file for file in files if file]
    if not given:
        return None
    if len(files) == 1:
        return f"The lines are from {given[0]}."
    which = f"the {len(files)}" if len(given) == len(files) else f"{len(given)} of {len(files)}"
    return f"The lines of {which} pages are from PAGE-XML or ALTO files beside them."


def _read(path: pathlib.Path, number: int) -> Found | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        layout = layouts.parse(data, number)
    except LayoutError as error:
        return Found(str(path), sha256, None, str(error))
    return None if layout is None else Found(str(path), sha256, layout)


def _by_workspace(workspace: pathlib.Path, picture: pathlib.Path) -> Found | None:
    """The last file about the page of a picture that has lines, as later steps of OCR-D write later groups of files."""
    try:
        pages = _pages_of(workspace, workspace.stat().st_mtime_ns)
    except (LayoutError, OSError) as error:
        return Found(str(workspace), "", None, str(error))
    here = os.path.realpath(picture)
    files = next((page for page in pages if here in page), ())
    texts = (_read(pathlib.Path(file), 1) for file in reversed(files) if file.endswith(".xml"))
    known = [found for found in texts if found is not None]
    return next(
        (found for found in known if found.layout and found.layout.lines), known[0] if known else None
    )


@functools.lru_cache(8)
def _pages_of(workspace: pathlib.Path, _changed: int) -> list[tuple[str, ...]]:
    """The files of each page, in the order of a METS file."""
    root = layouts.tree(workspace.read_bytes())
    files: dict[str, str] = {}
    pages: list[tuple[str, ...]] = []
    for element in root.iter():
        match layouts.name_of(element):
            case "file":
                places = [one for one in element if layouts.name_of(one) == "FLocat"]
                for place in places:
                    url = next((value for key, value in place.attrib.items() if key.endswith("href")), "")
                    if urlparse(url).scheme in ("", "file"):
                        files[element.get("ID", "")] = os.path.realpath(
                            workspace.parent / unquote(urlparse(url).path)
                        )
            case "div":
                ids = [one.get("FILEID", "") for one in element if layouts.name_of(one) == "fptr"]
                order = {id: place for place, id in enumerate(files)}
                own = sorted((id for id in ids if id in files), key=order.__getitem__)
                if own:
                    pages.append(tuple(files[id] for id in own))
    return pages
