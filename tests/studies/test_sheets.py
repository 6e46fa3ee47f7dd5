"""sheets.py: a folder of IAM in, a row for each condition out. The writers are invented."""

import io
import json

import numpy as np
import pytest
from conftest import png, run_module
from PIL import Image

from iam_writer.common.errors import MissingDataError
from iam_writer.handwriting.synthetic import SyntheticHandwriting
from iam_writer.studies import iam_pages, sheets_report


@pytest.fixture(scope="module")
def iam(tmp_path_factory):
    """Two forms by each of three writers, in the layout of IAM's sentences."""
    folder = tmp_path_factory.mktemp("iam")
    handwriting = SyntheticHandwriting(3, 2, 4, seed=9)
    forms, rows = {}, []
    for number, name in enumerate(dict.fromkeys(line.form for line in handwriting.lines)):
        lines = [line for line in handwriting.lines if line.form == name]
        form = f"a01-{number:03}"
        forms[form] = f"{form} {lines[0].writer[1:].zfill(3)} 4 all 4 4 20 20"
        top = 0
        for place, line in enumerate(lines):
            pixels = np.asarray(Image.open(io.BytesIO(handwriting.read(line))).convert("L"))
            id = f"{form}-s{place:02}-00"
            path = folder / f"sentences/a01/{form}/{id}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(pixels))
            rows.append(f"{id} 0 ok 150 1 0 {top} {pixels.shape[1]} {pixels.shape[0]} a|text")
            top += len(pixels) + 40
    (folder / "ascii").mkdir()
    (folder / "ascii/forms.txt").write_text("\n".join(forms.values()) + "\n")
    (folder / "ascii/sentences.txt").write_text("\n".join(rows) + "\n")
    return folder


@pytest.mark.slow
def test_each_condition_has_a_row_and_each_page_is_kept(iam, tmp_path):
    output = tmp_path / "rows.jsonl"
    flags = f"--iam_dir={iam}", "--conditions=as is,negative", f"--output={output}"
    done = run_module("studies.sheets", *flags, "--pages=2", "--strangers=1")
    assert done.returncode == 0, done.stderr
    assert [line.split("  ")[0] for line in done.stdout.splitlines()[1:]] == ["as is", "negative"]
    _, *rows = map(json.loads, output.read_text().splitlines())
    assert [(row["condition"], row["stranger"]) for row in rows] == [
        (name, stranger) for name in ("as is", "negative") for stranger in (False, False, True)
    ]
    for row in rows:
        assert (row["true"], row["found"], row["given"]) == (4, 4, 4)
        assert row["stranger"] or row["known"]["first"] == row["writer"]
    # What was done is not done again: a changed row stays, and a row that was cut is made again.
    changed = [*output.read_text().splitlines()[:-1], output.read_text().splitlines()[-1][:50]]
    changed[1] = changed[1].replace('"found": 4', '"found": 0')
    output.write_text("\n".join(changed))
    again = run_module("studies.sheets", *flags, "--pages=2", "--strangers=1")
    assert again.returncode == 0, again.stderr
    _, *rows_again = map(json.loads, output.read_text().splitlines())
    assert rows_again[0]["found"] == 0 and rows_again[1:] == rows[1:]
    other = run_module("studies.sheets", *flags, "--split=validation")
    assert other.returncode == 1 and "holds the results of other flags" in other.stderr


def test_a_checkpoint_is_asked_about_forms_that_it_has_not_seen(iam):
    whole = sorted(iam_pages.forms(iam))
    of_writer = sheets_report._by_writer(iam, whole)
    (ada, (ada_train, ada_test)), (bob, (bob_train, bob_test)), (eve, (eve_first, _)) = of_writer.items()
    splits = {
        "train": {ada: {ada_train, "z99-000"}, bob: {bob_train}},
        "asked": {ada: {ada_test}, bob: {bob_test}},
    }
    chosen = sheets_report.chosen_of_splits(iam, whole, splits, 50, 5)
    assert chosen.known == {ada: [ada_train], bob: [bob_train]}
    assert chosen.asked == {ada: ada_test, bob: bob_test}
    assert chosen.strangers == {eve: eve_first}
    with pytest.raises(MissingDataError, match="none of the forms"):
        sheets_report.chosen_of_splits(iam, [], splits, 50, 5)


def test_the_table_counts_answers_strangers_and_wrong_names():
    def row(writer, first, accepted, stranger=False, warnings=()):
        asked = {"first": first, "accepted": accepted, "warnings": list(warnings)}
        return {
            "writer": writer,
            "stranger": stranger,
            "true": 4,
            "found": 3,
            "given": 4,
            "warnings": [],
            "known": asked,
        }

    rows = [
        row("a", "a", True),
        row("b", "b", False, warnings=["its resolution is low"]),
        row("c", "a", True),
        row("d", "a", True, stranger=True),
        row("e", "a", False, stranger=True),
    ]
    table, note = sheets_report.table_rows("desk", rows)
    assert table.split() == "desk 5 20 75.0% 25.0% 67% 33% 1 of 2".split()
    assert "1 pages were given to another known writer; 1 of 2 refusals name the resolution" in note


@pytest.mark.slow
def test_what_is_wrong_is_said(iam, tmp_path):
    wrong = run_module("studies.sheets", f"--iam_dir={iam}", "--conditions=rain")
    assert wrong.returncode == 1 and "there is no 'rain'" in wrong.stderr
    nobody = run_module("studies.sheets", f"--iam_dir={iam}", "--noknown")
    assert nobody.returncode == 1 and "nobody to ask" in nobody.stderr
