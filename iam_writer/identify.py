r"""Says who wrote a page, or a line, of handwriting: the five likeliest writers, or that it is none of those known.

  python -m iam_writer.identify --checkpoint=runs/top50/best.keras page1.png page2.tif

Images of any kind will do, dark ink on light paper, at 300 dpi or so. Probabilities are calibrated on validation pages.
"None of the known writers" is said of hands less like that of the likeliest writer than 95 % of the known ones' pages.
With --gallery the writers are those enrolled with iam_writer.enroll instead.

Exit status: 0 each file has a writer; 2 some are by none of the known writers; 1 a flag is wrong, or a file cannot be
read or has no handwriting (the others are answered all the same); 130 stopped.
"""

import json
import os
import sys

from absl import app, flags

from iam_writer.common import programs
from iam_writer.recognition import inputs

flags.DEFINE_string("checkpoint", None, "The trained network: a best.keras.", required=True)
flags.DEFINE_bool("json", False, "Print an object a file, a line each: file, writer, probability, top5 …")
flags.DEFINE_string("gallery", None, "Rank the writers of this file of iam_writer.enroll's.")
flags.DEFINE_string(
    "explain", None, "Draw into this PNG which parts of the page (one only) speak for the answer."
)
flags.DEFINE_string(
    "data_dir", None, "Where the training dataset is, for --explain. Default: ~/tensorflow_datasets."
)


@flags.multi_flags_validator(["explain", "gallery"], "--explain and --gallery do not go together.")
def _is_one_kind(values):
    return not (values["explain"] and values["gallery"])


def main(argv: list[str]) -> None:
    paths = argv[1:]
    if not paths:
        raise app.UsageError("Which pages? Name their files.")
    if flags.FLAGS.explain and len(paths) > 1:
        raise app.UsageError("--explain draws one page: name one file.")
    values = {name: flags.FLAGS[name].value for name in ("checkpoint", "gallery", "explain", "data_dir")}
    values = {name: value and os.path.expanduser(value) for name, value in values.items()}
    programs.run(lambda: _identify(paths, as_json=flags.FLAGS.json, **values))


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
