r"""Says who wrote a page, or a line, of handwriting: the five likeliest writers, or that it is none of those known.

  iam-writer identify --known=FOLDER page1.png page2.tif
  python -m iam_writer.identify --checkpoint=runs/top50/best.keras page1.png page2.tif

--known names a folder that holds a folder of pages for each writer. The hand descriptor compares the pages with them, which
needs no training. --gallery does the same with the writers in a file of iam_writer.enroll. With --checkpoint a trained
network answers: who of the writers that it was trained on, or of a --gallery that was enrolled with it, wrote the page.

Images of any kind will do, dark ink on light paper, at 300 dpi or so. A network's probabilities are calibrated on
validation pages. The answer is "none of the known writers" if the hand is less like the likeliest writer's than 95 % of the
known writers' own pages are; without a network, if the page speaks for two hands.

Exit status: 0 each file has a writer; 2 some are by none of the known writers; 1 a flag is wrong, or a file cannot be
read or has no handwriting (the others are answered all the same); 130 stopped.
"""

import json
import os
import sys

from absl import app, flags

from iam_writer.common import programs
from iam_writer.common.errors import BadImageError, NoWritingError
from iam_writer.recognition import hand_gallery, hands, inputs, reference

flags.DEFINE_string(
    "checkpoint", None, "A trained network, a best.keras. Default: none, the hand descriptor compares."
)
flags.DEFINE_string(
    "known", None, "Folder with a folder of pages for each known writer. Needs no --checkpoint."
)
flags.DEFINE_bool("json", False, "Print a JSON object for each file, one a line.")
flags.DEFINE_string("gallery", None, "File of iam_writer.enroll: rank the writers in it.")
flags.DEFINE_string(
    "explain", None, "Draw into this PNG which parts of the page (one only) speak for the answer."
)
flags.DEFINE_string(
    "data_dir", None, "Where the training dataset is, for --explain. Default: ~/tensorflow_datasets."
)


@flags.multi_flags_validator(["explain", "gallery"], "--explain and --gallery do not go together.")
def _is_one_kind(values):
    return not (values["explain"] and values["gallery"])


@flags.multi_flags_validator(
    ["checkpoint", "known", "gallery"],
    "Name the known writers: --known=FOLDER, or --gallery=FILE, or --checkpoint=best.keras, with which only --gallery goes.",
)
def _says_who_is_known(values):
    return (values["known"] is None) != (values["checkpoint"] is None and values["gallery"] is None)


@flags.multi_flags_validator(["explain", "checkpoint"], "--explain needs --checkpoint.")
def _can_explain(values):
    return values["explain"] is None or values["checkpoint"] is not None


def main(argv: list[str]) -> None:
    paths = argv[1:]
    if not paths:
        raise app.UsageError("Which pages? Name their files.")
    if flags.FLAGS.explain and len(paths) > 1:
        raise app.UsageError("--explain draws one page: name one file.")
    values = {
        name: flags.FLAGS[name].value for name in ("checkpoint", "gallery", "explain", "data_dir", "known")
    }
    values = {name: value and os.path.expanduser(value) for name, value in values.items()}
    known = values.pop("known")
    if values["checkpoint"] is None:
        programs.run(lambda: _compare(paths, known, values["gallery"], flags.FLAGS.json))
    programs.run(lambda: _identify(paths, as_json=flags.FLAGS.json, **values))


def _compare(paths: list[str], known: str | None, gallery: str | None, as_json: bool) -> int:
    """Answers by the hand descriptor."""
    population = reference.read()
    if gallery:
        writers = hand_gallery.enrolled(gallery, population)
    else:
        writers, left_out = hands.known_writers(known)
        for sentence in left_out:
            print(sentence, file=sys.stderr)
    failed, unknown = False, False
    for path in dict.fromkeys(paths):
        try:
            found = hands.identify(writers, path, population)
        except (BadImageError, NoWritingError) as error:
            print(error, file=sys.stderr)
            failed = True
            continue
        unknown |= found.writer is None
        print(json.dumps(found.as_json()) if as_json else found.as_text(), flush=True)
    return 1 if failed else 2 if unknown else 0


def _identify(
    paths: list[str],
    checkpoint: str,
    gallery: str | None,
    explain: str | None,
    data_dir: str | None,
    as_json: bool,
) -> int:
    if explain:
        programs.check_folder(explain)
    calibration = inputs.open_calibration(checkpoint)
    enrolled = inputs.open_gallery(gallery, checkpoint) if gallery else None
    network, failed, unknown = None, False, False
    for path in dict.fromkeys(paths):
        # One at a time: a page takes 10 MB or more, and there may be thousands.
        pages = inputs.written(inputs.read_pages([path]))
        if not pages:
            failed = True
            continue
        if network is None:
            from iam_writer.recognition import recognizer  # TensorFlow takes seconds to load.

            network = recognizer.Recognizer(checkpoint, calibration)
        page = pages[path]
        scan = network.scan(network.lay(page))
        verdict = network.verdict(path, page, scan, enrolled)
        unknown |= verdict.writer is None
        print(json.dumps(verdict.as_json()) if as_json else verdict.as_text(), flush=True)
        if explain:
            from iam_writer.recognition import explanation

            note = explanation.draw(explain, network, page, scan, verdict, data_dir)
            print(f"{explain} shows why. {note}", file=sys.stderr)
    if failed:
        return 1
    return 2 if unknown else 0


if __name__ == "__main__":
    app.run(main)
