"""The hand descriptor: it describes a hand by counts of small shapes of its outlines. Does not import TensorFlow.

A line, a region or a page is turned into histograms, counted on black-and-white pixels at 300 dpi:

* contour hinge: how the outline of ink bends, at three scales (M. Bulacu and L. Schomaker, "Text-independent writer
  identification and verification using textural and allographic features", IEEE TPAMI 29(4), 2007, their f2);
* smooth edges: the directions that the edge of the ink has at two points of an outline, after the image was blurred, so that
  the steps between pixels do not count (after M. Bulacu, L. Schomaker and L. Vuurpijl, "Writer identification using
  edge-based directional features", ICDAR 2003);
* runs of paper between ink, in rows and in columns (the first article, f5);
* local binary patterns on circles of several radii (A. Nicolaou, A. D. Bagdanov, M. Liwicki and D. Karatzas, "Sparse
  radial sampling LBP for writer identification", ICDAR 2015).

All are counts, so the counts of a page are the sums of the counts of its lines. `features` makes vectors of them.
`Whitening` makes vectors that are compared by their cosine, also for new writers. `discriminants` is for known writers. All lengths are pixels at DPI: see `at_dpi`.
"""

import dataclasses
import io

import cv2
import numpy as np
from PIL import Image

from pipelines.two_tones import BLACK, two_tones

VERSION = 3
"""Of what is counted. Raise it when the same image gives other counts."""

DPI = 300
"""Pixels of an inch of paper, at which everything here is measured."""

LEGS = (3, 5, 10)
"""Pixels along a contour from the point that a hinge stands on to the ends of its legs."""

EDGES = ((1.2, 12), (2.5, 8))
"""Pixels: the standard deviation of the blur, and how far the two points lie before and after the middle of their contour."""

DIRECTIONS = 24
"""Sectors of the circle, the first centred on the direction of reading, so that no common direction lies on an edge."""

LONGEST_RUN = 60
"""Pixels. Longer runs of paper are margins and gaps between words, and are not counted."""

RADII = tuple(range(1, 15))
"""Pixels, of the circles that local binary patterns sample. They reach from the edge of a stroke to its neighbours."""

LINE_OF_CONTOUR = 3000
"""Pixels of contour that count as one line of writing. IAM's lines have about so many."""

_PAIRS = DIRECTIONS * (DIRECTIONS + 1) // 2
_PAIR = np.zeros(
    (DIRECTIONS, DIRECTIONS), np.int64
)  # [a leg's sector, the other's] → number of the unordered pair
_PAIR[np.triu_indices(DIRECTIONS)] = np.arange(_PAIRS)
_PAIR = np.maximum(_PAIR, _PAIR.T)

_PATTERNS = 256

HISTOGRAMS = {
    **{f"contour hinge, legs of {leg}": _PAIRS for leg in LEGS},
    **{f"smooth edges, {apart} pixels": DIRECTIONS**2 for _, apart in EDGES},
    "runs of paper in rows": LONGEST_RUN,
    "runs of paper in columns": LONGEST_RUN,
    **{f"patterns around ink, radius {radius}": _PATTERNS for radius in RADII},
    **{f"patterns around paper, radius {radius}": _PATTERNS for radius in RADII},
}
"""Histogram → its number of bins, in the order in which they follow each other in a vector of counts."""

_FIRST = dict(zip(HISTOGRAMS, np.cumsum([0, *HISTOGRAMS.values()])[:-1].tolist(), strict=True))

SIZE = sum(HISTOGRAMS.values())
"""Counts of a line."""


# Counting.


def counts(gray: np.ndarray) -> np.ndarray:
    """The histograms of an image, joined one after the other.

    Args:
      gray: uint8 `[height, width]` at DPI, dark on light: a line, a region or a page. Gray or black and white.

    Returns:
      int64 `[SIZE]`; all zero if there is no ink. Counts of several lines may be added.
    """
    ink = two_tones(gray) == BLACK
    contours = Contours.of(ink)
    hinges, edges = hinge_counts(contours), edge_counts(ink, contours)
    around_ink, around_paper = pattern_counts(ink)
    return np.concatenate([*hinges, *edges, run_counts(ink), run_counts(ink.T), *around_ink, *around_paper])


