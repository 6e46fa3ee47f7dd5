"""Finds scans that are copies of each other: the same bytes, or nearly the same picture. Does not use TensorFlow.

A copy may differ in its format, its resolution, its brightness or some noise. A second scan of the same sheet, which lies
a little differently on the glass, is not found.

Two pictures are compared by small pictures of them (as perceptual hashes are made), of `_GRID` cells: by the correlation
of their grays. On 3,000 pieces of lines of IAM, the highest correlation of two different pieces of the same shape was
0.63. That of a piece and its copy at half the resolution, at JPEG quality 40, or with noise, was above 0.94. On 220 pages
glued from IAM's pieces, all with the same spacing, the highest correlation of two different pages was 0.72.
"""

import collections
import concurrent.futures
import hashlib
import io
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from iam_writer.common.errors import BadImageError
from iam_writer.common.files import write_beside
from iam_writer.handwriting import images
from pipelines.system.arrays import load_arrays
from pipelines.system.cores import usable_cores

Size = tuple[int, int]

MIN_PIXELS = 5_000
"""Smaller images are not compared: full stops look alike."""

_LINE = 4.0
"""An image at least so many times as wide as high is compared as a line. Words are narrower, and `the` looks like `the`."""

_PAGE_SIDE = 300
"""Pixels. An image with no shorter side is compared as a page, if it is not a line."""

_GRID = {"line": (64, 16), "page": (64, 64)}
"""Cells of the small picture, [columns, rows]."""

_ALIKE = {"line": 0.85, "page": 0.9}
"""Least correlation of copies."""

_SHAPE = 0.04
"""The shapes (width / height) of copies differ by at most this share."""

_BLOCK = 512


def groups(paths: Mapping[str, str], sizes: Mapping[str, Size], cache: pathlib.Path) -> list[list[str]]:
    """The scans that are copies of each other.

    Args:
      paths: id → image file.
      sizes: id → width and height in pixels.
      cache: a folder. The small pictures are kept in it, so that each scan is read once.

    Returns:
      Groups of two or more ids, each sorted. An id is in one group at most.
    """
    large = [id for id in sorted(paths) if sizes[id][0] * sizes[id][1] >= MIN_PIXELS]
    pairs = [*_same_bytes(large, paths), *_alike(large, paths, sizes, cache)]
    return joined(pairs)


def joined(pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Groups of names that chains of pairs connect, each sorted."""
    first: dict[str, str] = {}

    def find(name: str) -> str:
        while first.setdefault(name, name) != name:
            first[name] = name = first[first[name]]
        return name

    for one, other in pairs:
        a, b = sorted((find(one), find(other)))
        first[b] = a
    found = collections.defaultdict(list)
    for name in sorted(first):
        found[find(name)].append(name)
    return [names for names in found.values() if len(names) > 1]


def _same_bytes(ids: Sequence[str], paths: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    of_size = collections.defaultdict(list)
    for id in ids:
        of_size[os.stat(paths[id]).st_size].append(id)
    for candidates in of_size.values():
        if len(candidates) < 2:
            continue
        seen: dict[bytes, str] = {}
        for id in candidates:
            try:
                digest = hashlib.sha256(pathlib.Path(paths[id]).read_bytes()).digest()
            except OSError:  # The message comes when the image is read.
                continue
            if seen.setdefault(digest, id) != id:
                yield seen[digest], id


def _alike(
    ids: Sequence[str], paths: Mapping[str, str], sizes: Mapping[str, Size], cache: pathlib.Path
) -> Iterable[tuple[str, str]]:
    kinds = {id: kind for id in ids if (kind := _kind(*sizes[id]))}
    looks = _looks({paths[id]: kind for id, kind in kinds.items()}, cache)
    for kind in _GRID:
        # Sorted by shape, since only scans of one shape are compared.
        chosen = [id for id, is_of in kinds.items() if is_of == kind and paths[id] in looks]
        chosen.sort(key=lambda id: sizes[id][0] / sizes[id][1])
        shapes = np.log([sizes[id][0] / sizes[id][1] for id in chosen])
        for begin in range(0, len(chosen), _BLOCK):
            rows = chosen[begin : begin + _BLOCK]
            last = int(np.searchsorted(shapes, shapes[begin + len(rows) - 1] + _SHAPE, "right"))
            for start in range(begin, last, _BLOCK):
                columns = chosen[start : min(start + _BLOCK, last)]
                alike = _normalised(rows, paths, looks) @ _normalised(columns, paths, looks).T > _ALIKE[kind]
                for row, column in zip(*np.nonzero(alike), strict=True):
                    near = abs(shapes[begin + row] - shapes[start + column]) <= _SHAPE
                    if begin + row < start + column and near:
                        yield rows[row], columns[column]


def _kind(width: int, height: int) -> str | None:
    if height and width / height >= _LINE:
        return "line"
    return "page" if min(width, height) >= _PAGE_SIDE else None


def _normalised(ids: Sequence[str], paths: Mapping[str, str], looks: Mapping[str, np.ndarray]) -> np.ndarray:
    """Float32 `[ids, cells]`: the product of two rows is their correlation. A blank picture is like none."""
    grays = np.stack([looks[paths[id]] for id in ids]).astype(np.float32)
    grays -= grays.mean(1, keepdims=True)
    lengths = np.linalg.norm(grays, axis=1, keepdims=True)
    return np.where(lengths > grays.shape[1] ** 0.5, grays / np.maximum(lengths, 1), 0)


def _looks(kinds: Mapping[str, str], cache: pathlib.Path) -> dict[str, np.ndarray]:
    """Path → small picture, uint8 `[cells]`. Scans that cannot be read are left out."""
    kept = _read(cache / "looks.npz")
    stamps = {path: _stamp(path, kind) for path, kind in kinds.items()}
    known = {path: kept[stamp] for path, stamp in stamps.items() if stamp in kept}
    new = [path for path in kinds if path not in known]
    if new:
        with concurrent.futures.ThreadPoolExecutor(usable_cores()) as pool:
            made = pool.map(lambda path: _look(path, *_GRID[kinds[path]]), new)
            known |= {path: look for path, look in zip(new, made, strict=True) if look is not None}
        _write(cache / "looks.npz", {stamps[path]: look for path, look in known.items()})
    return known


def _look(path: str, columns: int, rows: int) -> np.ndarray | None:
    try:
        return images.small(path, columns, rows).reshape(-1)
    except BadImageError:  # The message comes when the image is read.
        return None


def _stamp(path: str, kind: str) -> str:
    stat = os.stat(path)
    about = (os.path.abspath(path), kind, _GRID[kind], stat.st_size, stat.st_mtime_ns)
    return hashlib.sha256(repr(about).encode()).hexdigest()


def _read(file: pathlib.Path) -> dict[str, np.ndarray]:
    """Stamp → small picture, as `_write` has kept them. None if the file is damaged or missing."""
    try:
        kept = load_arrays(file)
        looks = np.split(kept["looks"], kept["ends"][:-1])
        return dict(zip(kept["stamps"].tolist(), looks, strict=True))
    except Exception:  # The arrays of a damaged file fail in many ways. Then the pictures are made again.
        return {}


def _write(file: pathlib.Path, looks: Mapping[str, np.ndarray]) -> None:
    if not looks:
        return
    out = io.BytesIO()
    np.savez(
        out,
        stamps=np.array(list(looks)),
        ends=np.cumsum([len(look) for look in looks.values()]),
        looks=np.concatenate(list(looks.values())),
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    write_beside(file, out.getvalue())
