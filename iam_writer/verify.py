r"""Says how strongly questioned and known pages speak for one hand: a likelihood ratio with its limits.

  iam-writer verify letter1.png letter2.png
  iam-writer verify --questioned note.png --known ada1.png ada2.png
  iam-writer verify --questioned note.png --known ada/ --population archive/ --report=report.html
  iam-writer verify --checkpoint=best.keras letter1.png letter2.png

All pages of one side are taken to be by one hand. A folder stands for all images in it, and a pattern such as '*.png' for the files
that fit.

Without --checkpoint the hand descriptor compares the pages, which needs no training. The answer is a likelihood ratio: how many
times as likely the pages are if one hand wrote them than if two hands did. What two hands look like is known from invented
writers, or from a --population: pages of the same kind by people who did not write the pages in question.

With --checkpoint a trained network compares two pages. Its error rates come from pairs of a validation form and another form; this
step has not seen their writers before, but the network has.

Exit status: 0 the pages speak for one hand; 2 they speak for two hands; 3 there is no answer, and the reason is told; 1 a flag is
wrong, or a file cannot be read or has no handwriting; 130 stopped.
"""

import os
from typing import Any

import numpy as np
from absl import app, flags

from iam_writer.common import answers, programs, provenance, word_lists
from iam_writer.common.errors import CheckpointError, NoWritingError
from iam_writer.common.files import write_beside
from iam_writer.evidence import population as populations
from iam_writer.evidence import ratio, ratio_report, specimens
from iam_writer.handwriting import layout_files, sources
from iam_writer.recognition import inputs, reference
from pipelines.system import command_line

flags.DEFINE_string(
    "checkpoint",
    None,
    "best.keras or best.descriptor of a training run. Default: none; the hand descriptor compares the pages.",
)
flags.adopt_module_key_flags(answers)
flags.DEFINE_multi_string("questioned", None, "The pages that are asked about: files, folders, patterns.")
flags.DEFINE_multi_string("known", None, "The pages that they are compared with: files, folders, patterns.")
flags.DEFINE_string(
    "population",
    None,
    "Folder with pages by people who did not write the pages in question, of the same kind: a folder of pages for each "
    "writer, or pages whose writers are not known. Default: invented writers.",
)
flags.DEFINE_enum(
    "pairs",
    "both",
    list(populations.ANCHORS),
    "How pairs by two writers are drawn from --population: "
    + "; ".join(f"{name}: {what}" for name, what in populations.ANCHORS.items())
    + ".",
)


flags.DEFINE_string("report", None, "Write a web page about the answer into this HTML file.")


@flags.multi_flags_validator(["questioned", "known"], "--questioned and --known go together.")
def _go_together(values: dict[str, Any]) -> bool:
    return (values["questioned"] is None) == (values["known"] is None)


@flags.multi_flags_validator(
    ["checkpoint", "questioned", "population", "report"],
    "With --checkpoint, name two files and nothing else.",
)
def _network_takes_two(values: dict[str, Any]) -> bool:
    rest = [value for name, value in values.items() if name != "checkpoint"]
    return values["checkpoint"] is None or rest == [None] * len(rest)


def main(argv: list[str]) -> None:
    if flags.FLAGS.checkpoint is not None:
        if len(argv) != 3:
            raise app.UsageError(
                f"Two pages are needed, but {len(argv) - 1} are named. Give two image files after the flags."
            )
        checkpoint = os.path.expanduser(flags.FLAGS.checkpoint)
        programs.run(lambda: _verify(argv[1:], checkpoint))
    if flags.FLAGS.questioned is None:
        if len(argv) != 3:
            raise app.UsageError(
                f"Two pages are needed, but {len(argv) - 1} are named. Give two image files, or, for several pages on a side: "
                "--questioned a.png b.png --known c.png"
            )
        questioned, known = [argv[1]], [argv[2]]
    else:
        if len(argv) > 1:
            raise app.UsageError(f"{argv[1]} belongs to neither side. Put it after --questioned or --known.")
        questioned, known = (word_lists.split(flags.FLAGS[name].value) for name in ("questioned", "known"))
    place = flags.FLAGS.population and os.path.expanduser(flags.FLAGS.population)
    report = flags.FLAGS.report and os.path.expanduser(flags.FLAGS.report)
    pairs = flags.FLAGS.pairs
    programs.run(lambda: _compare(questioned, known, place, pairs, report))


