"""Half DeepWriter and DeepWriter distinguish a few real hands after a short training."""

import collections
import dataclasses
import math

import numpy as np
import pytest
from embeddings import embedding
from training_runs import SETTINGS

from iam_writer import models
from iam_writer.handwriting.iam_database import IamDatabase
from iam_writer.training import compiling, distribution
from iam_writer.training.steps import make_steps
from pipelines.patches import iterate, patches
from pipelines.strips import Example, open_or_build

WRITERS, LINES, STEPS = 3, 20, 45
SIDE = 64
"""The size of a patch in pixels. It is smaller than in the paper, so that training takes a third of the time."""

pytestmark = [pytest.mark.iam, pytest.mark.slow]


@pytest.fixture(scope="module")
def strips(iam_dir, tmp_path_factory):
    """The first lines of the writers with the most lines. The lines are wide enough for two patches."""
    folder = tmp_path_factory.mktemp("iam")
    database = IamDatabase(iam_dir, unit="sentences", extract_dir=folder)
    lines = collections.defaultdict(list)
    for line in database.lines:
        lines[line.writer].append(line)
    most = sorted(lines, key=lambda writer: -len(lines[writer]))[:WRITERS]
    examples = [
        Example(database.read(line), label, line.id, line.form)
        for label, writer in enumerate(most)
        for line in lines[writer][:LINES]
    ]
    return open_or_build(
        folder / "strips",
        lambda: examples,
        height=SIDE,
        min_width=2 * SIDE,
        source="iam",
        black_on_white=True,
    )


def trained(strips, **changes):
    """A network after STEPS batches, and its loss in each batch."""
    settings = dataclasses.replace(SETTINGS, patch_height=SIDE, learning_rate=3e-4, seed=0, **changes)
    strategy, _ = distribution.set_up_device(settings)
    model = compiling.compiled_model(settings, WRITERS, STEPS)
    step = make_steps(settings, model, strips, strategy)
    batches = iterate(
        patches(
            strips,
            patch_width=settings.patch_width,
            batch_size=settings.batch_size,
            seed=0,
            balance="writers",
        )
    )
    losses = []
    for _ in range(STEPS):
        model.reset_metrics()
        losses.append(float(step(next(batches))["loss"]))
    return model, losses


def assert_falls(losses):
    """The loss falls from that of a guess, which is ln WRITERS, to much less."""
    assert 0.8 * math.log(WRITERS) < np.mean(losses[:5]) < 1.3 * math.log(WRITERS)
    assert np.mean(losses[-10:]) < 0.6 * math.log(WRITERS)


def test_half_deepwriter(strips):
    _, losses = trained(strips, model="half_deepwriter", patch_width=SIDE, batch_size=16)
    assert_falls(losses)


def test_deepwriter_of_neighbouring_patches_with_the_same_weights_for_both(strips):
    model, losses = trained(strips, model="deepwriter", patch_width=2 * SIDE, batch_size=8)
    assert_falls(losses)
    half = models.half_deepwriter(WRITERS, height=SIDE, width=SIDE)
    half.set_weights(model.get_weights())
    first = strips.first_column[:WRITERS]
    neighbours = [
        strips.columns().numpy()[first[:, None] + shift + np.arange(SIDE)] for shift in (0, SIDE)
    ]  # [3, 64, 64] each
    left, right = map(embedding(half), neighbours)
    assert np.abs(left - right).max() > 0.1
    assert np.allclose(embedding(model)(np.concatenate(neighbours, axis=1)), left + right, atol=1e-4)
