"""The program iam_writer.verify, as a person runs it."""

import json

from conftest import run_module, run_without_tensorflow

from iam_writer.recognition import checkpoints


def test_a_page_is_by_the_same_hand_as_itself(trained, form_images):
    checkpoint = trained[0] / "best.keras"
    done = run_module("verify", f"--checkpoint={checkpoint}", "--json", form_images[0], form_images[0])
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    calibration = checkpoints.read_calibration(checkpoint)
    assert answer["same"] is True
    assert answer["score"] > 0.5
    assert "both files are the same page" in answer["warning"]
    assert answer["sha256"][0] == answer["sha256"][1] and len(answer["checkpoint"]["sha256"]) == 64
    assert answer["versions"]["iam_writer"] and answer["date"] and answer["command"]
    assert [answer["false_match"], answer["false_non_match"]] == calibration.pair_errors.tolist()


def test_a_file_that_is_not_there(trained, form_images, tmp_path):
    done = run_without_tensorflow(
        "verify", f"--checkpoint={trained[0] / 'best.keras'}", form_images[0], tmp_path / "gone.png"
    )
    assert done.returncode == 1
    assert "gone.png cannot be read" in done.stderr
    assert "The pages were not compared" in done.stderr


def test_two_pages_are_wanted(trained, form_images):
    done = run_without_tensorflow("verify", f"--checkpoint={trained[0] / 'best.keras'}", form_images[0])
    assert done.returncode == 1
    assert "Two pages are needed" in done.stdout + done.stderr
