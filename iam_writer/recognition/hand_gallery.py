"""A gallery for the hand descriptor: writers with the counts of their enrolled pages. Does not import TensorFlow.

`gallery` is the gallery for a network.
"""

import io
import json
import os
from collections.abc import Mapping

import numpy as np

from iam_writer.common.errors import GalleryError
from iam_writer.common.files import write_beside
from iam_writer.recognition import descriptor
from iam_writer.recognition.described import DescribedPage
from iam_writer.recognition.hands import Sample
from iam_writer.recognition.reference import Reference
from pipelines.system.arrays import load_arrays


def enrolled(path: str | os.PathLike[str], population: Reference) -> dict[str, Sample]:
    """The writers of a gallery, sorted by name.

    Raises:
      GalleryError: there is no gallery, it is damaged, or it was made with a network or another version of the descriptor.
    """
    try:
        arrays = load_arrays(path)
        if "checkpoint" in arrays:
            raise GalleryError(
                f"{path} was made with a network. Name the network with --checkpoint, or enroll the writers again."
            )
        if str(arrays["reference"]) != population.fingerprint:
            raise GalleryError(
                f"{path} was made with another version of iam_writer. Enroll the writers again."
            )
        about, counts, looks = json.loads(str(arrays["about"])), arrays["counts"], arrays["looks"]
        _check(about, counts, looks)
        found: dict[str, list[DescribedPage]] = {}
        for row, one, look in zip(about, counts, looks, strict=True):
            page = DescribedPage(row["path"], row["sha256"], one, row["lines"], look, tuple(row["warnings"]))
            found.setdefault(row["writer"], []).append(page)
    except FileNotFoundError:
        raise GalleryError(f"There is no gallery {path}. Make one with `iam-writer enroll`.") from None
    except GalleryError:
        raise
    except Exception as error:  # The JSON text and the arrays of a damaged file fail in many ways.
        raise GalleryError(
            f"{path} cannot be read as a gallery: {error}. Enroll the writers again."
        ) from error
    return {writer: Sample(writer, tuple(found[writer])) for writer in sorted(found)}


def _check(about: object, counts: np.ndarray, looks: np.ndarray) -> None:
    """Raises ValueError if the parts of a gallery are not what `write_gallery` writes, as in a damaged file."""
    texts, number = ("writer", "path", "sha256"), "lines"
    if not isinstance(about, list) or not all(
        isinstance(row, dict)
        and all(isinstance(row.get(name), str) for name in texts)
        and isinstance(row.get(number), int)
        and isinstance(row.get("warnings"), list)
        and all(isinstance(text, str) for text in row["warnings"])
        for row in about
    ):
        raise ValueError("its list of pages is damaged")
    if counts.shape != (len(about), 2, descriptor.SIZE) or counts.dtype.kind not in "iuf":
        raise ValueError("its counts are damaged")
    if looks.ndim != 3 or len(looks) != len(about) or looks.dtype.kind != "f":
        raise ValueError("its small pictures are damaged")
    if not (np.isfinite(counts).all() and (counts >= 0).all() and np.isfinite(looks).all()):
        raise ValueError("its counts are no numbers")


def write_gallery(path: str | os.PathLike[str], known: Mapping[str, Sample], population: Reference) -> None:
    """Writes the writers into a file. Raises OSError if it cannot be written; then an older file is unchanged."""
    pages = [(writer, page) for writer, sample in known.items() for page in sample.pages]
    about = [
        {
            "writer": writer,
            "path": page.path,
            "sha256": page.sha256,
            "lines": page.lines,
            "warnings": page.warnings,
        }
        for writer, page in pages
    ]
    file = io.BytesIO()
    np.savez_compressed(
        file,
        reference=np.array(population.fingerprint),
        about=np.array(json.dumps(about)),
        counts=np.array([page.counts for _, page in pages]).reshape(-1, 2, descriptor.SIZE),
        looks=np.array([page.look for _, page in pages]),
    )
    write_beside(path, file.getvalue())


def with_pages(known: Mapping[str, Sample], added: Sample) -> dict[str, Sample]:
    """The writers with more pages of one of them, who may be new. A page that the writer has already is not added again."""
    before = known[added.name].pages if added.name in known else ()
    hashes = {page.sha256 for page in before}
    new = tuple(page for page in added.pages if page.sha256 not in hashes)
    return {**known, added.name: Sample(added.name, (*before, *new))}


def doubtful(added: Sample, known: Mapping[str, Sample]) -> list[str]:
    """Sentences about possible mistakes in what is enrolled."""
    found = [
        f"The gallery also has a writer {name!r}, whose name differs from {added.name!r} only in capital letters."
        for name in known
        if name != added.name and name.casefold() == added.name.casefold()
    ]
    for page in added.pages:
        for name, sample in known.items():
            for other in sample.pages:
                if page.shows_the_same_as(other):
                    found.append(
                        f"{page.path} shows the same page as {other.path}, which is enrolled for {name}."
                    )
    return found


def renamed(known: Mapping[str, Sample], name: str, to: str) -> dict[str, Sample]:
    """The writers, one of them with another name. If there is a writer of that name, this writer gets the pages of both.

    Raises:
      GalleryError: there is no such writer.
    """
    rest = without(known, name)
    return with_pages(rest, Sample(to, known[name].pages))


def without(known: Mapping[str, Sample], name: str) -> dict[str, Sample]:
    """The writers without one of them.

    Raises:
      GalleryError: there is no such writer.
    """
    if name not in known:
        raise GalleryError(f"There is no writer {name!r} in the gallery. It has: {', '.join(known)}.")
    return {writer: sample for writer, sample in known.items() if writer != name}
