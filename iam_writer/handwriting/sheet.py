"""Finds the sheet of paper on a picture, when there is something else around it. Does not use TensorFlow.

A sheet lies on a black plate, on a desk, or beside a ruler or a colour chart. It is brighter than what it lies on, its
outline has four straight sides, and along these sides the brightness changes at once. A side may also lie on the edge of
the picture. Brown paper under the white lid of a scanner is darker than what is around it; then there must be nothing else on the
lid. A scan on which no such outline is found stays as it is.
"""

import cv2
import numpy as np

_SIDE = 600
"""Pixels. The outline is searched on a picture that is scaled to this side. The units below are its pixels."""

_STROKE = 17
"""Wider than any stroke of ink. Closing by this length removes the writing."""

_LEAST_AREA = 0.12
"""The smallest share of the picture that a sheet has."""

_LIKE_FOUR_SIDES = 0.94
"""The least overlap (intersection over union) of a sheet with the quadrilateral around it."""

_STEP = 5
"""Brightness is compared at this distance from a side, on both sides of it."""

_LEAST_STEP = 22
"""Grays by which a sheet is brighter than what it lies on, just beyond its edge."""

_DARK = 0.5
"""Below this share of the paper's brightness the surround is dark. Shadows on paper are seldom so dark."""

_LEAST_ON_LID, _LID = 0.3, 200
"""The smallest share of the picture that brown paper under a white lid has, and the least gray of the lid."""

_INWARD = 2.5
"""The sides are moved inwards by so much, so that no edge of the sheet is left."""

_LEVEL = 0.004
"""Sides that leave the rows and columns by less than this share of their length are taken as level. Then nothing is resampled."""

Quad = np.ndarray
"""float32 `[4, 2]`: x and y of the corners, from the top left, clockwise."""


def find(gray: np.ndarray) -> Quad | None:
    """The corners of the sheet; None if no sheet lies in a surround.

    Args:
      gray: uint8 `[height, width]`, dark ink on light paper.
    """
    scale = _SIDE / max(gray.shape)
    if scale > 1 or min(gray.shape) * scale < 60:  # A line, or a picture that is too small to hold a page.
        return None
    small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    closed = cv2.morphologyEx(
        cv2.medianBlur(small, 3), cv2.MORPH_CLOSE, np.ones((_STROKE, _STROKE), np.uint8)
    )
    low, high = np.percentile(closed, [2, 98])
    if high - low < _LEAST_STEP:
        return None
    otsu, _ = cv2.threshold(closed, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    levels = [otsu, *np.linspace(low, high, 9)[1:-1]]
    found = [quad for level in levels for quad in _quads(closed > level) if _stands_out(small, quad)]
    if not found:
        # Turned to its negative, brown paper is brighter than the lid.
        negative = 255 - small
        found = [
            quad
            for level in levels
            for quad in _quads(closed < level)
            if _stands_out(negative, quad) and _is_blank_around(small, quad)
        ]
        small = negative
    if not found:
        return None
    # The largest sheet. Of nearly the same outlines the one that stands out most: it lies on the edge exactly.
    largest = max(cv2.contourArea(quad) for quad in found)
    best = max(
        (quad for quad in found if cv2.contourArea(quad) > 0.9 * largest),
        key=lambda quad: _contrast(small, quad),
    )
    height, width = small.shape
    on_edge = _on_edge(best, (width, height))
    if all(on_edge):
        return None
    best = _refined(small, best, on_edge)
    sides = [
        (outward, float(outward @ points[0]) - (0.0 if edge else _INWARD))
        for (points, outward), edge in zip(_sides(best), on_edge, strict=True)
    ]
    inward = _corners(sides)
    return np.clip(inward / scale, 0, np.array(gray.shape[::-1]) - 1).astype(np.float32)


def straighten(gray: np.ndarray, quad: Quad) -> tuple[np.ndarray, np.ndarray]:
    """Cuts the sheet out, and removes the perspective.

    Args:
      gray: uint8 `[height, width]`, the picture.
      quad: what `find` returns.

    Returns:
      uint8, the sheet; float64 `[3, 3]`, the matrix that moves a point (x, y, 1) of the picture to its place on the sheet.
    """
    top, right, bottom, left = (np.roll(quad, -1, axis=0) - quad)[:4]
    level = max(
        abs(top[1] / top[0]), abs(bottom[1] / bottom[0]), abs(right[0] / right[1]), abs(left[0] / left[1])
    )
    if level < _LEVEL:
        x, y = np.ceil(quad[[0, 3], 0].max()), np.ceil(quad[:2, 1].max())
        width, height = np.floor(quad[1:3, 0].min()) - x, np.floor(quad[2:, 1].min()) - y
        cut = gray[int(y) : int(y + height), int(x) : int(x + width)]
        return np.ascontiguousarray(cut), np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1]], np.float64)
    width = round(max(np.linalg.norm(top), np.linalg.norm(bottom)))
    height = round(max(np.linalg.norm(left), np.linalg.norm(right)))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(quad, corners)
    return cv2.warpPerspective(
        gray, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    ), matrix


