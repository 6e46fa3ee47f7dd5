"""pipelines/patch_order.py: exactly once, pure, balanced, shardable."""

import collections
import dataclasses
import itertools

import numpy as np
import pytest

from pipelines.patch_order import Sampling, number_of_positions, patch_order, permute

# Images of 3 … 9 columns and 3 labels; patches of 3 columns. Label 2 has but one position, label 5 has eleven.
WIDTHS = [5, 3, 9, 6, 4, 4]
LABELS = [5, 2, 0, 5, 0, 5]
FIRST = 64  # Columns before the first image.
# What may start where: (start column, label).
POSITIONS = collections.Counter(
    (start, label)
    for end, width, label in zip((FIRST + np.cumsum(WIDTHS)).tolist(), WIDTHS, LABELS, strict=True)
    for start in range(end - width, end - 3 + 1)
)


def permuted(size, seed=0, stream=0, cycle=0):
    arguments = (np.full(size, value) for value in (size, stream, cycle))
    size, stream, cycle = arguments
    return permute(np.arange(len(size)), size, seed, stream, cycle).numpy()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 113, 1000, 65_537])
def test_a_permutation_holds_each_number_once(size):
    assert sorted(permuted(size, seed=2**32 - 1, stream=5, cycle=7)) == list(range(size))


@pytest.mark.slow
@pytest.mark.parametrize("which", ["seed", "stream", "cycle"])
def test_permutations_are_drawn_evenly(which):
    counts = np.zeros((5, 5))
    seen = set()
    for value in range(600):
        places = permuted(5, **{which: value})
        counts[np.arange(5), places] += 1
        seen.add(tuple(places))
    assert len(seen) > 110  # Of 120; six hundred draws miss one with a chance of 1 in 150.
    # 120 expected in each; chi-square with 16 degrees of freedom exceeds 39 once in a thousand times.
    assert ((counts - 120) ** 2 / 120).sum() < 39


def test_neighbours_and_cycles_have_nothing_to_do_with_each_other():
    one, other = permuted(5000), permuted(5000, cycle=1)
    for lag in range(1, 50):
        assert abs(np.corrcoef(one[:-lag], one[lag:])[0, 1]) < 0.07
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.07


def draw(order, steps):
    starts, labels = order(np.array(steps))
    return list(zip(starts.numpy().ravel().tolist(), labels.numpy().ravel().tolist(), strict=True))


@pytest.fixture
def strips(make_strips):
    return make_strips(WIDTHS, LABELS)


def test_number_of_positions(strips):
    assert number_of_positions(strips, 3) == sum(POSITIONS.values()) == 19


@pytest.mark.parametrize("balance", ["none", "writers"])
def test_more_columns_than_32_bits_can_number(make_strips, balance):
    # Six images of 500 million columns each; only their places matter to the order.
    first = FIRST + 500_000_000 * np.arange(7)
    strips = dataclasses.replace(make_strips(WIDTHS, LABELS), first_column=first)
    order = patch_order(strips, Sampling(patch_width=3, batch_size=1000, seed=0, balance=balance))
    starts, labels = order(np.array([0, 10**6]))
    image, within = np.divmod(starts.numpy() - FIRST, 500_000_000)
    np.testing.assert_array_equal(labels, np.array(LABELS)[image])
    assert within.max() <= 500_000_000 - 3
    assert len(np.unique(starts)) == 2000
    assert set(image.ravel()) == set(range(6))


