"""iam_writer/studies/carry.py and carry_over.py: methods and collections in, a table of retrieval out."""

import dataclasses
import json
import types

import numpy as np
import pytest
from conftest import run_module
from training_runs import SETTINGS

from iam_writer.common.errors import CheckpointError
from iam_writer.recognition import descriptor
from iam_writer.studies import carry_over
from iam_writer.training import experiment


def collection(seed, writers=("w00", "w01", "x", "y"), forms=2, lines=3):
    """Lines of writers, some of whom have names as the checkpoint knows them, from one distribution for each writer."""
    random = np.random.default_rng(seed)
    counts, names, of_whom = [], [], []
    for number, writer in enumerate(writers):
        hand = np.random.default_rng(number).dirichlet(np.full(descriptor.SIZE, 0.3))
        for form in range(forms):
            counts += [random.multinomial(4000, hand) for _ in range(lines)]
            names += [f"{writer}-{form}"] * lines
            of_whom += [writer] * lines
    return carry_over.Collection(np.array(counts), np.array(names), np.array(of_whom))


def test_hands_that_differ_are_found_without_learning():
    found = carry_over._measured(carry_over._plain, collection(0))
    assert found["forms"]["queries"] == 8 and found["lines"]["queries"] == 24
    assert found["forms"]["top1"] == found["forms"]["map"] == found["lines"]["top1"] == 1
    assert found["forms"]["equal_error"] == 0


@pytest.mark.slow
def test_the_table_has_a_row_for_each_method_and_collection(tmp_path, monkeypatch):
    settings = dataclasses.replace(
        SETTINGS,
        model="descriptor",
        forms_per_writer=4,
        data_dir=str(tmp_path),
        workdir=str(tmp_path / "run"),
    )
    experiment.run(settings)
    monkeypatch.setattr(carry_over, "_collections", lambda *_: {"here": collection(1)})
    builder = types.SimpleNamespace(info=types.SimpleNamespace(full_name="iam_writer/top50/1.0.0"))
    monkeypatch.setattr(carry_over, "prepare", lambda *_, **__: builder)
    arguments = dict.fromkeys(("manual_dir", "data_dir", "page_pattern", "writer_pattern"))
    arguments |= {"dataset": "iam_writer/top50", "max_bad_images": 0.0, "writers": 2}
    report = carry_over.run(
        checkpoints=[f"{settings.workdir}/best.descriptor"], output=str(tmp_path / "carry.json"), **arguments
    )
    assert list(report["results"]) == ["nothing", "invented writers", "iam_writer/synthetic (3 writers)"]
    of_checkpoint = report["results"]["iam_writer/synthetic (3 writers)"]
    assert set(of_checkpoint) == {"here", "here, strangers"}
    assert of_checkpoint["here, strangers"]["forms"]["queries"] == 4
    assert json.loads((tmp_path / "carry.json").read_text())["results"] == report["results"]
    rows = carry_over.table(report).splitlines()
    assert len(rows) == 5 and "100.0%" in rows[1]


@pytest.mark.slow
def test_a_network_is_no_descriptor(trained):
    with pytest.raises(CheckpointError, match="holds a network"):
        carry_over._open(str(trained[0] / "best.keras"))


def test_flags():
    done = run_module("studies.carry", "--output=/nowhere/x.json")
    assert done.returncode == 1 and "/nowhere" in done.stderr
