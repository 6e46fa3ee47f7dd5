"""iam_writer/studies/results.py: result.json files in, a page of tables out; protocols never share a table."""

import json
import pathlib
import re

import pytest
from conftest import run_module

from iam_writer.common import errors
from iam_writer.studies import results_page as results


def made(dataset="top50", seed=0, line=0.9, model="article", lines=667, **more):
    """The part of a run's result.json that the page uses."""
    return {
        "test.patch_top1": 0.7,
        "test.line_top1": line,
        "test.line_macro_top1": 0.85,
        "test.form_top1": 1.0,
        "test.lines": lines,
        "test.forms": 59,
        "test.writers": 50,
        "minutes": 16.96,
        "train.patches": 2641920,
        "dataset": f"iam_writer/{dataset}/1.0.0",
        "config": {
            "dataset": f"iam_writer/{dataset}",
            "model": model,
            "seed": seed,
            "workdir": f"runs/{seed}",
        },
        "command": "/usr/bin/python3 -m iam_writer.train --flagfile=iam_writer/flagfiles/iam_top50.flags "
        f"--seed={seed} --manual_dir /home/me/iam --workdir=/tmp/x --deterministic".split(),
        "machine.cores": 2,
        "machine.cpu": "Some CPU",
        "machine.gpus": 1,
        "machine.gpu": "Some GPU",
    } | more


def tables(page):
    """Heading → the rows of cells in its table, without the head."""
    found = {}
    for line in page.splitlines():
        if line.startswith("## "):
            heading = found.setdefault(line[3:], [])
        elif line.startswith("| "):
            heading.append([cell.strip() for cell in line.strip("|").split("|")])
    return {heading: rows[2:] for heading, rows in found.items()}


def test_a_run_is_a_row():
    page = results.report([made()])
    assert page.startswith("<!-- Written by python -m iam_writer.studies.results")
    assert "Whole forms are held out. Test: 667 lines, 59 forms, 50 writers." in page
    assert tables(page) == {
        "iam_writer/top50": [
            [
                "article",
                "70.0",
                "90.0",
                "85.0",
                "100.0",
                "0",
                "17.0",
                "2,641,920",
                "2 cores of Some CPU, 1 × Some GPU",
                "`python -m iam_writer.train --flagfile=iam_writer/flagfiles/iam_top50.flags --seed=0 "
                "--manual_dir=DIR --deterministic`",
            ]
        ]
    }


def test_seeds_make_one_row_of_means():
    page = results.report(
        [made(seed=1, line=0.88), made(seed=0, line=0.92), made(model="compact", line=0.95)]
    )
    ((best, seeds),) = tables(page).values()
    assert best[:3] == ["compact", "70.0", "95.0"]
    assert seeds[:6] == ["article", "70.0", "90.0 ± 2.8", "85.0", "100.0", "0, 1"]
    assert "--seed" not in seeds[-1]


def test_protocols_are_never_mixed():
    page = results.report(
        [made(), made("top50_by_image", line=0.99), made(lines=563), made("synthetic50_ab12")]
    )
    headings = ["synthetic50_ab12", "top50", "top50", "top50_by_image"]
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        f"## iam_writer/{h}" for h in headings
    ]
    parts = {part.split("\n")[0]: part for part in page.split("\n## ")[1:]}
    assert "**LEAKS**" in parts["iam_writer/top50_by_image"]
    assert "**LEAKS**" not in parts["iam_writer/top50"] + parts["iam_writer/synthetic50_ab12"]
    assert page.count("563 lines") == page.count("**LEAKS**") == 1
    assert "Whole forms are held out" in parts["iam_writer/synthetic50_ab12"]


