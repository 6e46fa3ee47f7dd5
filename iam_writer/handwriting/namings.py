"""Which page is a line image from? Its name tells it, if the name follows a naming that is known. Does not use TensorFlow.

`NAMINGS` is the table of the namings. `recognised` finds the naming of each writer's folder. `check` raises an error if
the names leave it open which images are of one page: a wrong guess would put lines of one page into train and test.
"""

import collections
import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from iam_writer.common import errors

_IAM_FORM = r"[a-z]\d{2}-\d{3}[a-z]?"


@dataclasses.dataclass(frozen=True)
class Naming:
    """How the files of a public set are named.

    Attributes:
      name: the set, and which of its images.
      pattern: matches a whole file name without its suffix. The group `page` is the name of the page. The group `writer`
        is the writer, if the name tells it.
      examples: names that match.
    """

    name: str
    pattern: re.Pattern[str]
    examples: tuple[str, ...]

    @property
    def tells_writer(self) -> bool:
        return "writer" in self.pattern.groupindex


def _naming(name: str, pattern: str, *examples: str) -> Naming:
    return Naming(name, re.compile(pattern), examples)


# Sources: IAM, the headers of its index files. CVL, its site and the names in cvl-database-1-1.zip (writer-text-line-word-
# transcription). CERUG, the word images that came with FragNet (the pages 03-01 and 03-02 are two texts on one sheet, and
# the papers count them as two pages). Firemaker, the README of its 300dpi folder (three digits of the writer, two of the
# task). ICDAR 2013, its competition's archives (writer_sample; 1 and 2 are English, 3 and 4 Greek). KHATT, its line and
# paragraph images (form_paragraph_line). QUWI, the call of the competition MSWDC 2016 (AAAA_B: writer and sample). CSAFE,
# the documentation of its R packages (writer, session, prompt, repetition).
NAMINGS = (
    _naming("IAM sentences", rf"(?P<page>{_IAM_FORM})-s\d{{2}}-\d{{2}}", "a01-000u-s00-00"),
    _naming(
        "IAM lines or words", rf"(?P<page>{_IAM_FORM})-\d{{2}}(-\d{{2}})?", "a01-000u-00", "a01-000u-00-03"
    ),
    _naming("IAM forms", rf"(?P<page>{_IAM_FORM})", "a01-000u"),
    _naming(
        "CVL",
        r"(?P<page>(?P<writer>\d{4})-[1-8])(-cropped|-\d{1,2}(-\d{1,2}(-.*)?)?)?",
        "0052-1",
        "0052-1-cropped",
        "0052-1-0",
        "0052-1-0-0-Imagine",
    ),
    _naming(
        "CERUG",
        r"(?P<page>(?P<writer>Writer\d{2,4})_\d{2}(-\d{2})?)([-_]line[-_].*)?",
        "Writer0101_03-01",
        "Writer0101_03-01-line-0-n-2-y-32-x-90-h-103-w-60",
    ),
    _naming("Firemaker", r"(?P<page>(?P<writer>\d{3})0[1-4])([-_].*)?", "15201", "15201-07", "15201_line_07"),
    _naming("ICDAR 2013", r"(?P<page>(?P<writer>\d{3})_[1-4])([-_].*)?", "001_1", "001_1-05"),
    _naming(
        "KHATT", r"(?P<page>(?P<writer>AHTD3A\d{4})_Para\d)(_\d+)?", "AHTD3A0001_Para2", "AHTD3A0001_Para2_3"
    ),
    _naming("QUWI", r"(?P<page>(?P<writer>\d{4})_[1-4])([-_].*)?", "0001_1", "0001_1_05"),
    _naming(
        "CSAFE",
        r"(?P<page>(?P<writer>w\d{4})_s\d{2}_p[A-Z]{3}_r\d{2})([-_].*)?",
        "w0001_s01_pLND_r01",
        "w0001_s01_pLND_r01_line_0",
    ),
)

STANDARD = re.compile(r"(?P<page>.+)-[^-]*")
"""Our own naming, `<page>-<line>`. A name that it does not match is a page of its own."""

FEW = 6
"""Fewer line images than this are not checked."""

_ALONE = 0.8
"""The names are in doubt if more than this share of all line images would be pages of their own."""

_LINE_WORDS = ("line", "ln", "row", "word", "sent", "zeile", "ligne", "linea", "l", "w", "s")
# `page1_line2`, `p1-l02`, `3line4`: a name of a page that ends like this still has the number of a line in it.
_ENDS_WITH_LINE = re.compile(rf"(.*[-_. \d])?({'|'.join(_LINE_WORDS)})[-_. ]?\d+", re.IGNORECASE)
# Our own naming in full, with a number: then the owner says that a page has one line image.
_NUMBERED = re.compile(r"[^/]-\d+$")
_COUNTED = re.compile(r"(?P<before>.*\d)[-_. ](?P<count>\d+)")

# What people mean most often, the most telling first. Each is offered as it stands, as a value of --page_pattern.
_GUESSES = (
    *(rf"(?P<page>[^/]+?)[-_. ]?{word}[-_. ]?\d+[^/]*$" for word in ("line", "Line", *_LINE_WORDS[1:])),
    r"(?P<page>[^/]+)-[^-/]+-[^-/]+$",
    r"(?P<page>[^/]+)_[^_/]+$",
    r"(?P<page>[^/]+)-[^-/]+$",
    r"(?P<page>[^/]+)[ .][^ ./]+$",
    r"(?P<page>[^/]*?[^\d/])\d+$",
)
EACH_ALONE = "(?P<page>.+)"
_AS_STANDARD = r"(?P<page>[^/]+)-[^-/]*$"


