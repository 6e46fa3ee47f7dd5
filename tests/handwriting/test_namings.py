"""Names of line images as public sets have them: no page comes into two splits, or the run stops and asks."""

import itertools

import pytest
from conftest import png, scribble

from iam_writer.common.errors import FlagError, IndexFileError, UnclearPagesError
from iam_writer.handwriting import namings, splits
from iam_writer.handwriting.folder import HandwritingFolder

WRITERS = range(1, 21)
PAGES, LINES = (1, 2, 3, 4), (1, 2, 3)


def names(form):
    """Writer, page and line → path, for 20 writers. `form` is filled with w, p and l."""
    return {form.format(w=w, p=p, l=i): (w, p) for w, p, i in itertools.product(WRITERS, PAGES, LINES)}


KNOWN = {
    "IAM sentences, by writer": "{w:03}/a{w:02}-00{p}u-s00-{l:02}.png",
    "IAM lines, by writer": "{w:03}/a{w:02}-00{p}-{l:02}.png",
    "IAM words, by writer": "{w:03}/a{w:02}-00{p}-{l:02}-05.png",
    "CVL lines": "{w:04}/{w:04}-{p}-{l}.tif",
    "CVL words": "{w:04}/{w:04}-{p}-{l}-{l}-well-known.tif",
    "CERUG words": "Writer{w:04}/Writer{w:04}_03-{p:02}-line-{l}-n-{l}-y-32-x-90-h-103-w-61.png",
    "Firemaker lines": "{w:03}/{w:03}0{p}_line{l}.png",
    "ICDAR 2013 lines": "{w:03}/{w:03}_{p}_{l}.tif",
    "KHATT lines": "{w}/AHTD3A{w:04}_Para{p}_{l}.tif",
    "QUWI lines": "{w}/{w:04}_{p}-{l}.png",
    "CSAFE lines": "{w}/w{w:04}_s0{p}_pLND_r01_line_{l}.png",
    "ours": "w{w}/letter{p}-{l:02}.png",
    "a folder a page": "w{w}/letter{p}/{l}.png",
}
UNKNOWN = {
    "underscores": "w{w}/page{p}_{l}.png",
    "words": "w{w}/page{p}_line{l}.png",
    "Muharaf": "w{w}/AR_{p}_{l}.png",
    "binarised": "w{w}/page{p}-line{l}-bin.png",
    "blanks": "w{w}/page {p} line {l}.png",
    "page, line, word": "w{w}/{p}-{l}-1.png",
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    def make(paths):
        root = tmp_path_factory.mktemp("scans")
        for path in paths:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            with (root / path).open("wb") as file:
                # A PNG file by its content, whatever its suffix.
                file.write(png(scribble(path)))
        return root

    return make


def check_pages(handwriting, page_of):
    """No page is in two splits, and all splits have lines."""
    divided = splits.split_by_form(handwriting.lines)
    stem_of = {path.rpartition(".")[0]: page for path, page in page_of.items()}
    pages = [{stem_of[line.id] for line in lines} for lines in divided.values()]
    assert all(pages) and not any(a & b for a, b in itertools.combinations(pages, 2))
    assert len({line.form for line in handwriting.lines}) == len(set(page_of.values()))


@pytest.mark.parametrize("form", KNOWN.values(), ids=KNOWN)
def test_no_page_is_on_two_sides(tree, form):
    page_of = names(form)
    check_pages(HandwritingFolder(tree(page_of)), page_of)


@pytest.mark.parametrize("form", UNKNOWN.values(), ids=UNKNOWN)
def test_other_namings_stop_the_run_and_the_flag_that_it_shows_is_right(tree, form):
    page_of = names(form)
    root = tree(page_of)
    with pytest.raises(UnclearPagesError, match="do not say which of them belong to one page") as stopped:
        HandwritingFolder(root)
    shown = [row.strip() for row in str(stopped.value).splitlines() if "--page_pattern" in row]
    guess, as_it_is = [row.removeprefix("--page_pattern='").removesuffix("'") for row in shown]
    check_pages(HandwritingFolder(root, page_pattern=guess), page_of)
    assert len({line.form for line in HandwritingFolder(root, page_pattern=as_it_is).lines}) > len(
        set(page_of.values())
    )


def test_names_that_tell_nothing_stop_the_run(tree):
    with pytest.raises(UnclearPagesError, match=r"--page_pattern='\(\?P<page>\.\+\)'"):
        HandwritingFolder(tree([f"ada/{name}.png" for name in "abcdefgh"]))


@pytest.mark.parametrize("naming", namings.NAMINGS, ids=lambda naming: naming.name)
def test_the_examples_of_a_naming_are_of_one_page(naming):
    pages = {naming.pattern.fullmatch(example)["page"] for example in naming.examples}
    assert len(pages) == 1
    assert namings.recognised({"ada": list(naming.examples)}).keys() <= {"ada"}


def test_a_naming_that_tells_the_writer_must_agree_with_the_folders():
    """The line 1 of page 0007 of two writers of one's own is not the page 0007-1 of CVL."""
    own = {"ada": ["0007-1", "0007-2", "0008-1"], "bob": ["0007-1", "0009-1"]}
    assert namings.recognised(own) == {}
    known = namings.recognised({"ada": ["0007-1", "0007-2"], "bob": ["0009-1"], "carl": ["letter1"]})
    assert {writer: naming.name for writer, naming in known.items()} == {"ada": "CVL", "bob": "CVL"}


def test_a_few_lines_and_pages_are_not_asked_about(tree):
    handwriting = HandwritingFolder(tree(["ada/a.png", "ada/b.png", "bob/c.png", "bob/d.png"]))
    assert {line.form for line in handwriting.lines} == {"ada/a", "ada/b", "bob/c", "bob/d"}


def test_patterns_find_writer_and_page_anywhere(tree):
    root = tree([f"box{p}/{w} p{p} l{i}.png" for w in ("ada", "bob") for p in (1, 2, 3) for i in (1, 2)])
    patterns = {"writer_pattern": "(?P<writer>[a-z]+) p", "page_pattern": "(?P<page>p[0-9]+) l"}
    lines = HandwritingFolder(root, **patterns).lines
    assert {(line.writer, line.form) for line in lines} == {
        (w, f"{w}/p{p}") for w in ("ada", "bob") for p in (1, 2, 3)
    }
    assert lines[0].id == "box1/ada p1 l1"


def test_a_pattern_that_finds_nothing_names_the_file(tree):
    root = tree(["ada/p1_l1.png", "ada/note.png"])
    with pytest.raises(IndexFileError, match="finds no page in 'ada/note'"):
        HandwritingFolder(root, page_pattern=r"(?P<page>p\d+)_")


@pytest.mark.parametrize(
    ("flag", "pattern", "message"),
    [
        ("page_pattern", "(?P<page>", "is not a regular expression"),
        ("page_pattern", ".*", "has no group named page"),
        ("writer_pattern", "(?P<page>.*)", "has no group named writer"),
    ],
)
def test_wrong_patterns(tree, flag, pattern, message):
    with pytest.raises(FlagError, match=message):
        HandwritingFolder(tree(["ada/a.png"]), **{flag: pattern})


def test_the_fingerprint_knows_the_pages(tree):
    root = tree(names("w{w}/page{p}-{l}.png"))
    prints = {
        HandwritingFolder(root, page_pattern=pattern).fingerprint
        for pattern in (None, "(?P<page>.+)", "(?P<page>[^/]+)-")
    }
    assert len(prints) == 3