@pytest.mark.parametrize("as_before", [False, True], ids=["a list", "with commas between"])
def test_several_datasets_and_a_test_in_another_script(as_before):
    names = ["iam_writer/top50_by_image/1.0.0", "iam_writer/folder/1.0.0"]
    joint = made(dataset="x") | {"dataset": ",".join(names) if as_before else names}
    cross = made("synthetic50_ab12")
    cross["config"]["test_script"] = "greek"
    parts = {part.split("\n")[0]: part for part in results.report([joint, cross]).split("\n## ")[1:]}
    assert "Top50_by_image: **LEAKS**" in parts["iam_writer/top50_by_image,iam_writer/folder"]
    assert "; folder: whole forms are held out. Test:" in parts["iam_writer/top50_by_image,iam_writer/folder"]
    assert "held out; invented hands write the test lines in Greek" in parts["iam_writer/synthetic50_ab12"]


def test_what_an_older_run_lacks_is_a_dash():
    bare = {"config": {"dataset": "iam_writer/top50"}, "test.line_top1": 0.5}
    ((row,),) = tables(results.report([bare])).values()
    assert row == ["–", "–", "50.0", "–", "–", "–", "–", "–", "–", "–"]


def test_a_flagfile_elsewhere_is_shown_without_its_folder():
    command = "python -m iam_writer.train --flagfile=/home/me/secret/my.flags".split()
    assert "`python -m iam_writer.train --flagfile=my.flags`" in results.report([made(command=command)])


@pytest.mark.parametrize(
    "text",
    [
        None,
        "{",
        "[1]",
        '{"patches": 1}',
        '{"config": 1}',
        '{"config": {}, "command": null}',
        '{"config": {}, "minutes": "3"}',
    ],
)
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "result.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(errors.MissingDataError, match=r"result\.json"):
        results.read([path])


def test_a_file_of_means_stands_for_those_of_its_seeds(tmp_path):
    of_seeds = [made(seed=seed, line=0.8 + seed / 100) for seed in (3, 4)]
    for result in of_seeds:
        path = tmp_path / f"seed{result['config']['seed']}/result.json"
        path.parent.mkdir()
        path.write_text(json.dumps(result))
    means = {"test.line_top1": 0.835, "config": of_seeds[0]["config"] | {"num_seeds": 2}}
    (tmp_path / "result.json").write_text(json.dumps(means))
    assert list(results.read([tmp_path / "result.json"]).values()) == of_seeds
    (tmp_path / "seed4/result.json").unlink()
    with pytest.raises(errors.MissingDataError, match="seed4"):
        results.read([tmp_path / "result.json"])


def test_the_program_writes_the_page(tmp_path):
    (tmp_path / "result.json").write_text(json.dumps(made()))
    output = tmp_path / "docs/results.md"
    # A file that is named twice is still one run.
    twice = tmp_path / "result.json", tmp_path / "docs/../result.json"
    run_module("studies.results", *twice, f"--output={output}").check_returncode()
    assert output.read_text() == results.report([made()])


def test_a_copy_that_may_be_passed_on_makes_the_same_row(tmp_path):
    run = made(seed=2, dataset_fingerprint=["7a98"], fusion={"weights": [0.3]})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/result.json").write_text(json.dumps(run))
    arguments = (f"--output={tmp_path / 'page.md'}", f"--keep={tmp_path / 'kept'}")
    run_module("studies.results", tmp_path / "mine/result.json", *arguments).check_returncode()
    copy = (tmp_path / "kept/mine.json").read_text()
    assert not [word for word in ("/home", "/tmp", "/usr", "7a98", "weights", "fingerprint") if word in copy]
    assert "--seed=2" in copy
    assert results.report([json.loads(copy)]) == results.report([run])


KEPT = pathlib.Path(__file__).parents[2] / "docs/results"


def test_the_page_in_docs_is_the_page_of_the_kept_files():
    files = sorted(KEPT.glob("*.json"))
    assert len(files) >= 10
    assert (KEPT.parent / "results.md").read_text() == results.report(list(results.read(files).values()))


def test_kept_files_hold_no_path_and_no_fingerprint():
    for file in KEPT.glob("*.json"):
        content = json.loads(file.read_text())
        assert content == results.kept(content), file
        assert not re.search(r"/(root|home|tmp|usr|work|mnt)\b|[0-9a-f]{32}", file.read_text()), file
