"""Writers whom a network was not trained on. The mean embedding of one or more pages stands for each. No TensorFlow."""

import dataclasses
import io
import os

import numpy as np

from iam_writer.common.errors import GalleryError
from iam_writer.common.files import write_beside
from iam_writer.recognition.calibration import Calibration
from pipelines.system.arrays import load_arrays


@dataclasses.dataclass(frozen=True)
class Gallery:
    """Enrolled writers.

    Attributes:
      checkpoint: fingerprint of the checkpoint that made the embeddings.
      writers: their names, sorted.
      sums: float64 `[writers, embedding]`, sums over windows with ink.
      windows: int64 `[writers]`, how many windows were summed.
    """

    checkpoint: str
    writers: list[str]
    sums: np.ndarray
    windows: np.ndarray

    @classmethod
    def empty(cls, checkpoint: str, size: int) -> "Gallery":
        return cls(checkpoint, [], np.zeros([0, size]), np.zeros(0, np.int64))

    def with_pages(self, writer: str, embeddings: np.ndarray) -> "Gallery":
        """A gallery with more windows, float `[windows, embedding]`, of a writer, who may be new or known."""
        count, total = len(embeddings), embeddings.sum(axis=0, dtype=np.float64)
        rows = {name: (s, n) for name, s, n in zip(self.writers, self.sums, self.windows, strict=True)}
        before, windows = rows.get(writer, (0, 0))
        rows[writer] = (before + total, windows + count)
        names = sorted(rows)
        return Gallery(
            self.checkpoint,
            names,
            np.stack([rows[name][0] for name in names]),
            np.array([rows[name][1] for name in names]),
        )

    def rank(self, embedding: np.ndarray, calibration: Calibration) -> tuple[np.ndarray, bool]:
        """Who wrote a page.

        Args:
          embedding: float `[embedding]`, the page's mean.
          calibration: of the network.

        Returns:
          float `[writers]`, the probability of each writer if one of them wrote the page; and whether the page is so like
          the likeliest writer's hand that this writer counts as found.
        """
        hands = calibration.embed(self.sums / self.windows[:, None])
        odds = calibration.same_hand(hands @ calibration.embed(embedding[None])[0])
        likely = np.exp(odds - odds.max())
        return likely / likely.sum(), bool(odds.max() >= calibration.pair_threshold)

    def check(self) -> None:
        """Raises ValueError if the parts do not fit together, as in a damaged file."""
        count = len(self.writers)
        if not all(isinstance(name, str) for name in self.writers) or len(set(self.writers)) != count:
            raise ValueError("its names of writers are damaged")
        if self.sums.ndim != 2 or len(self.sums) != count or self.sums.dtype != np.float64:
            raise ValueError("its embeddings are damaged")
        if self.windows.shape != (count,) or self.windows.dtype != np.int64 or (self.windows < 1).any():
            raise ValueError("its counts of windows are damaged")
        if not np.isfinite(self.sums).all():
            raise ValueError("its embeddings are no numbers")

    def write(self, path: str | os.PathLike[str]) -> None:
        """Raises OSError if the file cannot be written; then an older file at `path` is untouched."""
        file = io.BytesIO()
        np.savez(
            file,
            checkpoint=np.array(self.checkpoint),
            writers=np.array(self.writers, dtype=np.str_),
            sums=self.sums,
            windows=self.windows,
        )
        write_beside(path, file.getvalue())

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "Gallery":
        """Raises GalleryError if there is no gallery at `path`."""
        try:
            arrays = load_arrays(path)
            found = cls(
                str(arrays["checkpoint"]), arrays["writers"].tolist(), arrays["sums"], arrays["windows"]
            )
            found.check()
            return found
        except FileNotFoundError:
            raise GalleryError(
                f"There is no gallery {path}. Make one with `iam-writer enroll --checkpoint=…`."
            ) from None
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise GalleryError(
                f"{path} cannot be read as a gallery that was made with a network: {error}. Enroll the writers again."
            ) from error
