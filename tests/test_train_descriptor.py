"""iam_writer/train.py with the hand descriptor: alone, and together with a network."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from conftest import run_module
from training_runs import SETTINGS, flagfile, same_weights

from iam_writer.common import datasets
from iam_writer.common.errors import OtherRunError
from iam_writer.recognition import checkpoints, inputs, line_counts, recognizer, scoring
from iam_writer.recognition.seen import Lines, accuracies
from iam_writer.training import experiment

pytestmark = pytest.mark.slow  # Each test uses a trained descriptor or trains one.

WRITERS = dict(num_writers=5, forms_per_writer=4, lines_per_form=3)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """The settings of a finished run of the descriptor, what it returned, and its result.json."""
    folder = tmp_path_factory.mktemp("descriptor")
    settings = dataclasses.replace(
        SETTINGS, **WRITERS, model="descriptor", data_dir=str(folder / "tfds"), workdir=str(folder / "run")
    )
    results = experiment.run(settings)
    return settings, results, json.loads((folder / "run/result.json").read_text())


@pytest.fixture(scope="module")
def fused(learnt):
    """The settings of a finished run of a network with the descriptor, what it returned, and its result.json."""
    settings = dataclasses.replace(
        learnt[0], model="article", fuse="descriptor", epochs=1, workdir=f"{learnt[0].workdir}-fused"
    )
    results = experiment.run(settings)
    return settings, results, json.loads(open(f"{settings.workdir}/result.json").read())


def opened(path):
    return recognizer.load(path, inputs.open_calibration(path))


def seen_on(some, settings, split="test"):
    builders = datasets.builders(some.run, settings.data_dir)
    strips = datasets.strips(some.run, split, settings.data_dir)
    return some.see(Lines(strips, lambda: line_counts.of_split(builders, split)), split), strips


def test_the_descriptor_learns_five_hands(learnt):
    _, results, summary = learnt
    assert results["test"]["line_top1"] > 0.8 and results["test"]["form_top1"] > 0.8
    assert "patches" not in results["test"]
    assert summary["test.line_top1"] == results["test"]["line_top1"]
    assert summary["rule"] is None and summary["fusion"] is None
    assert summary["train.lines"] == 30 and 0 <= summary["test.form_calibration_error"] <= 1


def test_the_same_command_gives_the_same_checkpoint(learnt):
    settings, results, _ = learnt
    path = f"{settings.workdir}/best.descriptor"
    before = checkpoints.fingerprint(path)
    assert experiment.run(settings) == results
    assert checkpoints.fingerprint(path) == before


def test_its_checkpoint_answers_as_its_result_says(learnt):
    settings, results, _ = learnt
    some = opened(f"{settings.workdir}/best.descriptor")
    seen, strips = seen_on(some, settings)
    assert accuracies(seen, "test", strips, {}) == {"test": results["test"]}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["best.descriptor", "best.keras"])
def test_a_page_is_answered_as_the_same_lines_in_the_dataset(learnt, fused, name, tmp_path):
    """The page's lines are those of one test form; the page is given to the recognizer line by line."""
    import io

    from PIL import Image

    from iam_writer.handwriting.pages import Page, TextLine

    settings = learnt[0] if name == "best.descriptor" else fused[0]
    some = opened(f"{settings.workdir}/{name}")
    seen, strips = seen_on(some, settings)
    lines = np.flatnonzero(strips.groups == strips.groups[0])
    examples = list(datasets.line_examples(datasets.builders(some.run, settings.data_dir), "test"))
    images = [np.asarray(Image.open(io.BytesIO(examples[i].image)).convert("L")) for i in lines]
    page = Page(images[0], 0.0, [TextLine(image, (0, 0, 9, 9)) for image in images], [])
    scan = some.scan(page)
    pooled, amounts = seen.pooled([lines])
    np.testing.assert_allclose(some.pooled(scan), pooled[0], atol=1e-4)
    np.testing.assert_allclose(some.embedding(scan), seen.embedded([lines])[0], rtol=1e-3, atol=1e-3)
    assert scan.amount == pytest.approx(amounts[0]) and scan.lines == len(lines)
    verdict = some.verdict("a.png", page, scan)
    assert sum(p for _, p in verdict.top5) == pytest.approx(1)
    assert verdict.validation_forms == 5 and verdict.top5[0][1] <= 6 / 7 + 1e-9


def test_the_resolution_of_a_picture_that_was_made_smaller_is_tried(learnt, monkeypatch):
    """An open book at 300 dpi is too large, so its lines were found at 219 dpi. Otherwise 200 dpi would be the nearest."""
    import io

    from PIL import Image

    from iam_writer.handwriting.pages import Page, TextLine

    settings = learnt[0]
    some = opened(f"{settings.workdir}/best.descriptor")
    some.discriminants = dataclasses.replace(some.discriminants, usual_fit=np.inf)
    examples = list(datasets.line_examples(datasets.builders(some.run, settings.data_dir), "test"))[:3]
    images = [Image.open(io.BytesIO(example.image)).convert("L") for example in examples]
    small = [
        np.asarray(image.resize([round(0.73 * length) for length in image.size], Image.Resampling.LANCZOS))
        for image in images
    ]
    lines = [TextLine(image, (0, 0, 9, 9)) for image in small]
    shrunk = Page(small[0], 0.0, lines, [], matrix=np.diag([0.73, 0.73, 1]))
    fits = {219.0: 2.0, 200.0: 1.0}
    monkeypatch.setattr(type(some), "_fit", lambda self, counts: fits.get(counts.dpi, 0.0))
    assert some.scan(shrunk).dpi == 219
    assert some.scan(Page(small[0], 0.0, lines, [])).dpi == 200


