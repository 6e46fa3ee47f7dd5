"""Lists the writers of a gallery, renames a writer, or removes one.

  iam-writer gallery family.npz
  iam-writer gallery family.npz --rename=Ada --to="Ada L."
  iam-writer gallery family.npz --remove=Bob

The gallery must be one that `iam-writer enroll` made without --checkpoint.

Exit status: 0 done; 1 a flag is wrong, or the gallery cannot be read or has no such writer; 130 stopped.
"""

import os
import pathlib

import filelock
from absl import app, flags

from iam_writer.common import programs
from iam_writer.recognition import hand_gallery, reference
from pipelines.system import command_line

flags.DEFINE_string("rename", None, "The writer who gets another name; see --to.")
flags.DEFINE_string("to", None, "The new name of the writer of --rename.")
flags.DEFINE_string("remove", None, "The writer to remove.")


@flags.multi_flags_validator(["rename", "to"], "--rename and --to must be given together.")
def _go_together(values):
    return (values["rename"] is None) == (values["to"] is None)


@flags.multi_flags_validator(
    ["rename", "remove"], "--rename and --remove cannot be given together. Give two commands."
)
def _are_one_step(values):
    return values["rename"] is None or values["remove"] is None


def main(argv: list[str]) -> None:
    if len(argv) != 2:
        raise app.UsageError(
            "Exactly one gallery is needed. Give its file after the flags, such as family.npz."
        )
    path = pathlib.Path(os.path.expanduser(argv[1]))
    names = {name: flags.FLAGS[name].value for name in ("rename", "to", "remove")}
    programs.run(lambda: _gallery(path, **names))


def _gallery(path: pathlib.Path, rename: str | None, to: str | None, remove: str | None) -> int:
    population = reference.read()
    if rename or remove:
        with filelock.FileLock(path.with_name(f".{path.name}.lock")):
            known = hand_gallery.enrolled(path, population)
            known = (
                hand_gallery.renamed(known, rename, to)
                if rename and to
                else hand_gallery.without(known, str(remove))
            )
            hand_gallery.write_gallery(path, known, population)
    for writer, sample in hand_gallery.enrolled(path, population).items():
        pages = len(sample.pages)
        print(f"{writer}: {pages} page{'s' * (pages != 1)}, {sample.lines} line{'s' * (sample.lines != 1)}")
    return 0


if __name__ == "__main__":
    command_line.start(main)
