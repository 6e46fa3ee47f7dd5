"""Reads the IAM handwriting database: sentences, lines, words, or whole forms. Does not use TensorFlow.

`iam_files` says where the files may lie, and `iam_index` reads the index.
"""

import collections
import hashlib
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence

from iam_writer.common import errors
from iam_writer.handwriting import cut_pages, images, pages
from iam_writer.handwriting.cut_pages import CutPage
from iam_writer.handwriting.iam_files import IamFiles
from iam_writer.handwriting.iam_index import ID, Form, Piece, Pieces, physical_rows, read_pieces
from iam_writer.handwriting.line import Census, Line


class IamDatabase:
    """Lines of IAM, pieces of lines, or words (a `handwriting.Handwriting`).

    Args:
      manual_dir: the folder that holds IAM, or a part of it. Images that the index promises may be absent.
      unit: `sentences` (pieces of lines: a line is cut where a sentence ends, as in the article), `lines`, `words`, or
        `forms` (whole pages, on which `pages` finds the lines).
      extract_dir: the folder into which archives are extracted, and in which the lines cut from forms are kept. It is
        needed only if there are archives or forms.

    Attributes:
      lines: the images that were found, sorted by id.
      expected: the census that the index promises. Without sentences.txt the number of its images is not known; then
        the number of images found is taken.
      ignored: forms on which no line was found, with the reason.
      warnings: rows of the index that are odd, and forms that are.
      fingerprint: SHA-256 over the ids and sizes of the images and over the index files, in hexadecimal.

    Raises:
      MissingDataError: the index or the images are not there. The message says how to get them.
      ArchiveError: an archive is damaged, too large, or would write outside of its folder.
      IndexFileError: a row is malformed, files contradict each other, or an image is there twice.
    """

    def __init__(
        self,
        manual_dir: str | os.PathLike[str] | None,
        unit: str = "sentences",
        extract_dir: str | os.PathLike[str] | None = None,
    ):
        if unit not in ID:
            raise ValueError(f"unit is {unit!r}. It must be one of {', '.join(ID)}.")
        files = IamFiles(manual_dir, unit, extract_dir)
        pieces = read_pieces(files.pieces_file, unit) if files.pieces_file and unit != "forms" else None
        # These are paths, not directory entries, so that Apache Beam can send a reader to its workers.
        self._paths = {id: file.path for id, file in files.images.items()}
        self._cut: dict[str, tuple[str, int]] = {}
        self.ignored: list[str] = []
        self.warnings: list[str] = []
        lines = _lines(files.images, files.forms_name, files.forms, pieces, unit)
        if pieces and pieces.odd and files.pieces_file:
            self.warnings.append(
                f"{len(pieces.odd):,} rows of {files.pieces_file.name} have not the form of a row. Their images are used "
                f"all the same. The first: {pieces.odd[0]}"
            )
        self.expected = _expected(lines, files.forms, pieces, unit)
        self.fingerprint = _fingerprint(files.images, files.index_files, unit)
        if unit == "forms":
            cache = (
                pathlib.Path(extract_dir or pathlib.Path(manual_dir or "") / ".lines").expanduser() / "pages"
            )
            lines = self._cut_forms(lines, cut_pages.cut(list(self._paths.values()), cache))
        self.lines = lines

    def read(self, line: Line) -> bytes:
        """The content of an 8-bit gray PNG file of the line.

        Raises:
          BadImageError: the image cannot be read. The message names the file and the reason.
        """
        if line.id in self._cut:
            archive, number = self._cut[line.id]
            # Checked as any image, since a damaged archive may hold a damaged line.
            return images.gray_png(cut_pages.read(archive, number), f"Line {number} in {archive}")
        return images.read_gray_png(self._paths[line.id])

    def _cut_forms(self, forms: Sequence[Line], cut: Mapping[str, CutPage]) -> list[Line]:
        """The lines that were found on the forms. A form that cannot be read stays, so that reading it gives the error."""
        lines = []
        for form in forms:
            page = cut.get(self._paths[form.id])
            if page is None:
                lines.append(form)
                continue
            if not page.sizes:
                self.ignored.append(f"{form.id} ({'; '.join(page.warnings)})")
            self.warnings += [f"{form.id}: {why}" for why in page.warnings if page.sizes]
            for number in range(1, len(page.sizes) + 1):
                id = f"{form.id}-{number:02}"
                self._cut[id] = page.archive, number
                lines.append(Line(id, form.writer, form.form, row=id))
        return lines


def _lines(
    files: Mapping[str, os.DirEntry[str]],
    forms_name: str,
    forms: Mapping[str, Form],
    pieces: Pieces | None,
    unit: str,
) -> list[Line]:
    form_of = {id: match["form"] for id in files if (match := ID[unit].fullmatch(id))}
    _check_known(
        [id for id in files if form_of[id] not in forms], f"belong to forms that are not in {forms_name}"
    )
    known: Mapping[str, Piece] = pieces.by_id if pieces else {}
    strangers = [id for id in files if id not in known] if pieces else []
    if pieces and len(strangers) > len(pieces.odd):  # A row that cannot be read may be the row of one image.
        _check_known(strangers, f"are not in {unit}.txt")
    rows = _physical_rows(files, known, strangers, unit)
    return [
        Line(
            id=id,
            writer=forms[form_of[id]].writer,
            form=form_of[id],
            row=rows.get(id, ""),
            text=known[id].text if id in known else "",
        )
        for id in files
    ]


def _physical_rows(
    files: Iterable[str], known: Mapping[str, Piece], strangers: Sequence[str], unit: str
) -> dict[str, str]:
    """Image → the physical text line that it lies on; nothing for the pieces of a sentence without sentences.txt."""
    if unit in ("lines", "forms"):
        return {id: id for id in files}
    if unit == "words":
        return {id: match["line"] for id in files if (match := ID[unit].fullmatch(id))}
    rows = physical_rows(known.values())
    before = ""
    for id in (
        files
    ):  # They are sorted. A piece without a row of the index may lie on the row of the piece before it.
        same_form = before.partition("-s")[0] == id.partition("-s")[0]
        if id in strangers:
            rows[id] = rows[before] if same_form else id
        before = id
    return rows


def _check_known(strangers: Sequence[str], why: str) -> None:
    if strangers:
        first = ", ".join(strangers[:5]) + (" ..." if len(strangers) > 5 else "")
        raise errors.IndexFileError(
            f"{len(strangers):,} images {why}: {first}. Remove these images, or complete the file."
        )


def _expected(lines: Sequence[Line], forms: Mapping[str, Form], pieces: Pieces | None, unit: str) -> Census:
    if pieces is None:
        count = sum(form.lines for form in forms.values()) if unit in ("lines", "forms") else len(lines)
        return Census(count, len({form.writer for form in forms.values()}), len(forms))
    # If forms.txt was cut down to a subset, only that subset is expected.
    per_form = collections.Counter(piece.form for piece in pieces.by_id.values() if piece.form in forms)
    return Census(per_form.total(), len({forms[form].writer for form in per_form}), len(per_form))


def _fingerprint(
    files: Mapping[str, os.DirEntry[str]], index_files: Iterable[pathlib.Path | None], unit: str
) -> str:
    rows: list[object] = [(id, entry.stat().st_size) for id, entry in files.items()]
    # The version of the code that cuts pages matters only if pages were cut.
    digest = hashlib.sha256(repr([*rows, *[pages.VERSION] * (unit == "forms")]).encode())
    for path in index_files:
        digest.update(hashlib.sha256(path.read_bytes() if path else b"").digest())
    return digest.hexdigest()
