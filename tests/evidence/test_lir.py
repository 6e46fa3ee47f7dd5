"""Costs, calibration and bounds against lir, the library of the Netherlands Forensic Institute."""

import numpy as np
import pytest

from iam_writer.evidence import measures

pytest.importorskip("lir", reason="lir is not installed (pip install lir)")

from lir.algorithms.bayeserror import elub
from lir.algorithms.logistic_regression import LogitCalibrator
from lir.data.models import LLRData
from lir.metrics import cllr, cllr_min


@pytest.fixture(params=[0, 1, 2])
def pairs(request):
    """Natural logarithms of ratios that are too strong and shifted, and whether one hand wrote each pair."""
    random = np.random.default_rng(request.param)
    same = random.random(600) < 0.2
    return 1.7 * random.normal(np.where(same, 3, -3), 2) + 0.4, same


def test_costs(pairs):
    ratios, same = pairs
    theirs = LLRData(features=(ratios / np.log(10))[:, None], labels=same.astype(int))
    assert measures.cllr(ratios, same) == pytest.approx(cllr(theirs), abs=1e-9)
    assert measures.cllr_min(ratios, same) == pytest.approx(cllr_min(theirs), abs=1e-6)


def test_logistic_calibration(pairs):
    ratios, same = pairs
    ours = measures.fit_logistic(np.stack([np.ones(len(ratios)), ratios], axis=1), same, ridge=1e-9)
    theirs = LogitCalibrator(C=1e9).fit(ratios[:, None], same.astype(int)).transform(ratios[:, None])
    np.testing.assert_allclose((ours[0] + ours[1] * ratios) / np.log(10), theirs.ravel(), atol=2e-3)


@pytest.mark.parametrize("strength", [0.3, 1.0, 3.0, -1.0])
def test_empirical_bounds(pairs, strength):
    ratios, same = strength * pairs[0], pairs[1]
    expected = elub(ratios / np.log(10), same.astype(int))
    found = np.array(measures.supported(ratios, same)) / np.log(10)
    np.testing.assert_allclose(found, expected, atol=measures.STEP + 1e-9)
