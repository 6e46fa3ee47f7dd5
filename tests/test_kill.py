"""python -m tests.kill: what is killed ends as if undisturbed, and what is damaged is seen."""

import zipfile

import numpy as np
import pytest

from tests.kill import running
from tests.kill.running import Job


def _write(folder, text):
    (folder / "a.json").write_text(text)


def _job(*texts):
    return Job(
        "job",
        lambda folder: [lambda text=text: _write(folder, text) for text in texts],
        lambda folder: (folder / "a.json").read_text(),
    )


def test_a_killed_step_is_done_again(tmp_path):
    job = _job("[1]", "[2]")
    seconds = running.undisturbed(job, tmp_path / "whole")
    assert len(seconds) == 2 and job.result(tmp_path / "whole") == "[2]"
    assert running.killed_once(job, tmp_path / "killed", seconds, 0.0) == []
    assert job.result(tmp_path / "killed") == "[2]"


def test_a_process_is_killed_after_its_time(tmp_path):
    def computes():
        while True:
            sum(range(1000))

    ended = running.run_step(computes, tmp_path, kill_after=0.05)
    assert ended.status == -9 and 0.04 < ended.seconds < 5


def test_files_that_are_not_whole_are_seen(tmp_path):
    whole, broken = _job("[1]"), _job("[1")
    assert running.killed_once(whole, tmp_path / "whole", [60.0], 0.9) == []
    assert any(
        "a.json is not whole" in text
        for text in running.killed_once(broken, tmp_path / "broken", [60.0], 0.9)
    )
    folder = tmp_path / "files"
    folder.mkdir()
    np.savez(folder / "good.npz", a=np.arange(3))
    (folder / "bad.npz").write_bytes((folder / "good.npz").read_bytes()[:-9])
    with zipfile.ZipFile(folder / "good.keras", "w") as archive:
        archive.writestr("x", "y")
    (folder / "bad.html").write_text("<html>")
    (folder / ".x.incomplete").write_text("")
    assert [text.split()[0] for text in running.damaged(folder)] == ["bad.html", "bad.npz"]
    assert [text.split()[0] for text in running.damaged(folder, incomplete=False)] == [
        ".x.incomplete",
        "bad.html",
        "bad.npz",
    ]


def test_results_are_compared_deeply():
    assert running.same({"a": np.arange(3), "b": [1]}, {"a": np.arange(3), "b": [1]})
    assert not running.same({"a": np.arange(3)}, {"a": np.arange(3.0)})
    assert not running.same({"a": 1}, {"b": 1})


@pytest.mark.slow
def test_strips_and_a_gallery_survive_a_kill(tmp_path):
    from tests.kill import jobs

    jobs.make_corpus(tmp_path / "corpus")
    every = jobs.killed(tmp_path / "corpus")
    for name in ("strips", "gallery"):
        job = every[name]
        seconds = running.undisturbed(job, tmp_path / f"{name}-whole")
        assert running.killed_once(job, tmp_path / name, seconds, 0.6) == []
        assert running.same(job.result(tmp_path / name), job.result(tmp_path / f"{name}-whole"))
