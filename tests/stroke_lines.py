"""A line of strokes, drawn by code."""

import numpy as np


def line():
    """Strokes of two and of six pixels, black on white: uint8 [60, 300]."""
    gray = np.full((60, 300), 255, np.uint8)
    for left in (*range(20, 100, 12), *range(180, 260, 12)):
        gray[15:45, left : left + 6] = 0
        gray[25:27, left + 6 : left + 12] = 0
    return gray