def counts_of_file(image: bytes) -> np.ndarray:
    """What `counts` returns for an image file that Pillow can read, at DPI."""
    with Image.open(io.BytesIO(image)) as picture:
        return counts(np.asarray(picture.convert("L")))


def lines_of_writing(counts: np.ndarray) -> np.ndarray:
    """How much writing was counted, by the length of its contours: int `[..., SIZE]` → float64 `[...]`."""
    contours = histogram(counts, f"contour hinge, legs of {LEGS[0]}")
    return np.asarray(contours.sum(axis=-1) / LINE_OF_CONTOUR)


def histogram(counts: np.ndarray, name: str) -> np.ndarray:
    """One of HISTOGRAMS: int `[..., SIZE]` → int `[..., bins]`."""
    return counts[..., _FIRST[name] : _FIRST[name] + HISTOGRAMS[name]]


@dataclasses.dataclass(frozen=True)
class Contours:
    """The pixels of ink on outer and inner contours, in their order.

    Attributes:
      points: int `[n, 2]`, x and y.
      first: int `[n]`, the number of the first pixel of the same contour.
      length: int `[n]`, how many pixels that contour has.
    """

    points: np.ndarray
    first: np.ndarray
    length: np.ndarray

    @classmethod
    def of(cls, ink: np.ndarray) -> "Contours":
        """Finds the contours of ink, bool `[height, width]`."""
        padded = np.pad(ink, 1).astype(np.uint8)
        found, _ = cv2.findContours(padded, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        lengths = np.array([len(contour) for contour in found], np.int64)
        first = np.repeat(np.cumsum(lengths) - lengths, lengths)
        points = np.concatenate([np.zeros((0, 1, 2), np.int32), *found]).reshape(-1, 2) - 1
        return cls(points, first, np.repeat(lengths, lengths))

    def around(self, apart: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The numbers of pixels, and of those that lie `apart` pixels before and after each on its contour.

        Contours of no more than twice as many pixels are specks, and are left out.
        """
        here = np.flatnonzero(self.length > 2 * apart)
        first, length = self.first[here], self.length[here]
        place = here - first
        return here, first + (place - apart) % length, first + (place + apart) % length


def hinge_counts(contours: Contours) -> list[np.ndarray]:
    """Counts the pairs of directions of a hinge's legs, for each of LEGS.

    A hinge stands on a pixel of a contour. Its legs end `leg` pixels before and after it.

    Returns:
      int64 `[300]` a leg.
    """
    found = []
    for leg in LEGS:
        here, before, after = contours.around(leg)
        one, other = (_sectors(contours.points[end] - contours.points[here], leg) for end in (before, after))
        both = (one >= 0) & (other >= 0)
        found.append(np.bincount(_PAIR[one[both], other[both]], minlength=_PAIRS))
    return found


def edge_counts(ink: np.ndarray, contours: Contours) -> list[np.ndarray]:
    """Counts the pairs of directions in which the edge faces before and after a pixel of a contour, for each of EDGES.

    Args:
      ink: bool `[height, width]`.
      contours: of the same image.

    Returns:
      int64 `[576]` each: number of the direction before × DIRECTIONS + number of the direction after.
    """
    found = []
    for blur, apart in EDGES:
        smooth = cv2.GaussianBlur(
            np.pad(ink, 1).astype(np.float32), (0, 0), blur, borderType=cv2.BORDER_CONSTANT
        )
        x, y = contours.points.T + 1
        right, down = smooth[y, x + 1] - smooth[y, x - 1], smooth[y + 1, x] - smooth[y - 1, x]
        facing = _sector(right, down)
        _, before, after = contours.around(apart)
        found.append(np.bincount(facing[before] * DIRECTIONS + facing[after], minlength=DIRECTIONS**2))
    return found


def _sectors(steps: np.ndarray, leg: int) -> np.ndarray:
    """The sector of each (x, y), counter-clockwise as seen; -1 where a thin stroke's contour has come back."""
    return _SECTORS[leg][steps[:, 1] + leg, steps[:, 0] + leg]


def _sector_table(leg: int) -> np.ndarray:
    """The sectors of all steps that a leg can take: int64 `[1 + 2 leg, 1 + 2 leg]`, by y and x."""
    y, x = np.mgrid[-leg : leg + 1, -leg : leg + 1]
    sectors = _sector(x, y)
    sectors[leg, leg] = -1
    return sectors


def _sector(right: np.ndarray, down: np.ndarray) -> np.ndarray:
    """The number of the sector that contains each direction, counter-clockwise as seen."""
    turns = np.arctan2(-down, right) / (2 * np.pi)
    return np.rint(turns * DIRECTIONS).astype(np.int64) % DIRECTIONS


_SECTORS = {leg: _sector_table(leg) for leg in LEGS}


def run_counts(ink: np.ndarray) -> np.ndarray:
    """Counts the runs of paper between two pixels of ink in a row, by their length.

    Args:
      ink: bool `[height, width]`.

    Returns:
      int64 `[LONGEST_RUN]`, from length 1.
    """
    row, column = np.nonzero(ink)
    lengths = np.diff(column)[np.diff(row) == 0] - 1
    return np.bincount(lengths[lengths <= LONGEST_RUN], minlength=LONGEST_RUN + 1)[1 : LONGEST_RUN + 1]


def pattern_counts(ink: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Counts the patterns that eight points on a circle make, for each of RADII.

    A circle stands on every pixel. Bit k of a pattern says whether there is ink at k × 45°, counter-clockwise from
    the direction of reading. What lies beyond the image is paper. Pattern 0 around paper is mostly margin: its
    count is always 0.

    Args:
      ink: bool `[height, width]`.

    Returns:
      int64 `[256]` a radius, of the circles around ink; the same of those around paper.
    """
    height, width = ink.shape
    margin = max(RADII)
    centres = ink.astype(np.uint8)
    # Each bit has a copy of the image, so that a circle's pattern is the union of eight shifted copies.
    bits = [np.pad(centres << bit, margin) for bit in range(8)]
    around_ink, around_paper = [], []
    for radius in RADII:
        aside = round(radius * 2**-0.5)
        half = (0, radius), (-aside, aside), (-radius, 0), (-aside, -aside)
        patterns = np.zeros((height, width), np.uint8)
        for bit, (down, right) in enumerate([*half, *((-y, -x) for y, x in half)]):
            shifted = bits[bit][margin + down :, margin + right :][:height, :width]
            cv2.bitwise_or(patterns, shifted, dst=patterns)
        around_ink.append(_pattern_histogram(patterns, centres))
        around_paper.append(_pattern_histogram(patterns, None) - around_ink[-1])
        around_paper[-1][0] = 0
    return around_ink, around_paper


def _pattern_histogram(patterns: np.ndarray, where: np.ndarray | None) -> np.ndarray:
    found = cv2.calcHist([patterns], [0], where, [_PATTERNS], [0, _PATTERNS])
    return np.ravel(found).astype(np.int64)  # OpenCV 4 returns a column, OpenCV 5 a row.


def _moved_bins(sector: list[int], bit: list[int], backwards: bool) -> np.ndarray:
    """Where each bin of a vector of counts comes from when directions change: int `[SIZE]`.

    Args:
      sector: the new number of each of DIRECTIONS.
      bit: the new number of each of the eight points on a circle.
      backwards: whether contours then run the other way.
    """
    moved = np.arange(SIZE)
    of_pattern = np.array(
        [sum(1 << bit[k] for k in range(8) if pattern >> k & 1) for pattern in range(_PATTERNS)]
    )
    first, second = np.triu_indices(DIRECTIONS)
    of_pair = _PAIR[np.array(sector)[first], np.array(sector)[second]]
    of_edge = np.array(sector)[:, None] * DIRECTIONS + np.array(sector)
    of_edge = np.ravel(of_edge.T if backwards else of_edge)
    for name, start in _FIRST.items():
        if name.startswith("contour hinge"):
            moved[start + of_pair] = start + np.arange(_PAIRS)
        elif name.startswith("smooth edges"):
            moved[start + of_edge] = start + np.arange(DIRECTIONS**2)
        elif name.startswith("patterns"):
            moved[start + of_pattern] = start + np.arange(_PATTERNS)
    return moved


_UPSIDE_DOWN = _moved_bins(
    [(k + DIRECTIONS // 2) % DIRECTIONS for k in range(DIRECTIONS)], [(k + 4) % 8 for k in range(8)], False
)
_MIRRORED = _moved_bins(
    [(DIRECTIONS // 2 - k) % DIRECTIONS for k in range(DIRECTIONS)], [(4 - k) % 8 for k in range(8)], True
)


def upside_down(counts: np.ndarray) -> np.ndarray:
    """The counts of the same images turned by 180 degrees: int `[..., SIZE]` → the same shape."""
    return np.asarray(counts[..., _UPSIDE_DOWN])


def mirrored(counts: np.ndarray) -> np.ndarray:
    """The counts of the same images with left and right exchanged: int `[..., SIZE]` → the same shape."""
    return np.asarray(counts[..., _MIRRORED])


def features(counts: np.ndarray, known_hands: bool = False) -> np.ndarray:
    """Vectors whose Euclidean distance is the Hellinger distance of the histograms, which suits distributions better.

    Each histogram is divided by its sum, so that all have the same weight. Then the square roots are taken.

    Args:
      counts: int `[n, SIZE]`, see `counts`.
      known_hands: what counts. False: hinges, runs, and patterns around ink and paper, added, without pattern 0; for hands that
        nobody has seen before, and for the reference, which was learnt so. True: also smooth edges, and of the patterns only
        those around ink, without pattern 255, the inside of strokes; best for discriminants.

    Returns:
      float32 `[n, 4604]`, or `[n, 5756]` for known hands, of unit length; zero where nothing was counted.
    """
    skipped = ("patterns",) if known_hands else ("patterns", "smooth edges")
    parts = [histogram(counts, name) for name in HISTOGRAMS if not name.startswith(skipped)]
    for radius in RADII:
        part = histogram(counts, f"patterns around ink, radius {radius}").copy()
        if not known_hands:
            part += histogram(counts, f"patterns around paper, radius {radius}")
        part[:, -1 if known_hands else 0] = 0
        parts.append(part)
    joined = [np.sqrt(part / np.maximum(part.sum(axis=1, keepdims=True), 1)) for part in parts]
    return unit(np.concatenate(joined, axis=1)).astype(np.float32)


# Comparing hands that nobody has seen before.


@dataclasses.dataclass(frozen=True)
class Whitening:
    """A linear map after which all directions have the same weight. The vectors are then compared by their cosine.

    Attributes:
      mean: float32 `[dimensions]`, subtracted first.
      projection: float32 `[dimensions, components]`.
    """

    mean: np.ndarray
    projection: np.ndarray

    @classmethod
    def fit(cls, vectors: np.ndarray, components: int) -> "Whitening":
        """Learns the principal components, and divides each by its spread. Needs no labels.

        H. Jégou and O. Chum, "Negative evidences and co-occurences in image retrieval: the benefit of PCA and
        whitening", ECCV 2012.

        Args:
          vectors: float `[n, dimensions]`, see `features`.
          components: how many to keep; fewer where there are not so many.
        """
        mean, directions, spread = principal_components(vectors, components)
        return cls(mean.astype(np.float32), (directions / spread).astype(np.float32))

    @classmethod
    def fit_within(
        cls, vectors: np.ndarray, writers: np.ndarray, components: int, shrinkage: float = 0.0
    ) -> "Whitening":
        """Learns the principal components, and divides by the spread of the pages of one writer.

        A. O. Hatch, S. Kajarekar and A. Stolcke, "Within-class covariance normalization for SVM-based speaker
        recognition", Interspeech 2006.

        Args:
          vectors: float `[n, dimensions]`, of two or more pages a writer; those of a single page add nothing.
          writers: `[n]` labels.
          components: how many principal components to keep before.
          shrinkage: from 0, the spread as measured, to 1, the same spread in all directions.
        """
        mean, directions, _ = principal_components(vectors, components)
        spread = _within((vectors - mean) @ directions, writers)
        variances, axes = np.linalg.eigh(shrunk(spread, shrinkage))
        projection = directions @ (axes / np.sqrt(np.maximum(variances, 1e-12)))
        return cls(mean.astype(np.float32), projection.astype(np.float32))

    def adapted(self, vectors: np.ndarray, writers: np.ndarray, shrinkage: float) -> "Whitening":
        """Divides also by how the pages of one writer differ in another collection, see `fit_within`.

        Args:
          vectors: float `[n, dimensions]`, see `features`; those of a single page add nothing.
          writers: `[n]` labels.
          shrinkage: from 0, the spread as measured, to 1, nothing changes.
        """
        variances, axes = np.linalg.eigh(shrunk(_within(self.apply(vectors), writers), shrinkage))
        turned = (axes / np.sqrt(np.maximum(variances, 1e-12))) @ axes.T
        return Whitening(self.mean, (self.projection @ turned).astype(np.float32))

    def project(self, vectors: np.ndarray) -> np.ndarray:
        """float `[n, dimensions]` → float32 `[n, components]`, before they are brought to unit length."""
        return np.asarray((vectors - self.mean) @ self.projection, np.float32)

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """float `[n, dimensions]` → float32 `[n, components]` of unit length: their products are the cosines."""
        return unit(self.project(vectors)).astype(np.float32)


def principal_components(vectors: np.ndarray, components: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The directions in which vectors differ most.

    Args:
      vectors: float `[n, dimensions]`.
      components: the greatest number of directions. Directions in which nothing differs are left out.

    Returns:
      the mean, float64 `[dimensions]`; directions, float64 `[dimensions, components]`, from the widest; the standard
      deviation along each, float64 `[components]`.
    """
    mean = vectors.mean(axis=0, dtype=np.float64)
    centred = np.asarray(vectors - mean, np.float64)
    n, dimensions = centred.shape
    # The smaller of the two products has the same eigenvalues.
    wide = dimensions > n
    values, axes = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    order = np.argsort(-values)[:components]
    order = order[values[order] > 1e-9 * values.max()]
    directions = axes[:, order]
    if wide:
        directions = centred.T @ directions / np.sqrt(values[order])
    # The sign of a direction is arbitrary. Its largest entry is made positive, so that all machines give the same sign.
    largest = directions[np.abs(directions).argmax(axis=0), np.arange(directions.shape[1])]
    directions = directions * np.where(largest < 0, -1, 1)
    return mean, directions, np.sqrt(values[order] / max(1, n - 1))


# Resolution.


def at_dpi(gray: np.ndarray, dpi: float) -> np.ndarray:
    """Resamples an image of another resolution to DPI.

    Args:
      gray: uint8 `[height, width]`.
      dpi: the resolution of the image.

    Returns:
      uint8 `[height × DPI / dpi, width × DPI / dpi]`; the same array if the resolution is that already.
    """
    scale = DPI / dpi
    size = max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale))
    if size == gray.shape[::-1]:
        return gray
    # Lanczos with antialiasing, as in Pillow: OpenCV's would alias when it reduces.
    return np.asarray(Image.fromarray(gray).resize(size, Image.Resampling.LANCZOS))


# Shared.


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of length one. A row of zeros stays a row of zeros."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _within(vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The covariance of vectors around the mean of their label."""
    _, label, number = np.unique(labels, return_inverse=True, return_counts=True)
    means = np.zeros((len(number), vectors.shape[1]))
    np.add.at(means, label, vectors)
    apart = vectors - (means / number[:, None])[label]
    return apart.T @ apart / max(1, len(vectors) - len(number))


def shrunk(covariance: np.ndarray, shrinkage: float) -> np.ndarray:
    """A covariance float `[n, n]`, drawn towards the same spread in all directions by a share of `shrinkage`."""
    size = len(covariance)
    return (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / size * np.eye(size)
