"""iam_writer/evidence/shapes.py: letters that stand on both sides are found."""

import cv2
import numpy as np

from iam_writer.evidence import shapes


def line(text, font=cv2.FONT_HERSHEY_SCRIPT_COMPLEX, gap=70):
    """Letters that do not touch, of one font."""
    image = np.full((120, gap * (len(text) + 1)), 255, np.uint8)
    for place, letter in enumerate(text):
        cv2.putText(image, letter, (20 + gap * place, 80), font, 1.6, 0, 3)
    return image


def test_the_same_letters_are_found():
    found = shapes.matches([line("agkm")], [line("xxk"), line("wga")])
    assert len(found) == 3
    for one, other in found:
        assert one.shape == other.shape and (one == other).all() and one.min() == 0 and one[0].min() == 255


def test_other_letters_and_empty_lines_are_not():
    assert shapes.matches([line("k")], [line("o", cv2.FONT_HERSHEY_PLAIN)]) == []
    assert shapes.matches([np.full((60, 200), 255, np.uint8)], [line("k")]) == []
    assert shapes.matches([], [line("k")]) == []


def test_no_more_than_can_be_shown():
    text = "abcdeghkmnopqrsuvwxyzABDEG"
    assert len(shapes.matches([line(text)], [line(text)])) == shapes.SHOWN
