"""iam_writer/handwriting/synthetic.py: same seed, same bytes; writers differ, and so do lines."""

import dataclasses
import hashlib
import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageFont

from iam_writer.common import errors
from iam_writer.handwriting import splits
from iam_writer.handwriting.line import Census
from iam_writer.handwriting.synthetic import SCRIPTS, SyntheticHandwriting, _glyphs, draw_hand


def small(**changes):
    return SyntheticHandwriting(**{"num_writers": 3, "forms_per_writer": 2, "lines_per_form": 2} | changes)


def digests(handwriting, lines=None):
    lines = handwriting.lines if lines is None else lines
    return {line.id: hashlib.sha256(handwriting.read(line)).hexdigest() for line in lines}


def pixels(handwriting, line):
    return np.asarray(Image.open(io.BytesIO(handwriting.read(line))))


def test_lines_come_in_forms_of_writers():
    handwriting = small()
    assert [line.id for line in handwriting.lines][:5] == [
        "w00-f00-00",
        "w00-f00-01",
        "w00-f01-00",
        "w00-f01-01",
        "w01-f00-00",
    ]
    assert handwriting.expected == Census.of(handwriting.lines) == Census(images=12, writers=3, forms=6)
    for line in handwriting.lines:
        assert line.id.startswith(line.form) and line.form.startswith(line.writer)
        assert line.row == line.id
        assert set(line.text) <= set(SCRIPTS["latin"].keys) | {" "}
        assert 15 <= len(line.text) <= 34


def test_ids_sort_in_the_order_of_writers():
    lines = small(num_writers=101).lines
    assert lines[0].writer == "w000" and lines[-1].writer == "w100"


