"""What the hand descriptor knows about hands without training. Does not import TensorFlow.

The package holds a file, `reference.npz`. The program `iam_writer.studies.reference` wrote it, and learnt all that is in it
from invented writers. The file says in which directions hands differ (a whitening), how similar two samples by one hand and
by two hands are for each amount of writing, and how often an answer is wrong.

All pages of one collection have something in common: the scanner, the paper, the script. Invented pages do not have that.
So two pages of a collection look more alike than they are. There are two ways to deal with this. `Reference.among` takes
off what the pages at hand have in common, and measures how like each page is to all of them. It needs pages of many
writers. `Reference.alone` does without, and allows for collections whose pages have little or much in common, so its
answers are less sure.
"""

import dataclasses
import functools
import io
import pathlib
import zlib
from typing import Final

import numpy as np

from iam_writer.common.errors import MissingDataError
from iam_writer.recognition import cohort, descriptor
from iam_writer.recognition.descriptor import Whitening
from pipelines.system.arrays import load_arrays

FILE: Final = pathlib.Path(__file__).with_name("reference.npz")

LEAST_AGREEMENT: Final = 0.2
"""Halves that agree less than this count as if they agreed so much: with hardly any ink their agreement is chance."""

FEATURES: Final = descriptor.features(np.zeros((1, descriptor.SIZE), np.int64)).shape[1]
"""Numbers of a vector that the whitening takes."""

INPUTS: Final = 6
"""Numbers that decide the odds of a pair, see `inputs`."""

INPUTS_AMONG: Final = 4
"""Numbers that decide the odds of a pair among other pages, see `Comparer.among_inputs`."""

MOST_LINES: Final = 10.0
"""More lines of writing than this count as this many. The largest samples that odds were learnt from have so many."""

QUANTILES: Final = np.linspace(0, 1, 101)
"""At these shares `Reference.spread` says how the odds of invented pairs are spread."""