def _quads(bright: np.ndarray) -> list[Quad]:
    """Quadrilaterals around the large bright pieces of a picture, bool `[height, width]`, that are shaped like them."""
    mask = cv2.morphologyEx(bright.astype(np.uint8), cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found = []
    for contour in contours:
        if cv2.contourArea(contour) < _LEAST_AREA * mask.size:
            continue
        hull = cv2.convexHull(contour)
        around = cv2.arcLength(hull, True)
        shapes = [
            cv2.approxPolyDP(hull, share * around, True).reshape(-1, 2) for share in (0.01, 0.02, 0.03, 0.05)
        ]
        shapes = [shape for shape in shapes if len(shape) == 4]
        shapes.append(cv2.boxPoints(cv2.minAreaRect(contour)))
        piece = cv2.drawContours(np.zeros_like(mask), [contour], -1, 1, -1)
        for shape in shapes:
            quad = _ordered(shape.astype(np.float32))
            filled = cv2.fillConvexPoly(np.zeros_like(mask), np.rint(quad).astype(np.int32), 1)
            both, either = np.logical_and(filled, piece), np.logical_or(filled, piece)
            if both.sum() >= _LIKE_FOUR_SIDES * either.sum():
                found.append(quad)
                break
    return found


def _ordered(corners: np.ndarray) -> Quad:
    """Corners from the top left, clockwise. The top left corner has the smallest sum of x and y."""
    middle = corners.mean(axis=0)
    angle = np.arctan2(corners[:, 1] - middle[1], corners[:, 0] - middle[0])
    corners = corners[np.argsort(angle)]
    return np.roll(corners, -int(corners.sum(axis=1).argmin()), axis=0)


def _sides(quad: Quad) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each side, top, right, bottom, left: points along it, float `[n, 2]`, and the unit vector that points outwards."""
    found = []
    for start, end in zip(quad, np.roll(quad, -1, axis=0), strict=True):
        along = end - start
        length = max(float(np.linalg.norm(along)), 1.0)
        outward = np.array([along[1], -along[0]]) / length
        points = start + np.linspace(0.06, 0.94, 60)[:, None] * along
        found.append((points, outward))
    return found


def _on_edge(quad: Quad, size: tuple[int, int]) -> list[bool]:
    """For each side, whether it lies on the edge of the picture."""
    found = []
    for points, outward in _sides(quad):
        beyond = points + (_STEP + 1) * outward
        outside = (beyond < 0).any(axis=1) | (beyond > np.array(size) - 1).any(axis=1)
        found.append(bool(outside.mean() > 0.7))
    return found


def _brightness(small: np.ndarray, points: np.ndarray) -> np.ndarray:
    x, y = np.rint(points).astype(int).T
    height, width = small.shape
    return small[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)].astype(float)


def _steps(small: np.ndarray, quad: Quad) -> list[tuple[np.ndarray, np.ndarray]]:
    """Brightness just inside and just outside of each side, along it."""
    # A mean is not misled by a letter at the edge, or by the grain of wood.
    smooth = cv2.GaussianBlur(small, (0, 0), 1.5)
    return [
        (_brightness(smooth, points - _STEP * outward), _brightness(smooth, points + _STEP * outward))
        for points, outward in _sides(quad)
    ]


def _stands_out(small: np.ndarray, quad: Quad) -> bool:
    """Whether a quadrilateral is brighter than its surround on all sides that do not lie on the edge of the picture."""
    height, width = small.shape
    on_edge = _on_edge(quad, (width, height))
    free = [pair for pair, edge in zip(_steps(small, quad), on_edge, strict=True) if not edge]
    if not free:
        return False
    dark = True
    for inside, outside in free:
        paper = float(np.median(inside))
        if np.mean(inside - outside >= _LEAST_STEP) < 0.8:
            return False
        dark &= bool(np.mean(outside < _DARK * paper) > 0.8)
    # The border of a shadow on a page looks like one or two sides of a sheet.
    return dark or len(free) >= 3


def _is_blank_around(small: np.ndarray, quad: Quad) -> bool:
    """Whether a sheet has a large share of the picture, and what is around it is bright and empty, as the lid of a scanner is."""
    inside = cv2.fillConvexPoly(np.zeros_like(small), np.rint(quad).astype(np.int32), 1)
    around = small[cv2.dilate(inside, np.ones((2 * _STEP + 1, 2 * _STEP + 1), np.uint8)) == 0]
    if inside.mean() < _LEAST_ON_LID or not len(around):
        return False
    lid = float(np.median(around))
    return bool(lid >= _LID and np.mean(around < lid - _LEAST_STEP) < 0.002)


def _contrast(small: np.ndarray, quad: Quad) -> float:
    return float(np.mean([np.median(inside) - np.median(outside) for inside, outside in _steps(small, quad)]))


def _refined(small: np.ndarray, quad: Quad, on_edge: list[bool]) -> Quad:
    """Puts each side where the brightness changes most."""
    smooth = cv2.GaussianBlur(small, (0, 0), 1.0).astype(np.float32)
    offsets = np.arange(-8, 8.1, 0.5)
    lines = []
    for (points, outward), edge in zip(_sides(quad), on_edge, strict=True):
        line = outward, float(outward @ points[0])
        if not edge:
            places = (points[:, None] + offsets[:, None] * outward).astype(np.float32)
            profile = cv2.remap(
                smooth, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            steepest = np.diff(profile, axis=1).argmin(axis=1)
            on_side = points + (offsets[steepest] + 0.25)[:, None] * outward
            x, y, x0, y0 = np.ravel(cv2.fitLine(on_side.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01))
            normal = np.array([y, -x], np.float64)
            normal = normal if normal @ outward > 0 else -normal
            line = normal, float(normal @ np.array([x0, y0]))
        lines.append(line)
    return _corners(lines)


def _corners(lines: list[tuple[np.ndarray, float]]) -> Quad:
    """Where four lines meet: top, right, bottom and left, each as its normal n and the number n · (x, y) of its points."""
    corners = [
        np.linalg.solve(np.array([lines[i - 1][0], lines[i][0]]), np.array([lines[i - 1][1], lines[i][1]]))
        for i in range(4)
    ]
    return np.array(corners, np.float32)
