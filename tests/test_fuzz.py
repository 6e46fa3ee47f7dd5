"""The fuzz: it finds what it should find, and the same seed makes the same input."""

import pathlib
import random
import subprocess
import sys
import time

import pytest

from tests.fuzz import mutations, runner
from tests.fuzz.runner import Kind


def _nothing(folder, chance):
    (folder / "x").write_bytes(chance.randbytes(4))


def _raises(error):
    def read(folder, out, chance):
        raise error

    return read


def _input_error():
    from iam_writer.common.errors import IndexFileError

    return IndexFileError("a row is wrong")


def _fills_memory(folder, out, chance):
    return len(bytearray(6 * 2**30))


def _computes(folder, out, chance):
    while True:
        chance.random()


def _writes_outside(folder, out, chance):
    (folder.parent / "evil.png").write_bytes(b"x")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("read", "verdict", "said"),
    [
        (lambda folder, out, chance: 7, "answer", "answer: 7"),
        (_raises(_input_error()), "sentence", "a row is wrong"),
        (_raises(FileNotFoundError(2, "No such file", "/x")), "sentence", "/x cannot be used: No such file"),
        (_raises(KeyError("shape")), "traceback", "KeyError: 'shape'"),
        (_raises(SystemExit(1)), "traceback", "exit status 1"),
        (_raises(SystemExit(3)), "traceback", "exit status 3"),
        (_fills_memory, "memory", "MemoryError"),
        (_computes, "hang", "exit status -"),
        (_writes_outside, "outside", "evil.png"),
    ],
    ids=["answer", "sentence", "file", "traceback", "silent", "status", "memory", "hang", "outside"],
)
def test_each_ending_is_told_apart(tmp_path, monkeypatch, read, verdict, said):
    monkeypatch.setattr(runner, "SECONDS", 1)
    outcome = runner.run(Kind("kind", _nothing, read), 0, seed=0, root=tmp_path)
    assert outcome.verdict == verdict and said in outcome.said
    # The input of a find is kept.
    assert (tmp_path / "kind-0/in/x").exists() == (verdict not in runner.GOOD)


def test_a_program_that_waits_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "WALL_SECONDS", 0.5)
    sleeps = Kind("kind", _nothing, lambda folder, out, chance: time.sleep(1000))
    assert runner.run(sleeps, 0, 0, tmp_path).verdict == "hang"


def test_inputs_depend_on_seed_kind_and_number_only(tmp_path):
    def inputs(place, seed, names):
        kinds = [Kind(name, _nothing, _raises(KeyError())) for name in names]
        plan = iter([(kind, number) for number in range(3) for kind in kinds])
        ended = list(runner.run_all(plan, seed, tmp_path / place, 2, time.monotonic() + 60))
        assert len(ended) == 3 * len(names)
        return {path.parent.parent.name: path.read_bytes() for path in (tmp_path / place).glob("*/in/x")}

    first = inputs("first", 0, "ab")
    assert inputs("again", 0, "b") == {name: data for name, data in first.items() if name[0] == "b"}
    assert not set(inputs("other", 1, "ab").values()) & set(first.values())


def test_no_more_begin_when_the_time_is_over(tmp_path):
    endless = ((Kind("kind", _nothing, lambda *_: 0), number) for number in range(10**9))
    assert list(runner.run_all(endless, 0, tmp_path, 2, time.monotonic())) == []


@pytest.mark.parametrize("name", ["png", "zipped", "npz", "damaged"])
def test_mutations_change_files_and_are_seeded(name, tmp_path):
    import io

    import numpy as np
    from conftest import png, scribble

    out = io.BytesIO()
    np.savez_compressed(out, a=np.arange(9.0), b=np.array("text"))
    data = png(scribble("x")) if name == "png" else out.getvalue()
    change = getattr(mutations, name)
    made = [change(data, random.Random(seed)) for seed in range(200)]
    assert made == [change(data, random.Random(seed)) for seed in range(200)] or name in ("zipped", "npz")
    assert len(set(made)) > 100 and sum(one != data for one in made) > 150


def test_rows_and_fields_are_changed():
    text = "\n".join(f"a01-00{i} 00{i} 1 all 2 2 9 9" for i in range(9))
    made = {mutations.misspelt(text, random.Random(seed)) for seed in range(300)}
    assert len(made) > 150


@pytest.mark.slow
def test_one_input_of_each_kind_ends_well():
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--minutes=5", "--most=11", "--seed=3"],
        cwd=pathlib.Path(__file__).parents[1],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [row.split("|") for row in done.stdout.splitlines() if row.startswith("| ")]
    assert [row[2].strip() for row in rows] == ["inputs", *["1"] * 11]
    assert "11 inputs in" in done.stdout and "0 finds." in done.stdout
