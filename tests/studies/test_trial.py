"""iam_writer/studies/trial.py and people.py: from a checkpoint to its figures on pages by known and unknown hands."""

import json

import numpy as np
import pytest
import tensorflow_datasets as tfds
from conftest import run_module, run_without_tensorflow

from iam_writer.common import datasets
from iam_writer.common.errors import MissingDataError
from iam_writer.handwriting.synthetic import SyntheticHandwriting
from iam_writer.recognition.verdict import Verdict
from iam_writer.studies import people, people_report


@pytest.fixture(scope="module")
def strangers(tmp_path_factory):
    """A folder of lines by four writers whom the network does not know: three forms each, of two lines."""
    folder = tmp_path_factory.mktemp("strangers")
    handwriting = SyntheticHandwriting(num_writers=4, forms_per_writer=3, lines_per_form=2, seed=1)
    for line in handwriting.lines:
        path = folder / f"stranger-{line.writer}" / f"{line.form}-{line.id.rpartition('-')[2]}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(handwriting.read(line))
    return folder


def test_pages_by_known_and_by_unknown_hands(trained, strangers, tmp_path):
    done = run_module(
        "studies.trial",
        f"--checkpoint={trained[0] / 'best.keras'}",
        f"--data_dir={trained[1]}",
        "--strangers=iam_writer/folder",
        f"--manual_dir={strangers}",
        f"--output={tmp_path / 'trial.json'}",
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "trial.json").read_text())
    assert list(report["pages"]) == [*people.CONDITIONS, people_report.STRANGERS]
    for name, found in report["pages"].items():
        assert (found["pages"], found["lines"]) == ((8, 16) if name == people_report.STRANGERS else (5, 10))
        assert f"{found['accepted']:.1%}" in done.stdout
    clean = report["pages"]["as glued"]
    assert clean["named_first"] >= 0.6 and clean["lines_found"] >= 8
    assert (report["enrolled"]["writers"], report["enrolled"]["pages"]) == (4, 4)
    assert report["enrolled"]["named_first"] > 0.25
    assert (report["pairs"]["one_hand"], report["pairs"]["two_hands"]) == (4, 24)
    assert report["pairs"]["equal_error"] < 0.5
    assert report["strangers"].startswith("iam_writer/folder") and report["command"]


def test_shares_of_what_was_said():
    form = people.Form("f", "ada", [b"", b""])

    def said(writer, first, warning=None):
        return Verdict("f", writer, writer and 0.9, [(first, 0.9)], 2, 9, 60, warning)

    asked = [
        people.Asked(form, 2, said("ada", "ada")),
        people.Asked(form, 1, said("bob", "bob", warning="Odd.")),
        people.Asked(form, 2, said(None, "ada")),
        people.Asked(form, 0, None),  # No handwriting was found.
    ]
    found = people.shares(asked)
    assert (found["pages"], found["lines"], found["lines_found"]) == (4, 8, 5)
    assert (found["named_first"], found["accepted"], found["accepted_without_warning"]) == (0.5, 0.5, 0.25)
    assert found["named_first_low"] == pytest.approx(0.150, abs=1e-3)  # Wilson's interval of 2 of 4.
    assert found["named_first_high"] == pytest.approx(0.850, abs=1e-3)


def run(trained, strangers):
    return people.run(
        checkpoint=str(trained[0] / "best.keras"),
        split="validation",
        strangers=strangers,
        number=2,
        data_dir=str(trained[1]),
        manual_dir=None,
        max_bad_images=0,
        output=None,
    )


def test_without_strangers_there_are_known_hands_only(trained):
    report = run(trained, strangers=None)
    assert [found["pages"] for found in report["pages"].values()] == [2] * len(people.CONDITIONS)
    assert "enrolled" not in report
    assert len(people_report.table(report).splitlines()) == 2 + len(people.CONDITIONS)


def test_two_forms_of_each_stranger_those_with_one_last():
    names = {"one": {"a"}, "three": {"b", "c", "d"}, "two": {"e", "f"}}
    chosen = people.two_of_each(names, 10)
    assert len(chosen) == 5 and chosen[-1] == "a" and {"e", "f"} < set(chosen)
    assert people.two_of_each(names, 3) == chosen[:3]
    assert people.two_of_each(dict(reversed(names.items())), 10) == chosen


def test_errors_of_pairs():
    # Writers 0 to 3 with two forms each; pairs of one hand have high odds, but for those of writer 3.
    writers = np.arange(8) // 2
    first, second = (writers[number] for number in np.triu_indices(8, 1))
    odds = np.where(first == second, 5.0, -5.0)
    right = people.pair_errors(odds, first, second, threshold=0)
    assert set(right.values()) == {0.0}
    odds[(first == 3) & (second == 3)] = -6.0
    found = people.pair_errors(odds, first, second, threshold=0)
    assert (found["false_match"], found["false_non_match"]) == (0, 0.25)
    assert 0 < found["equal_error"] <= 0.25
    assert found["false_non_match_low"] == 0 and found["false_non_match_high"] >= 0.5
    assert people.pair_errors(odds, first, second, threshold=-5.5)["false_match"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--checkpoint"),
        (["--checkpoint=nix.keras"], "There is no checkpoint nix.keras"),
        (["--checkpoint=nix.keras", "--output=nix/x.json"], "There is no folder nix"),
        (["--checkpoint=nix.keras", "--strangers=iam_writer/top51"], "top50"),
        (["--checkpoint=nix.keras", "more"], "Unknown argument 'more'"),
    ],
)
def test_what_is_wrong_is_told_before_tensorflow_is_loaded(arguments, message):
    done = run_without_tensorflow("studies.trial", *arguments)
    assert done.returncode == 1
    assert message in done.stdout + done.stderr and "Traceback" not in done.stderr


def test_a_dataset_without_strangers(trained, monkeypatch):
    own = datasets.prepared("iam_writer/synthetic", str(trained[1]))[0]
    monkeypatch.setattr(people, "prepare", lambda *_, **__: tfds.builder_from_directory(own))
    with pytest.raises(MissingDataError, match="--strangers"):
        run(trained, strangers="iam_writer/synthetic")


def test_a_known_writer_whose_name_has_a_colon_is_no_stranger(trained, monkeypatch):
    own = datasets.prepared("iam_writer/synthetic", str(trained[1]))[0]

    def prepared_with_colons(*_, **__):
        builder = tfds.builder_from_directory(own)
        builder.info.features["writer"]._int2str = [f"Dr: {name}" for name in "abcde"]
        return builder

    monkeypatch.setattr(people, "prepare", prepared_with_colons)
    monkeypatch.setattr(people.datasets, "builders", lambda *_: {"synthetic": prepared_with_colons()})
    with pytest.raises(MissingDataError, match="has no strangers"):
        run(trained, strangers="iam_writer/synthetic")
