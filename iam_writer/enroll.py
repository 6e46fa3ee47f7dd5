"""Adds pages of a writer to a gallery.

  iam-writer enroll --gallery=family.npz --writer=Ada ada1.png ada2.png
  iam-writer identify --gallery=family.npz page.png

A gallery is a file that describes the hands of some writers. Without --checkpoint it keeps the counts of the hand
descriptor. With --checkpoint=best.keras it keeps what a trained network finds. The network need not have been trained on
this writer:

  iam-writer enroll --checkpoint=best.keras --gallery=network.npz --writer=Ada ada1.png ada2.png

If the gallery has the writer already, the pages are added to the earlier ones. `iam-writer gallery` lists, renames and
removes the writers of a gallery that was made without --checkpoint.

Exit status: 0 done; 1 a flag is wrong, or a file cannot be read or has no handwriting (then nothing is written);
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
from iam_writer.handwriting import layout_files
from iam_writer.recognition import hand_gallery, hands, inputs, reference
from iam_writer.recognition.gallery import Gallery
from pipelines.system import command_line

flags.DEFINE_string(
    "checkpoint",
    None,
    "best.keras or best.descriptor of a training run. Default: none; the hand descriptor describes the pages.",
)
flags.DEFINE_string(
    "gallery", None, "The file of the gallery. If there is no such file, it is made.", required=True
)
flags.DEFINE_string("writer", None, "The name of the writer of the pages.", required=True)


def main(argv: list[str]) -> None:
    if not argv[1:]:
        raise app.UsageError("No page is named. Give the image files of the pages after the flags.")
    gallery, writer = pathlib.Path(flags.FLAGS.gallery).expanduser(), flags.FLAGS.writer
    if flags.FLAGS.checkpoint is None:
        programs.run(lambda: _count(argv[1:], gallery, writer))
    checkpoint = os.path.expanduser(flags.FLAGS.checkpoint)
    programs.run(lambda: _enroll(argv[1:], checkpoint, gallery, writer))


def _count(paths: list[str], path: pathlib.Path, writer: str) -> int:
    """Enrolls by the hand descriptor."""
    programs.check_folder(path)
    if not writer.strip():
        raise FlagError("--writer is empty. Name the writer of the pages.")
    population = reference.read()
    added = hands.sample(writer, list(dict.fromkeys(paths)))
    for page in added.pages:
        for text in page.warnings:
            print(f"{page.path}: {text}.", file=sys.stderr)
    _tell_lines([page.layout for page in added.pages])
    with filelock.FileLock(path.with_name(f".{path.name}.lock")):
        known = hand_gallery.enrolled(path, population) if path.exists() else {}
        for sentence in hand_gallery.doubtful(added, known):
            print(sentence, file=sys.stderr)
        known = hand_gallery.with_pages(known, added)
        hand_gallery.write_gallery(path, known, population)
    pages = len(known[writer].pages)
    print(f"{path} now holds {numbered(len(known), 'writer')}; {writer} has {numbered(pages, 'page')}.")
    return 0


def _tell_lines(layouts: list[str]) -> None:
    """Says on stderr if a file beside the pages gave their lines."""
    if given := layout_files.in_words(layouts):
        print(given, file=sys.stderr)


def numbered(number: int, noun: str) -> str:
    """Such as '1 writer' and '2 writers'."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _enroll(paths: list[str], checkpoint: str, path: pathlib.Path, writer: str) -> int:
    programs.check_folder(path)
    calibration = inputs.open_calibration(checkpoint)
    if not writer.strip():
        raise FlagError("--writer is empty. Name the writer of the pages.")
    if path.exists():
        inputs.open_gallery(path, checkpoint)
    pages = inputs.written(inputs.read_pages(paths))
    if len(pages) < len(set(paths)):
        raise NoWritingError(
            "Nothing was enrolled, because of the files named above. Leave them out, and give the command again."
        )
    from iam_writer.recognition import (
        recognizer,  # TensorFlow takes seconds to load; what is wrong is told before.
    )

    _tell_lines([page.layout for page in pages.values()])
    network = recognizer.load(checkpoint, calibration)
    embeddings = []
    for name, page in pages.items():
        scan = network.scan(page)
        if warnings := network.warnings(page, scan):
            print(f"{name}: {'; '.join(warnings)}.", file=sys.stderr)
        embeddings.append(network.embeddings(scan))
    # Other programs may enroll at the same time. What they have written by now is kept.
    with filelock.FileLock(path.with_name(f".{path.name}.lock")):
        if path.exists():
            gallery = inputs.open_gallery(path, checkpoint)
        else:
            gallery = Gallery.empty(network.fingerprint, len(calibration.mean))
        gallery = gallery.with_pages(writer, np.concatenate(embeddings))
        gallery.write(path)
    windows = gallery.windows[gallery.writers.index(writer)]
    print(
        f"{path} now holds {numbered(len(gallery.writers), 'writer')}; {writer} has {numbered(int(windows), 'window')}."
    )
    return 0


if __name__ == "__main__":
    command_line.start(main)