@dataclasses.dataclass(frozen=True)
class Comparer:
    """Says how strongly samples of writing speak for one hand.

    A sample is int64 `[2, SIZE]`: the counts of two halves of its lines, see `halves`.

    Attributes:
      whitening: vectors of counts → unit vectors that a cosine compares.
      odds: float64 `[INPUTS]`: the natural logarithm of the odds of a pair is `odds @ inputs`.
      amounts: float64 `[k]` ascending, lines of writing in the smaller sample of a pair.
      errors: float64 `[k, 2]`, at each amount: the share of pairs by two writers that are taken for one hand, and of pairs
        by one writer that are taken for two.
      writers: how many writers these shares were counted on. No odds exceed this number.
      spread: float64 `[k, 2, 101]`, at each amount: the natural logarithms of the odds of pairs by two writers, and of pairs
        by one writer, at the shares QUANTILES.
      cohort: int64 `[c, 2, SIZE]`, pages of many writers of the collection; None where there are none. With a cohort, `odds`
        is float64 `[INPUTS_AMONG]`.
      anchors: whose likeness to the cohort is taken into account: 'both', 'left' or 'right'.
    """

    whitening: Whitening
    odds: np.ndarray
    amounts: np.ndarray
    errors: np.ndarray
    writers: int
    spread: np.ndarray
    cohort: np.ndarray | None = None
    anchors: str = "both"

    def cosines(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """How similar hands are. With little writing, this gives a better ranking than the odds.

        Args:
          left: int64 `[n, 2, SIZE]`.
          right: int64 `[m, 2, SIZE]`.

        Returns:
          float64 `[n, m]`.
        """
        hands, others = (
            self.whitening.apply(descriptor.features(side.sum(axis=1))) for side in (left, right)
        )
        return np.asarray(hands @ others.T, np.float64)

    def log_odds(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """How strongly samples speak for one hand, if one hand and two hands were equally likely before.

        The numbers are bounded, because 200 writers cannot show that something is rarer than one in 200.

        Args: see `cosines`.

        Returns:
          float64 `[n, m]`, natural logarithms of the odds.
        """
        bound = np.log(self.writers)
        return np.clip(self.unbounded(left, right), -bound, bound)

    def unbounded(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """The same without a bound, for programs that compare many pairs with each other."""
        if self.cohort is None:
            return np.asarray(inputs(self.whitening, left, right) @ self.odds)
        return np.asarray(self.among_inputs(left, right) @ self.odds)

    def among_inputs(self, left: np.ndarray, right: np.ndarray, own: np.ndarray | None = None) -> np.ndarray:
        """What decides how alike samples are, compared with how alike they are to the pages of the cohort.

        From the corrected cosine (see `inputs`) of a pair the mean of the corrected cosines of one sample with the cohort is
        subtracted, and the difference is divided by their standard deviation; likewise for the other sample. The mean of the two is
        the score s. Left out of the cohort are the sample itself and the sample that it is compared with. (Symmetric score
        normalisation: S. Shum, N. Dehak, R. Dehak and J. Glass, "Unsupervised speaker adaptation based on the cosine
        similarity for text-independent speaker verification", Odyssey 2010.)

        Args:
          left: see `cosines`.
          right: see `cosines`.
          own: bool `[n, c]`, which pages of the cohort are by the writer of each sample, if `left` and `right` are the same
            samples and their writers are known. These are left out, too.

        Returns:
          float64 `[n, m, INPUTS_AMONG]`: 1, s, the logarithm m of the smaller amount of writing in lines, s m.

        Raises:
          ValueError: there is no cohort.
        """
        if self.cohort is None:
            raise ValueError("There is no cohort.")
        pairs = inputs(self.whitening, left, right)
        places = [cohort.places(side, self.cohort) for side in (left, right)]
        scores = []
        if self.anchors in ("both", "left"):
            scores.append(cohort.normalised(pairs[..., 1], self._near(left, places[0], own), places[1]))
        if self.anchors in ("both", "right"):
            scores.append(cohort.normalised(pairs[..., 1].T, self._near(right, places[1], own), places[0]).T)
        score, m = np.mean(scores, axis=0), pairs[..., 2]
        return np.stack([np.ones_like(m), score, m, score * m], axis=-1)

    def _near(self, samples: np.ndarray, places: np.ndarray, own: np.ndarray | None) -> np.ndarray:
        """Corrected cosines of samples with the cohort: float64 `[n, c]`, not a number where a page does not count."""
        assert self.cohort is not None
        near = inputs(self.whitening, samples, self.cohort)[..., 1]
        if own is not None:
            near = np.where(own, np.nan, near)
        inside = np.nonzero(places >= 0)[0]
        near[inside, places[inside]] = np.nan
        return near

    def errors_at(self, lines: float) -> tuple[float, float]:
        """The two shares of `errors` for pairs whose smaller sample has this many lines of writing."""
        place = np.log(max(lines, 1e-3))
        false_match, false_non_match = (
            float(np.interp(place, np.log(self.amounts), shares)) for shares in self.errors.T
        )
        return false_match, false_non_match


@dataclasses.dataclass(frozen=True)
class Reference:
    """What was learnt from invented writers.

    Attributes:
      whitening: see `Comparer`.
      odds: float64 `[INPUTS]`, of `alone`.
      odds_among: float64 `[INPUTS_AMONG]`, of `among`.
      odds_within: float64 `[INPUTS]`, of `within`.
      amounts: see `Comparer`.
      errors: float64 `[2, k, 2]`, of `alone` and of `among`.
      spread: float64 `[2, k, 2, 101]`, of `alone` and of `among`.
      beyond: float64 `[k]`, at each amount: the value of `Reference.distance` that one of 100 invented pages exceeds.
      writers: see `Comparer`.
      fingerprint: names the file, so that vectors of two files are never compared; eight hexadecimal digits.
    """

    whitening: Whitening
    odds: np.ndarray
    odds_among: np.ndarray
    odds_within: np.ndarray
    amounts: np.ndarray
    errors: np.ndarray
    spread: np.ndarray
    beyond: np.ndarray
    writers: int
    fingerprint: str

    def alone(self) -> Comparer:
        """For pages of which few others of the collection are at hand."""
        return Comparer(self.whitening, self.odds, self.amounts, self.errors[0], self.writers, self.spread[0])

    def within(self, upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
        """How strongly parts of one page speak for one hand. On one page a hand differs less than from day to day.

        Args:
          upper: int64 `[n, 2, SIZE]`, samples.
          lower: the same, of the other parts of these pages.

        Returns:
          float64 `[n]`, natural logarithms of the odds of each part and its counterpart, without a bound.
        """
        both = zip(upper, lower, strict=True)
        return np.array(
            [
                float((inputs(self.whitening, one[None], other[None]) @ self.odds_within)[0, 0])
                for one, other in both
            ]
        )

    def among(self, samples: np.ndarray) -> Comparer:
        """For pages of a collection from which pages of many writers are at hand.

        Args:
          samples: int64 `[n, 2, SIZE]`, of many writers of the collection, twenty or more.
        """
        mean = descriptor.features(samples.sum(axis=1)).mean(axis=0)
        whitening = Whitening(mean.astype(np.float32), self.whitening.projection)
        return Comparer(
            whitening, self.odds_among, self.amounts, self.errors[1], self.writers, self.spread[1], samples
        )

    def distance(self, samples: np.ndarray) -> np.ndarray:
        """How far samples are from what invented writers write, as a multiple of `beyond`.

        The distance is that of a vector of features from the space that the whitening's directions span.

        Args:
          samples: int64 `[n, 2, SIZE]`.

        Returns:
          float64 `[n]`. One of 100 invented pages has more than 1.
        """
        found = _from_space(self.whitening, self._axes, samples)
        return np.asarray(found / np.interp(_log_amount(samples), np.log(self.amounts), self.beyond))

    @functools.cached_property
    def _axes(self) -> np.ndarray:
        return axes(self.whitening)

    def to_bytes(self) -> bytes:
        """The file. The same reference gives the same bytes."""
        file = io.BytesIO()
        scale = _scale(self.whitening.projection)
        np.savez_compressed(
            file,
            mean=self.whitening.mean.astype(np.float16),
            projection=np.rint(self.whitening.projection / scale).astype(np.int8),
            scale=scale,
            odds=self.odds,
            odds_among=self.odds_among,
            odds_within=self.odds_within,
            spread=self.spread.astype(np.float32),
            beyond=self.beyond,
            amounts=self.amounts,
            errors=self.errors,
            writers=np.array(self.writers),
        )
        return file.getvalue()


def read(path: pathlib.Path = FILE) -> Reference:
    """The reference in a file, by default the one of the package.

    Raises:
      MissingDataError: the file is missing, damaged, or of another version of the descriptor.
    """
    try:
        data = path.read_bytes()
        arrays = load_arrays(data)
        projection = (arrays["projection"] * arrays["scale"]).astype(np.float32)
        found = Reference(
            Whitening(arrays["mean"].astype(np.float32), projection),
            arrays["odds"],
            arrays["odds_among"],
            arrays["odds_within"],
            arrays["amounts"],
            arrays["errors"],
            arrays["spread"].astype(np.float64),
            arrays["beyond"],
            int(arrays["writers"]),
            fingerprint=f"{zlib.crc32(data):08x}",
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise MissingDataError(
            f"{path} cannot be read as a reference of hands: {error}. Install iam_writer again, or make the file by "
            "`python -m iam_writer.studies.reference`."
        ) from error
    if len(found.whitening.mean) != FEATURES or found.odds.shape != (INPUTS,):
        raise MissingDataError(
            f"{path} is of another version of the hand descriptor. Make it anew by "
            "`python -m iam_writer.studies.reference`."
        )
    return found


def halves(lines: np.ndarray) -> np.ndarray:
    """Counts of lines, int `[n, lines, SIZE]` → samples int `[n, 2, SIZE]`: the first, third, fifth … line, and the others."""
    return np.stack([lines[:, 0::2].sum(axis=1), lines[:, 1::2].sum(axis=1)], axis=1)


def amount(samples: np.ndarray) -> np.ndarray:
    """Lines of writing, by the length of their contours: int64 `[n, 2, SIZE]` → float64 `[n]`."""
    return descriptor.lines_of_writing(samples.sum(axis=1))


def inputs(
    whitening: Whitening, left: np.ndarray, right: np.ndarray, common: np.ndarray | None = None
) -> np.ndarray:
    """The inputs of the odds: what decides how similar two samples are.

    Besides the cosine of two samples there is the cosine divided by what it would be if one hand had written both on one
    page. This is estimated from the two halves of each sample. Their agreement gives the reliability of the whole sample (formula
    of Spearman and Brown). The cosine is then corrected for attenuation (C. Spearman, "The proof
    and measurement of association between two things", American Journal of Psychology 15, 1904).

    Args:
      whitening: see `Comparer`.
      left: int64 `[n, 2, SIZE]`.
      right: int64 `[m, 2, SIZE]`.
      common: float `[components]`, what all pages have in common beyond the whitening's mean, in units of the median length
        of the vectors; used to learn from invented collections.

    Returns:
      float64 `[n, m, INPUTS]`: 1, the corrected cosine a, the logarithm m of the smaller amount of writing in lines, a m,
      the cosine c, c m.
    """
    (hands_left, reliable_left), (hands_right, reliable_right) = (
        _hands(whitening, samples, common) for samples in (left, right)
    )
    cosine = hands_left @ hands_right.T
    corrected = cosine / np.sqrt(np.outer(reliable_left, reliable_right))
    m = np.minimum(_log_amount(left)[:, None], _log_amount(right)[None])
    return np.stack([np.ones_like(m), corrected, m, corrected * m, cosine, cosine * m], axis=-1)


def _hands(
    whitening: Whitening, samples: np.ndarray, common: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors float64 `[n, components]` of samples int64 `[n, 2, SIZE]`, and their reliabilities float64 `[n]`."""
    parts = [samples[:, 0], samples[:, 1], samples.sum(axis=1)]
    vectors = [whitening.project(descriptor.features(counts)).astype(np.float64) for counts in parts]
    if common is not None:
        shift = common * np.median(np.linalg.norm(vectors[2], axis=1))
        vectors = [vector + shift for vector in vectors]
    first, second, whole = (descriptor.unit(vector) for vector in vectors)
    agreement = np.maximum((first * second).sum(axis=1), LEAST_AGREEMENT)
    agreement[(samples.sum(axis=2) == 0).any(axis=1)] = (
        LEAST_AGREEMENT  # A half without ink agrees with nothing.
    )
    return whole, 2 * agreement / (1 + agreement)


def _log_amount(samples: np.ndarray) -> np.ndarray:
    return np.log(np.clip(amount(samples), 1e-3, MOST_LINES))


def axes(whitening: Whitening) -> np.ndarray:
    """Orthogonal directions of the space that the whitening's directions span: float32 `[dimensions, components]`."""
    return np.asarray(np.linalg.qr(whitening.projection)[0])


def residual(whitening: Whitening, samples: np.ndarray) -> np.ndarray:
    """Distance of vectors from the space that the whitening's directions span: int64 `[n, 2, SIZE]` → float64 `[n]`."""
    return _from_space(whitening, axes(whitening), samples)


def _from_space(whitening: Whitening, axes: np.ndarray, samples: np.ndarray) -> np.ndarray:
    vectors = descriptor.features(samples.sum(axis=1)) - whitening.mean
    return np.asarray(np.linalg.norm(vectors - (vectors @ axes) @ axes.T, axis=1), np.float64)


def _scale(projection: np.ndarray) -> np.ndarray:
    """The size of a step of eight bits in each direction: float32 `[dimensions, n]` → float32 `[n]`."""
    return np.asarray(np.abs(projection).max(axis=0) / 127, np.float32)


def rounded(whitening: Whitening) -> Whitening:
    """The whitening as it is read back from a file, in which it has 8 bits a number."""
    scale = _scale(whitening.projection)
    projection = np.rint(whitening.projection / scale).astype(np.int8) * scale
    return Whitening(whitening.mean.astype(np.float16).astype(np.float32), projection.astype(np.float32))