@pytest.mark.slow
def test_same_seed_same_bytes_in_any_order_and_in_another_process():
    expected = digests(small())
    handwriting = small()
    assert digests(handwriting, reversed(handwriting.lines)) == expected
    code = (
        "from iam_writer.handwriting.synthetic import SyntheticHandwriting; import hashlib;"
        "h = SyntheticHandwriting(3, 2, 2); print(hashlib.sha256(h.read(h.lines[7])).hexdigest())"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert printed == expected[small().lines[7].id]


def test_a_writer_writes_alike_among_many():
    few, many = small(num_writers=3), small(num_writers=8)
    assert digests(few).items() <= digests(many).items()


def test_another_seed_makes_other_writers():
    assert not set(digests(small()).values()) & set(digests(small(seed=1)).values())
    assert small().fingerprint == small().fingerprint != small(seed=1).fingerprint


def test_a_line_is_dark_ink_on_white_paper():
    handwriting = small(num_writers=12)
    for line in handwriting.lines:
        image = pixels(handwriting, line)
        assert image.dtype == np.uint8 and image.ndim == 2
        assert 60 <= image.shape[0] <= 220 and 300 <= image.shape[1] <= 2500
        assert 0.01 < (image < 128).mean() < 0.3
        assert (image == 255).mean() > 0.6
        assert (image[[0, -1]] == 255).all() and (image[:, [0, -1]] == 255).all()  # Nothing is cut off.


def test_two_lines_of_a_writer_differ_and_so_does_a_letter_from_one_time_to_the_next():
    values = list(digests(small()).values())
    assert len(set(values)) == len(values)


def test_writers_differ_in_shapes_and_habits():
    hands = [draw_hand(seed=0, writer=writer) for writer in range(30)]
    for habit in ("slant", "width", "spacing", "word_spacing", "thickness", "pressure", "tremor", "drift"):
        assert np.std([getattr(hand, habit) for hand in hands]) > 0.05
    # The letter a has several shapes. They differ in the number of strokes and points.
    shapes = {tuple(len(stroke) for stroke in hand.letters["a"][0]) for hand in hands}
    assert len(shapes) >= 3


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_every_font_has_every_character(script):
    assert set("".join(script.words)) | set("".join(script.marks)) <= set(script.keys)
    for font in script.fonts:
        assert all(strokes for strokes, _ in (_glyphs(font)[key] for key in script.keys.values()))


def test_what_version_1_draws():
    """If these bytes change, raise VERSION: datasets that people have built would differ from what their seed gives now."""
    assert small().lines[0].text == "of we make who found he"
    hand = draw_hand(seed=0, writer=0)
    assert (round(hand.slant, 6), round(hand.tremor, 6)) == (0.340893, 0.190269)
    strokes, advance = hand.letters["a"]
    assert (round(advance, 4), np.round(strokes[0][0], 4).tolist()) == (20.8486, [12.2756, -8.3582])
    assert small().fingerprint == "b245be72312a66b27a835c6d6c5ce42a6be5fafed69fc693c43d6d45901199b2"


def test_a_hand_is_the_same_in_two_scripts_but_for_its_letters():
    latin, greek = (draw_hand(0, 7, script) for script in ("latin", "greek"))
    for field in dataclasses.fields(latin):
        same = getattr(latin, field.name) == getattr(greek, field.name)
        assert same == (field.name != "letters")
    assert set(latin.letters) & set(greek.letters) == {".", ","}
    # Who writes ornate letters does so in both: their strokes are double.
    ornate = [
        [SCRIPTS[script].fonts[font] in ("scriptc", "timesi", "greekc") for font in range(5)]
        for script in ("latin", "greek")
    ]
    assert ornate[0] == ornate[1]


def test_a_script():
    handwriting = small(script="greek")
    latin = small()
    assert [line.id for line in handwriting.lines] == [line.id for line in latin.lines]
    assert handwriting.fingerprint != latin.fingerprint
    for line in handwriting.lines:
        assert set(line.text) <= set(SCRIPTS["greek"].keys) | {" "}
        image = pixels(handwriting, line)
        assert 0.01 < (image < 128).mean() < 0.3
        assert (image[[0, -1]] == 255).all() and (image[:, [0, -1]] == 255).all()  # Nothing is cut off.


def test_a_test_script_is_of_test_forms_alone():
    kinds = {"all latin": {}, "all greek": {"script": "greek"}, "both": {"test_script": "greek"}}
    readers = {name: small(forms_per_writer=3, **kind) for name, kind in kinds.items()}
    assert len({reader.fingerprint for reader in readers.values()}) == 3
    latin, greek, both = map(digests, readers.values())
    parts = splits.split_by_form(readers["both"].lines)
    for split, lines in parts.items():
        expected = greek if split == "test" else latin
        assert lines and all(both[line.id] == expected[line.id] for line in lines)
    letters = {split: set("".join(line.text for line in lines)) for split, lines in parts.items()}
    assert not letters["test"] & (letters["train"] | letters["validation"]) - set(" .,")


@pytest.fixture
def fonts_dir(tmp_path):
    folder = tmp_path / "fonts"
    folder.mkdir()
    (folder / "aileron.ttf").write_bytes(ImageFont.load_default(20).font_bytes)
    return folder


def test_writers_of_fonts_have_styles_of_their_own(fonts_dir, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("Who rides so late through night and wind? It is the father.\n\nHis child\n")
    handwriting = small(fonts_dir=fonts_dir, text_file=text)
    assert {line.text for line in handwriting.lines} <= {"Who rides so late through night", "His child"}
    assert len(set(digests(handwriting).values())) == 12
    assert digests(handwriting) == digests(small(fonts_dir=fonts_dir, text_file=text))
    for line in handwriting.lines:
        image = pixels(handwriting, line)
        assert 0.01 < (image < 128).mean() < 0.5
        assert (image[[0, -1]] > 200).all() and (image[:, [0, -1]] > 200).all()  # Nothing is cut off.
    before = handwriting.fingerprint
    text.write_text("Other.")
    assert small(fonts_dir=fonts_dir, text_file=text).fingerprint != before


def test_a_font_that_lacks_a_character(fonts_dir, tmp_path):
    (tmp_path / "text.txt").write_text("한글 a")
    with pytest.raises(
        errors.MissingDataError, match=r"aileron.ttf lacks 2 characters of the text, such as 글 한"
    ):
        small(fonts_dir=fonts_dir, text_file=tmp_path / "text.txt")


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), (b"\n \n", "is empty"), (b"\xff\xfe\xfa", "cannot be read")],
)
def test_a_text_that_cannot_be_used(fonts_dir, tmp_path, content, message):
    if content is not None:
        (tmp_path / "text.txt").write_bytes(content)
    with pytest.raises(errors.MissingDataError, match=message):
        small(fonts_dir=fonts_dir, text_file=tmp_path / "text.txt")


def test_fonts_that_cannot_be_used(fonts_dir, tmp_path):
    (tmp_path / "text.txt").write_text("a")
    with pytest.raises(errors.MissingDataError, match="has no"):
        small(fonts_dir=tmp_path / "none", text_file=tmp_path / "text.txt")
    (fonts_dir / "broken.ttf").write_bytes(b"no font")
    with pytest.raises(errors.MissingDataError, match=r"broken\.ttf cannot be read as a font"):
        small(fonts_dir=fonts_dir, text_file=tmp_path / "text.txt")
    with pytest.raises(errors.MissingDataError, match="Only one of"):
        small(fonts_dir=fonts_dir)
    with pytest.raises(ValueError, match="cannot be given with fonts_dir"):
        small(fonts_dir=fonts_dir, text_file=tmp_path / "text.txt", script="greek")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"num_writers": 1}, errors.TooFewWritersError),
        ({"forms_per_writer": 0}, ValueError),
        ({"lines_per_form": 0}, ValueError),
        ({"seed": -1}, ValueError),
    ],
)
def test_numbers_out_of_range(change, error):
    with pytest.raises(error):
        small(**change)
