"""The command `iam-writer`: it lists the programs, or runs one. `iam-writer train …` is `python -m iam_writer.train …`.

Exit status: the status of the program; 1 if there is no program of that name.
"""

import difflib
import runpy
import sys

from pipelines.system import command_line

PROGRAMS = {
    "train": ("iam_writer.train", "learns to name the writer of a line, with a network or without one"),
    "identify": ("iam_writer.identify", "names the writer of a page"),
    "enroll": ("iam_writer.enroll", "adds pages of a writer to a gallery"),
    "gallery": ("iam_writer.gallery", "lists, renames and removes the writers of a gallery"),
    "verify": ("iam_writer.verify", "says how strongly pages speak for one hand: a likelihood ratio"),
    "validate": ("iam_writer.validate", "measures the likelihood ratios of verify on your own specimens"),
    "scribes": ("iam_writer.scribes", "says how many hands wrote some pages, and which page is whose"),
    "evaluate": ("iam_writer.evaluate", "measures a checkpoint on forms that were not used for training"),
    "export": ("iam_writer.export", "writes a network as SavedModel, LiteRT or ONNX"),
}
"""The programs that people run: name → its module, and what it does in one line."""

RESEARCH = {
    "ablate": ("iam_writer.studies.ablate", "measures what each part of a recipe is worth"),
    "baseline": ("iam_writer.studies.baseline", "trains models without a network on the same lines"),
    "robustness": ("iam_writer.studies.robustness", "measures a network on blurred, noisy and gray scans"),
    "carry": (
        "iam_writer.studies.carry",
        "measures the hand descriptor on scans and scripts that it has not learnt from",
    ),
    "sheets": ("iam_writer.studies.sheets", "measures identify on photographed, turned and coarse pages"),
    "trial": ("iam_writer.studies.trial", "measures identify, enroll and verify"),
    "reference": (
        "iam_writer.studies.reference",
        "learns what verify knows about hands from invented writers",
    ),
    "results": ("iam_writer.studies.results", "writes a page of results from many runs"),
    "gpu": ("iam_writer.studies.gpu", "measures networks, input and copies in one short visit to a GPU"),
    "collage": ("iam_writer.studies.collage", "draws random patches of a dataset"),
    "benchmark": ("pipelines.benchmark", "measures patches/s of the pipeline and of others"),
    "serve": ("pipelines.serve", "makes batches on this machine for a training on another machine"),
}
"""The same for research. `iam-writer ablate` works as well as the full name."""

ALL = PROGRAMS | RESEARCH


def overview() -> str:
    """What `iam-writer --help` prints: each program in one line."""
    width = max(len(f"python -m {module}") for module, _ in RESEARCH.values())
    lines = ["Who wrote this? Names the writer of handwritten pages.", ""]
    lines += [f"  {'iam-writer ' + name:<{width}}  {what}" for name, (_, what) in PROGRAMS.items()]
    lines += ["", "For research:", ""]
    lines += [f"  {'python -m ' + module:<{width}}  {what}" for module, what in RESEARCH.values()]
    lines += ["", "`iam-writer train --help` lists the flags of train, and so on for each program."]
    return "\n".join(lines)


def main() -> int:
    """Runs the program that the first argument names, with the arguments that follow."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("--help", "-h", "-help", "help"):
        with command_line.ending_with_the_reader():
            print(overview())
        return 0
    if name not in ALL:
        print(unknown(name), file=sys.stderr)
        return 1
    module = ALL[name][0]
    del sys.argv[1]
    runpy.run_module(module, run_name="__main__", alter_sys=True)  # Leaves by SystemExit.
    return 0


def unknown(name: str) -> str:
    """The sentence for a name that no program has."""
    near = difflib.get_close_matches(name, ALL)
    hint = f"Did you mean {' or '.join(near)}?" if near else "`iam-writer --help` lists the programs."
    return f"There is no program {name!r}. {hint}"


if __name__ == "__main__":
    sys.exit(main())
