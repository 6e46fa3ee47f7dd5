"""pipelines/patches.py: the exact patches that come out, whatever the number of threads and wherever one begins."""

import itertools

import numpy as np
import pytest

from pipelines.patch_order import patch_order
from pipelines.patches import patches


def first_batches(strips, count, **changes):
    arguments = {"patch_width": 3, "batch_size": 4, "seed": 0} | changes
    dataset = patches(strips, **arguments)
    return [(images, labels) for images, labels in itertools.islice(dataset.as_numpy_iterator(), count)]


def same(left, right):
    return len(left) == len(right) and all(
        np.array_equal(one_images, other_images) and np.array_equal(one_labels, other_labels)
        for (one_images, one_labels), (other_images, other_labels) in zip(left, right, strict=True)
    )


@pytest.fixture
def strips(make_strips):
    return make_strips([5, 3, 9, 6, 4, 4], [1, 2, 0, 1, 0, 1])


def test_a_batch_is_the_columns_that_the_order_names(strips):
    order = patch_order(strips, patch_width=3, batch_size=4, seed=0)
    for step, (images, labels) in enumerate(first_batches(strips, 20)):
        start, expected_labels = order(step)
        assert images.dtype == np.uint8
        assert images.shape == (4, 3, 4)  # [batch, width, height], x first
        assert images[:, :, 0].tolist() == [[s, s + 1, s + 2] for s in start.numpy()]
        assert labels.tolist() == expected_labels.numpy().tolist()


def test_the_only_patch_of_a_narrow_split(make_strips):
    strips = make_strips([2], [0], min_width=3)
    (images, labels), *_ = first_batches(strips, 1, batch_size=1)
    # Columns 0 and 1, and the median, 0 or 1, as background.
    assert images[0, :2, 0].tolist() == [0, 1]
    assert images[0, 2, 0] in (0, 1)
    assert labels.tolist() == [0]


@pytest.mark.parametrize("balance", ["none", "writers"])
@pytest.mark.parametrize("parallel_calls", [2, 8])
def test_a_thousand_batches_do_not_depend_on_the_threads(strips, balance, parallel_calls):
    one = first_batches(strips, 1000, balance=balance, num_parallel_calls=1)
    many = first_batches(strips, 1000, balance=balance, num_parallel_calls=parallel_calls)
    assert same(one, many)


@pytest.mark.parametrize("balance", ["none", "writers"])
def test_any_step_can_be_had_first(strips, balance):
    whole = first_batches(strips, 40, balance=balance)
    for step in range(36):
        assert same(first_batches(strips, 4, balance=balance, first_step=step), whole[step : step + 4])


def test_batches_have_one_static_shape(strips):
    images, labels = patches(strips, patch_width=3, batch_size=4, seed=0).element_spec
    assert images.shape.as_list() == [4, 3, 4]
    assert labels.shape.as_list() == [4]
