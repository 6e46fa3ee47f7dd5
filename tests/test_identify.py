"""The program iam_writer.identify, as a person runs it."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import png, run_module, run_without_tensorflow
from forks import PROGRAM, Fork
from handwriting_pages import cat_photograph, printed_page
from PIL import Image

from iam_writer.recognition import checkpoints


def test_good_and_bad_files_each_get_their_answer(trained, form_images, tmp_path):
    checkpoint = trained[0] / "best.keras"
    (tmp_path / "printed.png").write_bytes(png(printed_page()))
    (tmp_path / "upside.png").write_bytes(png(np.asarray(Image.open(form_images[0]))[::-1, ::-1]))
    (tmp_path / "cat.png").write_bytes(png(cat_photograph()))
    (tmp_path / "blank.png").write_bytes(png(np.full((500, 400), 255, np.uint8)))
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.4")
    bad = [tmp_path / name for name in ("printed.png", "cat.png", "blank.png", "letter.pdf", "gone.png")]
    done = run_module(
        "identify",
        f"--checkpoint={checkpoint}",
        "--json",
        *form_images[:3],
        *bad,
        tmp_path / "upside.png",
        tmp_path,
    )
    assert done.returncode == 1, done.stderr
    answers = {row["file"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert list(answers) == [*map(str, form_images[:3]), str(bad[0]), str(tmp_path / "upside.png")]
    writers = checkpoints.read_state(checkpoint)["run"]["writers"]
    for answer in answers.values():
        assert list(answer) == [
            "file",
            "writer",
            "probability",
            "top5",
            "lines",
            "lines_from",
            "windows",
            "validation_forms",
            "warning",
            "sha256",
            "checkpoint",
            "date",
            "command",
            "versions",
        ]
        assert len(answer["sha256"]) == len(answer["checkpoint"]["sha256"]) == 64
        assert len(answer["top5"]) == 5 and answer["top5"][0]["writer"] in writers
        assert sum(entry["probability"] for entry in answer["top5"]) == pytest.approx(1, abs=1e-3)
        assert answer["windows"] > 0
        assert answer["writer"] in (None, answer["top5"][0]["writer"])
        assert answer["validation_forms"] == 5 and answer["probability"] in (
            None,
            pytest.approx(0.5, abs=0.36),
        )
    assert answers[str(form_images[0])]["lines"] == 2
    assert "looks printed" in answers[str(bad[0])]["warning"]
    said = done.stderr
    for path, why in zip(
        [*bad[1:], tmp_path],
        ("", "nothing is written", "is a PDF", "No such file", "is a folder"),
        strict=True,
    ):
        assert sum(str(path) in line and why in line for line in said.splitlines()) >= 1
    assert "Traceback" not in said


def test_most_of_the_test_forms_are_told_right_and_a_picture_shows_why(trained, form_images, tmp_path):
    """The network knew five invented writers after a minute of training, so this test does not check the exact answers."""
    picture = tmp_path / "why.png"
    done = run_module(
        "identify",
        f"--checkpoint={trained[0] / 'best.keras'}",
        f"--data_dir={trained[1]}",
        f"--explain={picture}",
        form_images[0],
    )
    assert done.returncode in (0, 2), done.stderr
    assert "voted." in done.stdout
    assert "the most similar training patch" in done.stderr
    drawn, page = np.asarray(Image.open(picture)).astype(int), np.asarray(Image.open(form_images[0]))
    assert drawn.shape[2] == 3
    assert drawn.shape[0] >= page.shape[0] and drawn.shape[1] > page.shape[1]
    colour = np.abs(drawn[..., 0] - drawn[..., 2])
    assert colour[60:124, 100 : page.shape[1] - 100].max() > 20  # A line is tinted,
    assert colour[:50].max() == 0  # and the margin is not.
    assert [path.name for path in tmp_path.iterdir()] == ["why.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["page.png"], "--checkpoint"),
        (["--checkpoint=nix.keras"], "No page is named"),
        (["--checkpoint=nix.keras", "page.png"], "There is no checkpoint nix.keras"),
        (["--checkpoint=nix.keras", "--explain=x.png", "a.png", "b.png"], "Name one page"),
        (
            ["--checkpoint=nix.keras", "--explain=x.png", "--gallery=g.npz", "a.png"],
            "cannot be used with --gallery",
        ),
        (["--checkpoint=nix.keras", "--jason", "a.png"], "Did you mean"),
        (["--checkpoint=nix.keras", "--explain=nix/x.png", "a.png"], "There is no folder nix"),
    ],
)
def test_what_is_wrong_is_told_before_tensorflow_is_loaded(arguments, message):
    done = run_without_tensorflow("identify", *arguments)
    assert done.returncode == 1
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_no_page_that_can_be_read_needs_no_network(trained, tmp_path):
    (tmp_path / "blank.png").write_bytes(png(np.full((500, 400), 255, np.uint8)))
    done = run_without_tensorflow(
        "identify", f"--checkpoint={trained[0] / 'best.keras'}", tmp_path / "blank.png", tmp_path / "gone.png"
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 2
    assert "nothing is written on it" in done.stderr and "No such file" in done.stderr


def test_a_checkpoint_that_is_not_calibrated_is_refused(trained):
    done = run_without_tensorflow("identify", f"--checkpoint={trained[0] / 'last.keras'}", "a.png")
    assert done.returncode == 1
    assert "is not calibrated" in done.stderr


@pytest.mark.parametrize("program", ["identify", "enroll", "verify", "studies.trial", "evaluate", "export"])
def test_help_fits_a_screen_and_shows_an_example(program):
    done = run_module(program, "--help")
    assert len(done.stdout.splitlines()) <= 50
    assert re.search(rf"(iam-writer |iam_writer\.){program} --checkpoint=", done.stdout)
    assert "Exit status: 0" in done.stdout


def test_ctrl_c_leaves_nothing_half_written(trained, form_images, tmp_path):
    process = Fork(
        PROGRAM,
        "iam_writer.identify",
        f"--checkpoint={trained[0] / 'best.keras'}",
        f"--data_dir={trained[1]}",
        f"--explain={tmp_path / 'why.png'}",
        form_images[0],
    )
    while not process.said():  # After the answer the program makes the picture.
        assert process.is_alive()
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    done = process.wait()
    left = [path.name for path in tmp_path.iterdir()]
    assert (done.returncode, left) in [(130, []), (0, ["why.png"]), (2, ["why.png"])], done.stderr
    assert "Traceback" not in done.stderr


def test_nobody_reads_on(trained, form_images):
    command = [sys.executable, "-m", "iam_writer.identify", f"--checkpoint={trained[0] / 'best.keras'}"]
    process = subprocess.Popen(
        [*command, *form_images], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()  # As `| head` does.
    said = process.stderr.read()
    assert process.wait(timeout=120) == 1
    assert "The output is incomplete" in said and "Traceback" not in said and "BrokenPipe" not in said


def test_a_terminal_without_the_letters(trained, form_images):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "iam_writer.identify",
            f"--checkpoint={trained[0] / 'best.keras'}",
            form_images[0],
        ],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    assert "windows on" in done.stdout and "Traceback" not in done.stderr
