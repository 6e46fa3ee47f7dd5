"""Finds stamps on a page: a closed outline, round or with four corners, with print in it. Does not use TensorFlow."""

from collections.abc import Sequence

import cv2
import numpy as np

_LEAST, _MOST = 2.0, 0.1
"""The shorter side of a stamp has at least so many heights of letters, and the stamp at most this share of the page."""

_EXACT, _INKED, _NEAR = 0.98, 0.6, 2
"""The least overlap (intersection over union) of a stamp with an ellipse or a rectangle, and the least share of each quarter of this
shape's outline that has ink within so many pixels. A pen does not draw so exactly."""

_HOLLOW = 0.6
"""The largest share of ink within the outline."""

_GAPS = (7, 15, 31)
"""Pixels. Worn outlines have gaps, which are closed: first only small ones, because a large step may join a stamp and the writing."""


def stamps(ink: np.ndarray, height: float) -> tuple[np.ndarray, int]:
    """Where stamps are on a page.

    A stamp whose outline touches the writing is not found.

    Args:
      ink: uint8 `[height, width]`, 1 where there is ink.
      height: of the letters, in pixels.

    Returns:
      uint8 `[height, width]`, 1 within a stamp; the number of stamps.
    """
    found, number = np.zeros_like(ink), 0
    for gap in _GAPS:
        closed = cv2.morphologyEx(ink & (1 - found), cv2.MORPH_CLOSE, np.ones((gap, gap), np.uint8))
        for contour in cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]:
            left, top, width, high = cv2.boundingRect(contour)
            shorter, longer = sorted((width, high))
            if shorter < _LEAST * height or longer < 2 * _LEAST * height or width * high > _MOST * ink.size:
                continue
            outline = cv2.convexHull(contour - [left, top])
            within = cv2.fillConvexPoly(np.zeros((high, width), np.uint8), outline, 1)
            own = ink[top : top + high, left : left + width]
            if own[within == 1].mean() < _HOLLOW and _is_exact(own, within, outline):
                found[top : top + high, left : left + width] |= within
                number += 1
    return cv2.dilate(found, np.ones((5, 5), np.uint8)), number


def _is_exact(ink: np.ndarray, within: np.ndarray, outline: np.ndarray) -> bool:
    """Whether ink is drawn along an ellipse or a rectangle.

    Args:
      ink: uint8 `[height, width]`.
      within: uint8 `[height, width]`, 1 within the convex hull of the ink.
      outline: the hull, int32 `[points, 1, 2]`.
    """
    near = cv2.dilate(ink, np.ones((2 * _NEAR + 1, 2 * _NEAR + 1), np.uint8))
    edge = cv2.findContours(within, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0][0]
    for quarters in (_ellipse(cv2.fitEllipse(edge)), _rectangle(cv2.boxPoints(cv2.minAreaRect(outline)))):
        points = np.rint(quarters).astype(np.int32)
        filled = cv2.fillConvexPoly(np.zeros_like(within), points.reshape(-1, 1, 2), 1)
        x, y = np.clip(points, 0, [[within.shape[1] - 1, within.shape[0] - 1]]).transpose(2, 0, 1)
        exact = (within & filled).sum() >= _EXACT * (within | filled).sum()
        if exact and near[y, x].mean(axis=1).min() >= _INKED:
            return True
    return False


def _rectangle(corners: np.ndarray) -> np.ndarray:
    """Points on the four sides, float `[4, points, 2]`."""
    along = np.linspace(0, 1, 100)[:, None]
    return np.array([a + (b - a) * along for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)])


def _ellipse(fitted: tuple[Sequence[float], Sequence[float], float]) -> np.ndarray:
    """Points on the four quarters of what `cv2.fitEllipse` returns, float `[4, points, 2]`."""
    middle, axes, degrees = fitted
    turn, angle = np.deg2rad(degrees), np.linspace(0, 2 * np.pi, 400, endpoint=False).reshape(4, 100)
    x, y = axes[0] / 2 * np.cos(angle), axes[1] / 2 * np.sin(angle)
    turned = [np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y]
    return np.stack(turned, axis=-1) + middle