def recognised(names: Mapping[str, Sequence[str]]) -> dict[str, Naming]:
    """The naming of each writer's folder whose names all follow a known one.

    If the naming tells the writer, folders and writers must go together one to one. So `ada/0007-1`, a line of the page
    0007, is not taken for a page of CVL.

    Args:
      names: writer → names of the images in the writer's folder, without suffixes.

    Returns:
      Writer → naming. Writers whose names follow none are left out.
    """
    found: dict[str, Naming] = {}
    for naming in NAMINGS:
        told: dict[str, set[str]] = {}
        for folder in names.keys() - found.keys():
            matches = [naming.pattern.fullmatch(name) for name in names[folder]]
            if all(matches):
                told[folder] = {
                    match["writer"] if naming.tells_writer else folder for match in matches if match
                }
        folders_of = collections.Counter(writer for writers in told.values() for writer in writers)
        one_to_one = all(len(writers) == 1 for writers in told.values()) and set(folders_of.values()) <= {1}
        if one_to_one:
            found |= dict.fromkeys(told, naming)
    return found


def page_by(pattern: re.Pattern[str], path: str, group: str = "page") -> str:
    """What the pattern of a user finds in a path, which is relative to the folder and has no suffix.

    Raises:
      IndexFileError: the pattern finds nothing.
    """
    match = pattern.search(path)
    if not match or not match[group]:
        raise errors.IndexFileError(
            f"--{group}_pattern={pattern.pattern} finds no {group} in {path!r}. It is searched in the path below "
            "--manual_dir, without the suffix. Correct the pattern, or move the file to another folder."
        )
    return match[group].strip("/")


def compiled(pattern: str | None, group: str) -> re.Pattern[str] | None:
    """The compiled pattern of a user.

    Raises:
      FlagError: the pattern is not a regular expression, or has no group of this name.
    """
    if not pattern:
        return None
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise errors.FlagError(
            f"--{group}_pattern={pattern} is not a regular expression: {error}. Correct it."
        ) from error
    if group not in expression.groupindex:
        raise errors.FlagError(
            f"--{group}_pattern={pattern} has no group named {group}. Add one, such as "
            f"{EACH_ALONE.replace('page', group)}."
        )
    return expression


@dataclasses.dataclass(frozen=True)
class Named:
    """A line image whose page was guessed from its name.

    Attributes:
      writer: the writer.
      path: the path below the folder, without the suffix.
      page: the name of the page that was guessed, without the writer.
    """

    writer: str
    path: str
    page: str


def check(lines: Sequence[Named]) -> None:
    """Raises an error if the names do not tell which line images are of one page.

    Args:
      lines: the line images whose pages were guessed.

    Raises:
      UnclearPagesError: nearly all would be pages of their own, or the names of the pages look like those of lines. The
        message shows both readings, and the flag that chooses each.
    """
    if len(lines) < FEW:
        return
    pages = {(line.writer, line.page) for line in lines}
    numbered = sum(bool(_NUMBERED.search(line.path)) for line in lines)
    if len(pages) > _ALONE * len(lines) and numbered < len(lines):
        what = f"nearly all of these {len(lines):,} line images would be pages of their own"
        now = "each image is a page of its own", EACH_ALONE
    elif _look_like_lines(pages):
        what = f"the {len(pages):,} pages that the names give look like lines or words of pages"
        now = "the name of a page is what stands before the last '-'", _AS_STANDARD
    else:
        return
    example = min(lines, key=lambda line: line.path)
    said = [
        f"The names of the line images do not say which of them belong to one page: {what}. For example, {example.path} would "
        f"be on the page {example.page!r}. A wrong guess would put lines of one page into train and test. Choose one:",
    ]
    if guess := _guess(lines, len(pages)):
        pattern, count, page = guess
        said.append(
            f"If {example.path} is on the page {page!r} ({count:,} pages in all), add\n  --page_pattern='{pattern}'"
        )
    said.append(f"If the reading above is right ({now[0]}), add\n  --page_pattern='{now[1]}'")
    said.append(
        "If neither is right, write a pattern of your own, or a table manifest.csv. docs/own_scans.md describes both."
    )
    raise errors.UnclearPagesError("\n".join(said))


def _look_like_lines(pages: Iterable[tuple[str, str]]) -> bool:
    """Whether the names of pages are those of lines: `page1_line2`, or counters that begin anew, `1-1 1-2 2-1 2-2`."""
    of_writer = collections.defaultdict(list)
    for writer, page in pages:
        of_writer[writer].append(page)
    with_word = sum(bool(_ENDS_WITH_LINE.fullmatch(page)) for names in of_writer.values() for page in names)
    if 2 * with_word > sum(map(len, of_writer.values())):
        return True
    return 2 * sum(map(_begins_anew, of_writer.values())) > len(of_writer)


def _begins_anew(pages: Sequence[str]) -> bool:
    counts = collections.defaultdict(list)
    for page in pages:
        if match := _COUNTED.fullmatch(page):
            counts[match["before"]].append(int(match["count"]))
    anew = [found for found in counts.values() if len(found) >= 2 and min(found) <= 1]
    return len(anew) >= 2 and 2 * sum(map(len, anew)) > len(pages)


def _guess(lines: Sequence[Named], pages: int) -> tuple[str, int, str] | None:
    """The first guess that gives fewer pages, its number of pages, and the page of the first line."""
    first = min(lines, key=lambda line: line.path)
    for guess in _GUESSES:
        pattern = re.compile(guess)
        found = [(line.writer, pattern.search(line.path)) for line in lines]
        named = {(writer, match["page"]) for writer, match in found if match}
        if all(match for _, match in found) and len(named) < min(pages, len(lines) / 1.5):
            match = pattern.search(first.path)
            assert match
            return guess, len(named), match["page"]
    return None
