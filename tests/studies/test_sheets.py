"""sheets.py: a folder of IAM in, a row for each condition out. The writers are invented."""

import io
import json

import numpy as np
import pytest
from conftest import png, run_module
from PIL import Image

from iam_writer.handwriting.synthetic import SyntheticHandwriting


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
def test_each_condition_has_a_row_and_all_figures_are_written(iam, tmp_path):
    output = tmp_path / "figures.json"
    done = run_module(
        "studies.sheets", f"--iam_dir={iam}", "--conditions=as is,negative", f"--output={output}"
    )
    assert done.returncode == 0, done.stderr
    assert [line.split("  ")[0] for line in done.stdout.splitlines()[1:]] == ["as is", "negative"]
    found = json.loads(output.read_text())["conditions"]
    for figures in found.values():
        assert (figures["pages"], figures["true"], figures["found"], figures["given"]) == (3, 12, 12, 12)
        assert figures["named_first"] == 3
    assert found["as is"] == found["negative"]


def test_what_is_wrong_is_said(iam, tmp_path):
    wrong = run_module("studies.sheets", f"--iam_dir={iam}", "--conditions=rain")
    assert wrong.returncode == 1 and "there is no 'rain'" in wrong.stderr