@pytest.mark.parametrize("batch_size", [1, 4, 7, 50])  # 50: a batch longer than a cycle.
@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_each_cycle_holds_each_position_exactly_once(strips, batch_size, seed):
    order = patch_order(strips, Sampling(patch_width=3, batch_size=batch_size, seed=seed))
    drawn = draw(order, range(3 * 19 // batch_size + 1))
    for cycle in range(3):
        of_cycle = drawn[cycle * 19 : (cycle + 1) * 19]
        assert collections.Counter(of_cycle) == POSITIONS
    assert drawn[:19] != drawn[19:38]  # Another cycle, another order.
    assert [start for start, _ in drawn[:19]] != sorted(start for start, _ in drawn[:19])


def test_a_pass_holds_all_patches_of_a_phase_and_they_do_not_overlap(strips):
    drawn = draw(patch_order(strips, Sampling(patch_width=3, batch_size=19, seed=4)), [0])
    passes = [
        (phase, sorted(start for start, _ in group))
        for phase, group in itertools.groupby(drawn, lambda pair: pair[0] % 3)
    ]
    assert sorted(phase for phase, _ in passes) == [0, 1, 2]
    for phase, starts in passes:
        assert starts == [start for start, _ in sorted(POSITIONS) if start % 3 == phase]
        assert min(np.diff(starts)) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 4, 7, 50])
def test_balanced_draws_take_labels_and_phases_in_turn_and_each_position_once_a_cycle(strips, batch_size):
    order = patch_order(strips, Sampling(patch_width=3, batch_size=batch_size, seed=1, balance="writers"))
    steps = range(3 * (50 // batch_size + 1))
    streams = collections.defaultdict(list)
    by_phase = collections.defaultdict(list)
    for step in steps:
        batch = draw(order, [step])
        assert {start % 3 for start, _ in batch} == {batch[0][0] % 3}
        by_phase[batch[0][0] % 3] += batch
    assert sorted(by_phase) == [0, 1, 2]
    for phase, drawn in by_phase.items():
        assert len(drawn) == len(steps) // 3 * batch_size
        present = {label for start, label in POSITIONS if start % 3 == phase}
        for first in range(0, len(drawn) - len(present), len(present)):
            assert {label for _, label in drawn[first : first + len(present)]} == present
        for start, label in drawn:
            streams[phase, label].append(start)
    assert len(streams) == 7  # Label 2 has one position, so it has no part in two of the phases.
    for (phase, label), starts in streams.items():
        expected = [start for start, of in sorted(POSITIONS) if of == label and start % 3 == phase]
        assert len(starts) >= 2 * len(expected)
        for cycle in range(len(starts) // len(expected)):
            assert sorted(starts[cycle * len(expected) : (cycle + 1) * len(expected)]) == expected


@pytest.mark.parametrize("balance", ["none", "writers"])
def test_many_steps_at_once_are_the_same_steps(strips, balance):
    order = patch_order(strips, Sampling(patch_width=3, batch_size=7, seed=1, balance=balance))
    assert draw(order, [3, 4, 5, 6]) == [pair for step in (3, 4, 5, 6) for pair in draw(order, [step])]


def test_the_order_depends_on_the_seed(strips):
    first, again, other = (
        draw(patch_order(strips, Sampling(patch_width=3, batch_size=19, seed=seed)), [0])
        for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize("balance", ["none", "writers"])
def test_shares_of_a_batch_make_the_batch(strips, balance):
    arguments = {"patch_width": 3, "batch_size": 12, "seed": 3, "balance": balance}
    whole = draw(patch_order(strips, Sampling(**arguments)), [5])
    shares = [draw(patch_order(strips, Sampling(**arguments, share=(worker, 3))), [5]) for worker in range(3)]
    assert [pair for share in shares for pair in share] == whole


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patch_width": 4}, "narrower than a patch of 4 columns"),
        ({"balance": "forms"}, "balance must be one of"),
        ({"share": (2, 2)}, "share="),
        ({"batch_size": 4, "share": (0, 3)}, "must divide"),
        ({"seed": -1}, "seed must be"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"first_step": -1}, "first_step must be"),
    ],
)
def test_arguments_out_of_range(strips, change, message):
    with pytest.raises(ValueError, match=message):
        patch_order(strips, Sampling(**({"patch_width": 3, "batch_size": 4, "seed": 0} | change)))
