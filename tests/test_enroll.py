"""The programs iam_writer.enroll and verify, and identify with a gallery, as a person runs them."""

import json

import numpy as np
from conftest import png, run_module, run_without_tensorflow
from forks import PROGRAM, Fork
from handwriting_pages import printed_page

from iam_writer.recognition.gallery import Gallery


def test_a_hand_is_enrolled_and_found_again(trained, form_images, tmp_path):
    checkpoint, path = f"--checkpoint={trained[0] / 'best.keras'}", tmp_path / "g.npz"
    first = run_module("enroll", checkpoint, f"--gallery={path}", "--writer=Ada", form_images[0])
    assert first.returncode == 0, first.stderr
    windows = int(Gallery.read(path).windows[0])
    (tmp_path / "printed.png").write_bytes(png(printed_page()))
    pages = form_images[1], tmp_path / "printed.png"
    second = run_module("enroll", checkpoint, f"--gallery={path}", "--writer=Bob", *pages)
    assert second.returncode == 0, second.stderr
    assert "printed.png: it looks printed, not written by hand" in second.stderr
    gallery = Gallery.read(path)
    assert gallery.writers == ["Ada", "Bob"]
    assert gallery.windows[0] == windows < gallery.windows[1]
    asked = run_module("identify", checkpoint, f"--gallery={path}", "--json", form_images[0])
    answer = json.loads(asked.stdout)
    assert asked.returncode == 0  # The page is the one that was enrolled.
    assert answer["writer"] == "Ada"
    assert [entry["writer"] for entry in answer["top5"]] == ["Ada", "Bob"]

    blank = tmp_path / "blank.png"
    blank.write_bytes(png(np.full((500, 400), 255, np.uint8)))
    before = path.read_bytes()
    done = run_without_tensorflow(
        "enroll", checkpoint, f"--gallery={path}", "--writer=Cy", blank, form_images[0]
    )
    assert done.returncode == 1
    assert "Nothing was enrolled" in done.stderr
    assert path.read_bytes() == before


MEANWHILE = """
import sys
import numpy as np
from iam_writer.recognition.gallery import Gallery
from iam_writer.recognition.recognizer import Recognizer

def enroll_bob(network, *_, path=sys.argv.pop(1)):
    gallery = Gallery.empty(network.fingerprint, len(network.calibration.mean))
    gallery.with_pages("Bob", np.ones((1, 256))).write(path)
    return []

Recognizer.warnings = enroll_bob
"""


def test_who_is_enrolled_meanwhile_stays(trained, form_images, tmp_path):
    checkpoint, path = f"--checkpoint={trained[0] / 'best.keras'}", tmp_path / "g.npz"
    asked = "iam_writer.enroll", checkpoint, f"--gallery={path}", "--writer=Ada", form_images[0]
    done = Fork(MEANWHILE + PROGRAM, path, *asked).wait()
    assert done.returncode == 0, done.stderr
    assert Gallery.read(path).writers == ["Ada", "Bob"]


def test_a_writer_has_a_name(trained, form_images, tmp_path):
    checkpoint = f"--checkpoint={trained[0] / 'best.keras'}"
    done = run_without_tensorflow(
        "enroll", checkpoint, f"--gallery={tmp_path / 'g.npz'}", "--writer=", form_images[0]
    )
    assert done.returncode == 1 and "--writer is empty" in done.stderr


def test_a_gallery_of_another_checkpoint_is_refused(trained, form_images, tmp_path):
    path = tmp_path / "g.npz"
    Gallery.empty("deadbeef", 256).with_pages("Ada", np.ones((1, 256))).write(path)
    checkpoint = f"--checkpoint={trained[0] / 'best.keras'}"
    for done in (
        run_without_tensorflow("enroll", checkpoint, f"--gallery={path}", "--writer=Ada", form_images[0]),
        run_without_tensorflow("identify", checkpoint, f"--gallery={path}", form_images[0]),
    ):
        assert done.returncode == 1
        assert "another checkpoint" in done.stderr
