"""Divides lines into train, validation and test. Does not use TensorFlow.

A split depends only on the names of the lines, by their SHA-256. It does not depend on the order of files, on a seed, or
on the version of a library. So the same names give the same split on every machine. Every function returns the lines
sorted by id.
"""

import collections
import hashlib
from collections.abc import Callable, Iterable, Sequence

from iam_writer.common import errors
from iam_writer.handwriting.line import Line

TRAIN, VALIDATION, TEST = NAMES = ("train", "validation", "test")


def split_by_form(lines: Sequence[Line], single_form_by_row: bool = False) -> dict[str, list[Line]]:
    """Holds out whole pages: the lines of a page are all in the same split. Copies of a page are in its split.

    For each writer, a sixth of the forms goes to test and as many forms go to validation. At least one form goes to test
    if the writer has two or more forms, and at least one to validation if there are three or more. The other forms go to
    train.

    Args:
      lines: any number of lines of any number of writers.
      single_form_by_row: what happens to the writers with a single form. IAM has 356 such writers among its 657, and
        only the config of all 657 writers uses them. False: all their lines go to train. True: their physical text
        lines are divided as the forms of the other writers are, as FragNet and GR-RNN do. Then train and test share
        a page, but never a row.

    Raises:
      IndexFileError: the rows are needed, but they are not known.
    """

    def unit_of(writer_lines: list[Line]) -> Callable[[Line], str]:
        if single_form_by_row and len({_page(line) for line in writer_lines}) == 1:
            return _row
        return _page

    return _split(lines, unit_of)


def split_by_one_form(lines: Sequence[Line]) -> dict[str, list[Line]]:
    """Holds out one page of each writer, as FragNet and GR-RNN do for IAM.

    FragNet (arXiv 2003.07212) and GR-RNN take one page of each writer with two or more for the test. They divide the
    lines of a writer with one page. Which pages these are is not published as a list, and these works have no validation
    split. Here a hash of the page's name chooses, and one page of each writer with three or more goes to validation.

    Raises:
      IndexFileError: a writer has one page, and its rows are not known.
    """

    def unit_of(writer_lines: list[Line]) -> Callable[[Line], str]:
        return _row if len({_page(line) for line in writer_lines}) == 1 else _page

    return _split(lines, unit_of, held_out=1)


def split_as_chosen(lines: Sequence[Line]) -> dict[str, list[Line]]:
    """The splits that the owner of the files has chosen (`Line.split`).

    If the owner has chosen no validation split, it is taken from train as `split_by_form` does. An image in train or
    validation that is a copy of one in a later split is left out (see `one_side`).
    """
    splits = {name: [line for line in lines if line.split == name] for name in NAMES}
    if not splits[VALIDATION]:
        divided = split_by_form(splits[TRAIN])
        splits[VALIDATION] = divided[VALIDATION]
        splits[TRAIN] = sorted(divided[TRAIN] + divided[TEST], key=lambda line: line.id)
    return splits


def select(lines: Sequence[Line], subset: str) -> Sequence[Line]:
    """The lines of a subset: 'all', 'top50' or 'two_forms'. Raises ValueError for another one."""
    match subset:
        case "all":
            return lines
        case "top50":
            return most_productive(lines, 50)
        case "two_forms":
            return with_two_forms(lines)
    raise ValueError(f"Unknown subset {subset!r}.")


def split(lines: Sequence[Line], split_by: str) -> dict[str, list[Line]]:
    """Splits as the lines say, if they say it; else by 'form', 'form_or_row', 'one_form' or 'image'.

    Raises:
      ValueError: there is no such way to split.
    """
    if any(line.split for line in lines):
        return split_as_chosen(lines)
    match split_by:
        case "form":
            return split_by_form(lines)
        case "form_or_row":
            return split_by_form(lines, single_form_by_row=True)
        case "one_form":
            return split_by_one_form(lines)
        case "image":
            return split_by_image(lines)
    raise ValueError(f"Unknown split_by {split_by!r}.")


def one_side(splits: dict[str, list[Line]]) -> tuple[dict[str, list[Line]], list[str]]:
    """Leaves out of train what has a copy in validation or test, and out of validation what has a copy in test.

    Returns:
      The splits, and the ids of the lines that were left out.
    """
    left_out = []
    kept = dict(splits)
    later: set[str] = set()
    for name in reversed(NAMES):
        left_out += [line.id for line in splits[name] if line.copies in later]
        kept[name] = [line for line in splits[name] if line.copies not in later]
        later |= {line.copies for line in splits[name] if line.copies}
    return kept, left_out


