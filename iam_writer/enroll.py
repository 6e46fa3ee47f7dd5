r"""Adds a writer to a gallery, from a page or more: the network need not have been trained on that hand.

  python -m iam_writer.enroll --checkpoint=best.keras --gallery=g.npz --writer=Ada ada1.png ada2.png
  python -m iam_writer.identify --checkpoint=best.keras --gallery=g.npz page.png

Pages of a writer who is there already are added to what is known of the hand. The gallery is written beside and renamed.

Exit status: 0 done; 1 a flag is wrong, or a file cannot be read or has no handwriting (nothing is written then);
130 stopped.
"""

import os
import pathlib
import sys

import filelock
import numpy as np
from absl import app, flags

from iam_writer.common import programs
from iam_writer.common.errors import FlagError, NoWritingError
from iam_writer.recognition import inputs
from iam_writer.recognition.gallery import Gallery

flags.DEFINE_string("checkpoint", None, "The trained network: a best.keras.", required=True)
flags.DEFINE_string("gallery", None, "File of enrolled writers; made if it is not there.", required=True)
flags.DEFINE_string("writer", None, "Whose hand the pages are.", required=True)


def main(argv: list[str]) -> None:
    if not argv[1:]:
        raise app.UsageError("From which pages? Name their files.")
    checkpoint, gallery = (os.path.expanduser(flags.FLAGS[name].value) for name in ("checkpoint", "gallery"))
    programs.run(lambda: _enroll(argv[1:], checkpoint, pathlib.Path(gallery), flags.FLAGS.writer))


def _enroll(paths: list[str], checkpoint: str, path: pathlib.Path, writer: str) -> int:
    programs.check_folder(path)
    calibration = inputs.open_calibration(checkpoint)
    if not writer.strip():
        raise FlagError("--writer is empty. Whose hand are the pages?")
    if path.exists():
        inputs.open_gallery(path, checkpoint)
    pages = inputs.written(inputs.read_pages(paths))
    if len(pages) < len(set(paths)):
        raise NoWritingError("Nothing was enrolled. Leave out what has no handwriting, and try again.")
    from iam_writer.recognition import (
        recognizer,  # TensorFlow takes seconds to load; what is wrong is told before.
    )

    network = recognizer.Recognizer(checkpoint, calibration)
    embeddings = []
    for name, page in pages.items():
        scan = network.scan(network.lay(page))
        if warnings := network.warnings(page, scan):
            print(f"{name}: {'; '.join(warnings)}.", file=sys.stderr)
        embeddings.append(scan.embeddings[scan.votes])
    # Others may enroll at the same time, and what they have written by now is kept.
    with filelock.FileLock(path.with_name(f".{path.name}.lock")):
        if path.exists():
            gallery = inputs.open_gallery(path, checkpoint)
        else:
            gallery = Gallery.empty(network.fingerprint, len(calibration.mean))
        gallery = gallery.with_pages(writer, np.concatenate(embeddings))
        gallery.write(path)
    windows = gallery.windows[gallery.writers.index(writer)]
    print(f"{path} knows {len(gallery.writers)} writers; {writer} by {windows:,} windows.")
    return 0


if __name__ == "__main__":
    app.run(main)
