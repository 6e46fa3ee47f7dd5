"""Names the writer of a page, or of a line of handwriting. The answer can also be "none of the known writers".

  iam-writer identify --known=FOLDER page1.png page2.tif
  iam-writer identify --gallery=family.npz page.png
  iam-writer identify --checkpoint=runs/top50/best.keras page.png

There are three ways to say who the known writers are:

  --known       a folder that holds a folder of pages for each writer. The hand descriptor compares the pages, which needs
                no training.
  --gallery     a file that `iam-writer enroll` wrote. The hand descriptor compares the pages.
  --checkpoint  a trained network. The known writers are those that it was trained on. Together with --gallery, they are the
                writers that were enrolled with this network.

The program prints at most five likely writers for each page. It takes images of any kind with dark ink on light paper, at
about 300 dpi.

The answer is "none of the known writers" if the page does not speak strongly enough for one hand with any of them: among 50 known
writers, more than 50 times as likely is needed, because one of them is somewhat like the page by chance. A network has a threshold
instead: the page must be as like the hand of the likeliest writer as 95 % of the known writers' own pages are. The
probabilities of a network were calibrated on validation pages.

Exit status: 0 each file has a writer; 2 at least one page is by none of the known writers; 1 a flag is wrong, or a file
cannot be read or has no handwriting (the other files are answered); 130 stopped.
"""

import os
import pathlib
import sys

from absl import app, flags

from iam_writer.common import answers, programs, provenance
from iam_writer.common.errors import BadImageError, FlagError, NoWritingError
from iam_writer.evidence import parts, record
from iam_writer.recognition import checkpoints, described, hand_gallery, hands, inputs, reference
from pipelines.system import command_line

flags.DEFINE_string(
    "checkpoint",
    None,
    "best.keras or best.descriptor of a training run. Default: none; the hand descriptor compares the pages.",
)
flags.DEFINE_string("known", None, "A folder that holds a folder of pages for each known writer.")
flags.adopt_module_key_flags(answers)
flags.DEFINE_string("gallery", None, "A file of `iam-writer enroll`: its writers are the known writers.")
flags.DEFINE_string(
    "explain",
    None,
    "Draw into this PNG file which parts of the page speak for the answer. Name one page only.",
)
flags.DEFINE_string(
    "data_dir",
    None,
    "For --explain: the folder in which TFDS keeps the training dataset. Default: ~/tensorflow_datasets.",
)


@flags.multi_flags_validator(
    ["explain", "gallery"], "--explain cannot be used with --gallery. Leave one of them out."
)
def _is_one_kind(values):
    return not (values["explain"] and values["gallery"])


@flags.multi_flags_validator(
    ["checkpoint", "known", "gallery"],
    "The known writers must be named in one way: --known=FOLDER, or --gallery=FILE, or --checkpoint=best.keras (this one "
    "also with --gallery).",
)
def _says_who_is_known(values):
    return (values["known"] is None) != (values["checkpoint"] is None and values["gallery"] is None)


@flags.multi_flags_validator(["explain", "checkpoint"], "--explain needs --checkpoint.")
def _can_explain(values):
    return values["explain"] is None or values["checkpoint"] is not None


def main(argv: list[str]) -> None:
    paths = argv[1:]
    if not paths:
        raise app.UsageError("No page is named. Give the image files of the pages after the flags.")
    if flags.FLAGS.explain and len(paths) > 1:
        raise app.UsageError("--explain draws one page, but several pages are named. Name one page.")
    values = {
        name: flags.FLAGS[name].value for name in ("checkpoint", "gallery", "explain", "data_dir", "known")
    }
    values = {name: value and os.path.expanduser(value) for name, value in values.items()}
    known = values.pop("known")
    if values["checkpoint"] is None:
        programs.run(lambda: _compare(paths, known, values["gallery"]))
    programs.run(lambda: _identify(paths, **values))


def _compare(paths: list[str], known: str | None, gallery: str | None) -> int:
    """Answers by the hand descriptor."""
    population = reference.read()
    if gallery:
        writers = hand_gallery.enrolled(gallery, population)
    else:
        writers, left_out = hands.known_writers(known)
        for sentence in left_out:
            print(sentence, file=sys.stderr)
    failed, unknown = False, False
    with answers.printed() as say:
        for path in dict.fromkeys(paths):
            try:
                found = hands.identify(writers, path, population)
            except (BadImageError, NoWritingError) as error:
                print(error, file=sys.stderr)
                failed = True
                continue
            unknown |= found.writer is None
            page = described.describe(path)  # It was read just now, so this takes no time.
            divided = parts.of_page(page, writers, population)
            text = "\n".join(filter(None, [found.as_text(), parts.as_text(divided)]))
            data = {**found.as_json(), "parts": divided}
            # What is the same for all pages does not go into each row of the table.
            say({**data, "sha256": page.sha256, **record.record(population)}, text, [data])
    return 1 if failed else 2 if unknown else 0


def _identify(
    paths: list[str],
    checkpoint: str,
    gallery: str | None,
    explain: str | None,
    data_dir: str | None,
) -> int:
    if explain:
        programs.check_folder(explain)
    calibration = inputs.open_calibration(checkpoint)
    if explain and not checkpoints.has_network(pathlib.Path(checkpoint)):
        raise FlagError(f"--explain shows the windows of a network, and {checkpoint} holds none.")
    enrolled = inputs.open_gallery(gallery, checkpoint) if gallery else None
    network, failed, unknown = None, False, False
    seen_by = {"file": checkpoint, "sha256": provenance.sha256(checkpoint)}
    with answers.printed() as say:
        for path in dict.fromkeys(paths):
            # One at a time: a page takes 10 MB or more, and there may be thousands.
            pages = inputs.written(inputs.read_pages([path]))
            if not pages:
                failed = True
                continue
            if network is None:
                from iam_writer.recognition import recognizer  # TensorFlow takes seconds to load.

                network = recognizer.load(checkpoint, calibration)
            page = pages[path]
            scan = network.scan(page)
            if network.is_upside_down(page, scan):
                page = page.upside_down()
                scan = network.scan(page)
            verdict = network.verdict(path, page, scan, enrolled)
            unknown |= verdict.writer is None
            about = {"sha256": provenance.sha256(path), "checkpoint": seen_by, **provenance.origin()}
            say({**verdict.as_json(), **about}, verdict.as_text(), [verdict.as_json()])
            if explain:
                from iam_writer.recognition import explanation, network_recognizer

                if isinstance(network, network_recognizer.FusedRecognizer):
                    network, scan = network.network, scan.network
                note = explanation.draw(explain, network, page, scan, verdict, data_dir)
                print(f"{explain} shows why. {note}", file=sys.stderr)
    if failed:
        return 1
    return 2 if unknown else 0


if __name__ == "__main__":
    command_line.start(main)
