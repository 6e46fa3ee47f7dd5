"""pipelines/windows.py: every window of every image, left to right, once."""

import numpy as np
import pytest

from pipelines.windows import windows


@pytest.mark.parametrize(
    ("stride", "expected_starts", "expected_images"),
    [
        (1, [0, 1, 2, 5, 8, 9], [0, 0, 0, 1, 2, 2]),
        (2, [0, 2, 5, 8], [0, 0, 1, 2]),
        (100, [0, 5, 8], [0, 1, 2]),
    ],
)
def test_windows(make_strips, stride, expected_starts, expected_images):
    batches, images = windows(
        make_strips([5, 3, 4], [0, 1, 0], min_width=3), window_width=3, batch_size=4, stride=stride
    )
    batches = list(batches.as_numpy_iterator())
    assert {batch.shape for batch in batches} == {(4, 3, 4)}
    starts = np.concatenate(batches)[:, 0, 0] - 3 * 64  # Columns of paper come first.
    assert images.tolist() == expected_images
    assert starts[: len(images)].tolist() == expected_starts
    assert set(starts[len(images) :].tolist()) <= {expected_starts[-1]}  # The last batch is filled up.
    assert len(starts) - len(images) < 4
