"""pipelines/patch_order.py: exactly once, pure, balanced, shardable."""

import collections

import numpy as np
import pytest

from pipelines.patch_order import number_of_positions, patch_order

# Images of 3 … 9 columns and 3 labels; patches of 3 columns. Label 2 has but one position, label 5 has eleven.
WIDTHS = [5, 3, 9, 6, 4, 4]
LABELS = [5, 2, 0, 5, 0, 5]
# What may start where: (start column, label).
POSITIONS = collections.Counter(
    (start, label)
    for end, width, label in zip(np.cumsum(WIDTHS).tolist(), WIDTHS, LABELS, strict=True)
    for start in range(end - width, end - 3 + 1)
)


def draw(order, steps):
    starts, labels = zip(*(order(step) for step in steps), strict=True)
    return list(zip(np.concatenate(starts).tolist(), np.concatenate(labels).tolist(), strict=True))


@pytest.fixture
def strips(make_strips):
    return make_strips(WIDTHS, LABELS)


def test_number_of_positions(strips):
    assert number_of_positions(strips, 3) == sum(POSITIONS.values()) == 19


@pytest.mark.parametrize("batch_size", [1, 4, 7, 50])  # 50: a batch longer than a cycle.
@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_each_cycle_holds_each_position_exactly_once(strips, batch_size, seed):
    order = patch_order(strips, patch_width=3, batch_size=batch_size, seed=seed)
    drawn = draw(order, range(3 * 19 // batch_size + 1))
    for cycle in range(3):
        of_cycle = drawn[cycle * 19 : (cycle + 1) * 19]
        assert collections.Counter(of_cycle) == POSITIONS
    assert drawn[:19] != drawn[19:38]  # Another cycle, another order.
    assert [start for start, _ in drawn[:19]] != sorted(start for start, _ in drawn[:19])


@pytest.mark.parametrize("batch_size", [1, 4, 7, 50])
def test_balanced_draws_take_labels_in_turn_and_each_position_once_a_cycle(strips, batch_size):
    order = patch_order(strips, patch_width=3, batch_size=batch_size, seed=1, balance="writers")
    drawn = draw(order, range(2 * 3 * 11 // batch_size + 1))
    labels = [label for _, label in drawn]
    for first in range(0, 66, 3):
        assert sorted(labels[first : first + 3]) == [0, 2, 5]
    for label in (0, 2, 5):
        expected = {start for start, of in POSITIONS if of == label}
        starts = [start for start, of in drawn[:66] if of == label]
        for cycle in range(len(starts) // len(expected)):
            assert sorted(starts[cycle * len(expected) : (cycle + 1) * len(expected)]) == sorted(expected)


def test_the_order_depends_on_the_seed(strips):
    first, again, other = (
        draw(patch_order(strips, patch_width=3, batch_size=19, seed=seed), [0]) for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize("balance", ["none", "writers"])
def test_shares_of_a_batch_make_the_batch(strips, balance):
    arguments = {"patch_width": 3, "batch_size": 12, "seed": 3, "balance": balance}
    whole = draw(patch_order(strips, **arguments), [5])
    shares = [draw(patch_order(strips, **arguments, share=(worker, 3)), [5]) for worker in range(3)]
    assert [pair for share in shares for pair in share] == whole


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patch_width": 4}, "narrower than a patch of 4 columns"),
        ({"balance": "forms"}, "balance must be one of"),
        ({"share": (2, 2)}, "share="),
        ({"batch_size": 4, "share": (0, 3)}, "must divide"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_arguments_out_of_range(strips, change, message):
    with pytest.raises(ValueError, match=message):
        patch_order(strips, **{"patch_width": 3, "batch_size": 4, "seed": 0} | change)