def _compare(
    questioned: list[str], known: list[str], place: str | None, pairs: str, report: str | None
) -> int:
    if report:
        programs.check_folder(report)
    wheel = reference.read()
    sides = [sources.pages(names) for names in (questioned, known)]
    population = populations.of_wheel(wheel)
    if place:
        found = specimens.read(place).without({os.path.realpath(path) for side in sides for path in side})
        population = populations.of_pages(wheel, found.counts, found.writers, pairs)
    found = ratio.verify(*sides, population, wheel)
    if report:
        write_beside(report, ratio_report.as_page(found))
    with answers.printed() as say:
        say(found.as_json(), found.as_text())
    if found.log10 is None:
        return 3
    return 0 if found.log10 > 0 else 2


def _verify(paths: list[str], checkpoint: str) -> int:
    calibration = inputs.open_calibration(checkpoint)
    if not calibration.pairs.all():
        raise CheckpointError(
            f"{checkpoint} cannot compare hands, because its validation data had no two forms of one writer. Leave out "
            "--checkpoint, or train on more forms of each writer."
        )
    pages = inputs.written(inputs.read_pages(paths))
    if len(pages) < len(set(paths)):
        raise NoWritingError(
            "The pages were not compared, because of the files named above. Name two pages with handwriting."
        )
    from iam_writer.recognition import (
        recognizer,  # TensorFlow takes seconds to load; what is wrong is told before.
    )

    network = recognizer.load(checkpoint, calibration)
    scans = [network.scan(pages[path]) for path in paths]
    vectors = calibration.embed(np.stack([network.embedding(scan) for scan in scans]))
    odds = float(calibration.same_hand(vectors[0] @ vectors[1]))
    same, score = odds >= calibration.pair_threshold, float(1 / (1 + np.exp(-odds)))
    warnings = [
        text for path, scan in zip(paths, scans, strict=True) for text in network.warnings(pages[path], scan)
    ]
    if min(scan.amount for scan in scans) < calibration.form_amount / 2:
        warnings.append("there is less writing than on the pages that the error rates were measured on")
    hashes = [provenance.sha256(path) for path in paths]
    if hashes[0] == hashes[1]:
        warnings.append("both files are the same page, so the answer says nothing about hands")
    false_match, false_non_match = calibration.pair_errors.tolist()
    of_one, of_two = calibration.pairs.tolist()
    given = layout_files.in_words([page.layout for page in pages.values()])
    text = [
        f"{'One hand wrote both pages' if same else 'Two hands wrote the pages'}: the score is {score:.1%}, and the "
        f"threshold for one hand is {1 / (1 + np.exp(-calibration.pair_threshold)):.1%}.",
        f"Of {of_two:,} pairs by two writers, {false_match:.1%} were taken for one hand. Of {of_one:,} pairs by one writer, "
        f"{false_non_match:.1%} were taken for two hands. There are more errors for writers that the network was not trained on.",
        *([given] if given else []),
        *(f"Warning: {text}." for text in warnings),
    ]
    data = {
        "files": paths,
        "same": bool(same),
        "score": round(score, 4),
        "false_match": false_match,
        "false_non_match": false_non_match,
        "lines_from": [pages[path].layout or None for path in paths],
        "warning": ". ".join(warnings) or None,
    }
    about = {
        "sha256": hashes,
        "checkpoint": {"file": checkpoint, "sha256": provenance.sha256(checkpoint)},
        **provenance.origin(),
    }
    with answers.printed() as say:
        say({**data, **about}, "\n".join(text), [data])
    return 0 if same else 2


if __name__ == "__main__":
    command_line.start(main, lambda argv: word_lists.gathered(argv, ["questioned", "known"]))