def split_by_image(lines: Sequence[Line]) -> dict[str, list[Line]]:
    """Holds out images, not pages, as in the article "Handwriting recognition using Tensorflow and Keras".

    This split leaks. For nearly every test image, train has images of the same page, and often of the same physical text
    line. So the measured accuracy is too high (in one study 81.8 % instead of 50.4 %, arXiv 2005.08424). The split
    exists to compare with the article.

    For each writer, a sixth of the images goes to test and as many go to validation. At least one image goes to test if
    the writer has two or more images, and at least one to validation if there are three or more.
    """
    return _split(lines, lambda _: lambda line: line.id)


def shuffled(names: Iterable[str]) -> list[str]:
    """The names in an order that looks random, but is the same on every machine."""
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())


def most_productive(lines: Sequence[Line], count: int) -> list[Line]:
    """The lines of the `count` writers with the most images. If two have equally many, the lower id comes first."""
    images = collections.Counter(line.writer for line in lines)
    writers = sorted(images, key=lambda writer: (-images[writer], writer))
    return _of_writers(lines, writers[:count])


def with_two_forms(lines: Sequence[Line]) -> list[Line]:
    """The lines of the writers with two or more forms. Only for these writers can a page be held out."""
    forms = collections.Counter(writer for writer, _ in {(line.writer, line.form) for line in lines})
    return _of_writers(lines, [writer for writer, count in forms.items() if count >= 2])


def check(splits: dict[str, list[Line]]) -> None:
    """Raises an error if the splits do not suffice to train a network or to measure its accuracy.

    Raises:
      TooFewWritersError: there are fewer than two writers in all splits together.
      EmptySplitError: a split has no image.
    """
    writers = sorted({line.writer for lines in splits.values() for line in lines})
    if len(writers) < 2:
        found = f"only {writers[0]!r}" if writers else "none"
        raise errors.TooFewWritersError(
            f"At least two writers are needed, but {found} was found. Add pages by another writer."
        )
    empty = [name for name, lines in splits.items() if not lines]
    if empty:
        raise errors.EmptySplitError(
            f"There is no image for {' and '.join(empty)}. A writer needs two pages to have one for test, and three pages to "
            "have another one for validation. Add pages, or choose a split by image."
        )


def never_tested(splits: dict[str, list[Line]]) -> list[str]:
    """The writers who have no image in test, since they have a single form."""
    written = {line.writer for lines in splits.values() for line in lines}
    tested = {line.writer for line in splits[TEST]}
    return sorted(written - tested)


def _split(
    lines: Sequence[Line],
    unit_of: Callable[[list[Line]], Callable[[Line], str]],
    held_out: int | None = None,
) -> dict[str, list[Line]]:
    """Divides each writer's lines by the units (forms, rows or images) that `unit_of` finds for them."""
    by_writer = collections.defaultdict(list)
    for line in sorted(lines, key=lambda line: line.id):
        by_writer[line.writer].append(line)
    splits: dict[str, list[Line]] = {name: [] for name in NAMES}
    for writer_lines in by_writer.values():
        unit = unit_of(writer_lines)
        split_of = _assign((unit(line) for line in writer_lines), held_out)
        for line in writer_lines:
            splits[split_of[unit(line)]].append(line)
    return {name: sorted(found, key=lambda line: line.id) for name, found in splits.items()}


def _assign(units: Iterable[str], held_out: int | None = None) -> dict[str, str]:
    """The split of each unit. `held_out` units go to test, and as many to validation; if it is None, a sixth."""
    units = shuffled(set(units))
    held_out = held_out or max(1, round(len(units) / 6))
    test = held_out if len(units) >= 2 else 0
    validation = held_out if len(units) >= 3 else 0
    names = [TEST] * test + [VALIDATION] * validation
    names += [TRAIN] * (len(units) - len(names))
    return dict(zip(units, names, strict=True))


def _page(line: Line) -> str:
    return line.copies or line.form


def _row(line: Line) -> str:
    if not line.row:
        raise errors.IndexFileError(
            f"It is not known which text line {line.id} is a part of. Writer {line.writer} has one form only, and it is "
            "divided by text line. Put sentences.txt, or ascii.tgz which holds it, into the folder."
        )
    return line.row


def _of_writers(lines: Sequence[Line], writers: Sequence[str]) -> list[Line]:
    chosen = set(writers)
    return sorted((line for line in lines if line.writer in chosen), key=lambda line: line.id)
