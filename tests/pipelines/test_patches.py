"""pipelines/patches.py: the exact patches that come out, whatever the number of threads and wherever one begins."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from pipelines.gather import gather_columns
from pipelines.patch_order import Sampling, patch_order
from pipelines.patches import iterate, patches, start_columns


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
    order = patch_order(strips, Sampling(patch_width=3, batch_size=4, seed=0))
    for step, (images, labels) in enumerate(first_batches(strips, 20)):
        start, expected_labels = (np.ravel(tensor) for tensor in order(np.array([step])))
        assert images.dtype == np.uint8
        assert images.shape == (4, 3, 4)  # [batch, width, height], x first
        assert images[:, :, 0].tolist() == [[s, s + 1, s + 2] for s in start]
        assert labels.tolist() == expected_labels.tolist()


def test_the_only_patch_of_a_narrow_split(make_strips):
    strips = make_strips([2], [0], min_width=3)
    (images, labels), *_ = first_batches(strips, 1, batch_size=1)
    # Two columns, and their median, one or the other, as background.
    first = strips.first_column[0]
    assert images[0, :2, 0].tolist() == [first, first + 1]
    assert images[0, 2, 0] in (first, first + 1)
    assert labels.tolist() == [0]


@pytest.mark.slow
@pytest.mark.parametrize("balance", ["none", "writers"])
@pytest.mark.parametrize("parallel_calls", [2, 8])
def test_a_thousand_batches_do_not_depend_on_the_threads(strips, balance, parallel_calls):
    one = first_batches(strips, 1000, balance=balance, num_parallel_calls=1)
    many = first_batches(strips, 1000, balance=balance, num_parallel_calls=parallel_calls)
    assert same(one, many)


@pytest.mark.slow
@pytest.mark.parametrize("balance", ["none", "writers"])
def test_any_step_can_be_had_first(strips, balance):
    whole = first_batches(strips, 24, balance=balance)
    for step in range(20):  # Of 19 positions: the 19th batch of four ends a cycle.
        assert same(first_batches(strips, 4, balance=balance, first_step=step), whole[step : step + 4])


@pytest.mark.parametrize(
    ("patch_width", "row_width"),
    [
        (3, 3),
        (5, 5),
        (6, 3),
        (4, 1),
        (1, 1),
    ],  # A column has 4 bytes, so every 16th is aligned: 3 is coprime, 2 is not.
)
def test_patches_of_any_width_are_those_of_a_plain_slice(make_strips, patch_width, row_width):
    strips = make_strips([9, 12, 40], [0, 1, 2], min_width=9)
    assert strips.row_width(patch_width) == row_width
    columns = strips.columns().numpy()
    starts = start_columns(
        strips, Sampling(patch_width=patch_width, batch_size=5, seed=7)
    ).as_numpy_iterator()
    seen = set()
    for (images, labels), (start, expected_labels) in zip(
        first_batches(strips, 60, patch_width=patch_width, batch_size=5, seed=7), starts, strict=False
    ):
        assert np.array_equal(images, [columns[s : s + patch_width] for s in start])
        assert np.array_equal(labels, expected_labels)
        seen.add(len(set((start % row_width).tolist())))
    # Batches of one phase, and those between two passes.
    assert seen == ({1} if row_width == 1 else {1, 2})


@pytest.mark.parametrize("balance", ["none", "writers"])
def test_start_columns_gathered_elsewhere_are_the_same_batches(strips, balance):
    arguments = {"patch_width": 3, "batch_size": 4, "seed": 0, "balance": balance}
    here = first_batches(strips, 100, **arguments)
    starts = itertools.islice(start_columns(strips, Sampling(**arguments)), 100)
    columns = strips.columns()
    assert same(here, [(gather_columns(columns, start, 3), label) for start, label in starts])


def test_batches_have_one_static_shape(strips):
    images, labels = patches(strips, patch_width=3, batch_size=4, seed=0).element_spec
    assert images.shape.as_list() == [4, 3, 4]
    assert labels.shape.as_list() == [4]


def test_memory_of_batches_is_kept_by_tensorflow(strips):
    images, _ = next(iterate(patches(strips, patch_width=3, batch_size=4096, seed=0)))
    # TensorFlow has no figures of malloc, which returns memory to the system. It then raises ValueError.
    assert tf.config.experimental.get_memory_info("CPU:0")["current"] >= tf.size(images)


def test_iterate_gives_the_same_batches(strips):
    batches = iterate(patches(strips, patch_width=3, batch_size=4, seed=0))
    assert same(list(itertools.islice(batches, 20)), first_batches(strips, 20))


def test_a_field_changes_what_a_sampling_says(strips):
    sampling = Sampling(patch_width=3, batch_size=4, seed=0)
    changed = patches(strips, sampling, first_step=2, balance="writers").take(4).as_numpy_iterator()
    assert same(list(changed), first_batches(strips, 4, first_step=2, balance="writers"))