def test_a_blank_line_says_nothing(learnt):
    settings = learnt[0]
    some = opened(f"{settings.workdir}/best.descriptor")
    seen, _ = seen_on(some, settings)
    blank = dataclasses.replace(seen, counts=np.zeros_like(seen.counts[:2]))
    pooled, _ = blank.pooled([np.array([0]), np.array([0, 1])])
    np.testing.assert_allclose(pooled, 1 / 5)


def test_both_together_tell_what_each_says_alone(learnt, fused):
    _, results, summary = fused
    assert results["test.descriptor"] == learnt[1]["test"]
    assert set(results) == {
        f"{split}{part}" for split in ("validation", "test") for part in ("", ".network", ".descriptor")
    }
    validation = [results[f"validation{part}"]["line_top1"] for part in ("", ".network", ".descriptor")]
    assert validation[0] >= max(validation[1:])
    assert min(summary["fusion"]["weights"]) >= 0 and max(summary["fusion"]["weights"]) > 0
    for name in ("validation", "test.network", "test.descriptor"):
        assert 0 <= summary[f"{name}.form_calibration_error"] <= 1


def test_the_programs_answer_with_the_descriptor_alone(learnt, fused, tmp_path):
    """evaluate, identify, enroll, verify: the tables are those of result.json, and pages get an answer."""
    from iam_writer.training import invented_pages

    settings, results, _ = learnt
    page, *_ = invented_pages.write(settings, tmp_path)
    checkpoint = f"--checkpoint={settings.workdir}/best.descriptor"
    data = f"--data_dir={settings.data_dir}"
    done = run_module("evaluate", checkpoint, data, f"--output={tmp_path / 'report'}")
    assert done.returncode == 0, done.stderr
    assert scoring.table({"test": results["test"]}) in done.stdout
    assert (tmp_path / "report/report.html").exists()
    done = run_module("evaluate", checkpoint, data, "--window_stride=8")
    assert done.returncode == 1 and "holds no network" in done.stderr
    done = run_module("identify", checkpoint, page)
    assert done.returncode in (0, 2) and "lines of writing were compared" in done.stdout, done.stderr
    done = run_module("identify", checkpoint, f"--explain={tmp_path / 'why.png'}", page)
    assert done.returncode == 1 and "shows the windows of a network" in done.stderr
    done = run_module("enroll", checkpoint, f"--gallery={tmp_path / 'g.npz'}", "--writer=ada", page)
    assert done.returncode == 0 and "1 writer" in done.stdout, done.stderr
    done = run_module("identify", checkpoint, f"--gallery={tmp_path / 'g.npz'}", page)
    assert done.returncode == 0 and "written by ada" in done.stdout, done.stderr
    done = run_module("verify", checkpoint, page, page)
    assert done.returncode == 0, done.stderr
    both = f"--checkpoint={fused[0].workdir}/best.keras"
    done = run_module("identify", both, data, f"--explain={tmp_path / 'why.png'}", page)
    assert done.returncode in (0, 2) and (tmp_path / "why.png").exists(), done.stderr
    done = run_module("export", both, f"--output={tmp_path / 'out'}", data)
    assert done.returncode == 0 and "The hand descriptor is not part of" in done.stdout, done.stderr
    assert (tmp_path / "out/descriptor.npz").exists()
    done = run_module("export", checkpoint, f"--output={tmp_path / 'out'}", data)
    assert done.returncode == 1 and "holds no network" in done.stderr


def test_a_workdir_is_of_one_run(learnt, fused, tmp_path):
    settings = learnt[0]
    with pytest.raises(OtherRunError, match="model was 'descriptor', now 'article'"):
        experiment.run(dataclasses.replace(settings, model="article"))
    with pytest.raises(OtherRunError, match="model was 'article', now 'descriptor'"):
        experiment.run(dataclasses.replace(fused[0], model="descriptor"))
    # Whether the descriptor answers too is decided at the end of a run: the network stays.
    copy = tmp_path / "copy"
    shutil.copytree(fused[0].workdir, copy)
    alone = experiment.run(dataclasses.replace(fused[0], fuse="none", workdir=str(copy)))
    assert alone["test"] == fused[1]["test.network"] and set(alone) == {"validation", "test"}
    assert checkpoints.read_descriptor(copy / "best.keras") == (None, None)
    assert same_weights(copy / "best.keras", f"{fused[0].workdir}/best.keras")


def test_flags_about_networks_are_refused(tmp_path):
    settings = dataclasses.replace(SETTINGS, model="descriptor", epochs=3, workdir=str(tmp_path / "run"))
    done = run_module("train", flagfile(settings))
    assert done.returncode == 1 and "is about networks" in done.stderr and "Leave --" in done.stderr


def test_counts_are_kept_and_damaged_ones_are_counted_again(learnt):
    settings = learnt[0]
    run = checkpoints.read_state(f"{settings.workdir}/best.descriptor")["run"]
    builders = datasets.builders(run, settings.data_dir)
    first = line_counts.of_split(builders, "validation")
    (builder,) = builders.values()
    (kept,) = (builder.data_path / "counts").glob("validation-*.npy")
    kept.write_bytes(kept.read_bytes()[:1000])
    np.testing.assert_array_equal(line_counts.of_split(builders, "validation"), first)
    assert len(kept.read_bytes()) > 1000
