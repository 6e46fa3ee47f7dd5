"""The picture of identify --explain: the page, coloured by the votes of its windows, and the most similar training patches."""

import os

import cv2
import numpy as np

from iam_writer.common import datasets
from iam_writer.common.errors import MissingDataError
from iam_writer.common.files import write_beside
from iam_writer.handwriting.pages import Page
from iam_writer.recognition import calibration
from iam_writer.recognition.network_recognizer import NetworkRecognizer, WindowScan
from iam_writer.recognition.verdict import Verdict
from pipelines.strips import Strips
from pipelines.windows import window_starts

SHOWN = 6
"""Windows of the page that are shown beside it, each with the training patch that looks most like it."""

FOR, AGAINST = np.array([60, 160, 40]), np.array([50, 60, 220])  # Blue, green, red, as OpenCV orders them.


def draw(
    path: str | os.PathLike[str],
    network: NetworkRecognizer,
    page: Page,
    scan: WindowScan,
    verdict: Verdict,
    data_dir: str | None,
) -> str:
    """Draws the page: green where it speaks for the likeliest writer, red where it speaks for another one.

    Args:
      path: the PNG file.
      network: the network that answered.
      page: the page that the answer is about.
      scan: what the network says about the windows of the page.
      verdict: the answer.
      data_dir: the folder in which TFDS keeps datasets; None for the default of TFDS.

    Returns:
      A sentence about what is beside the page in the picture, or why nothing is there.

    Raises:
      OSError: the picture cannot be written.
    """
    name = verdict.top5[0][0]
    writer = network.writers.index(name)
    tinted = tint(page, network.height, network.width, scan, writer)
    try:
        strips = datasets.strips(network.run, "train", data_dir)
    except MissingDataError as error:
        note = f"Training patches are not shown. {error}"
        picture = tinted
    else:
        beside = _most_similar(network, page, scan, strips, writer)
        title = f"page | most like it, by {name}"
        picture = _side_by_side(tinted, beside, title)
        note = f"Beside the page: its windows that speak most for {name}, each with the most similar training patch."
    ok, data = cv2.imencode(".png", picture)
    if not ok:
        raise OSError(None, "the picture cannot be converted to PNG", str(path))
    write_beside(path, data.tobytes())
    return note


def tint(page: Page, height: int, width: int, scan: WindowScan, writer: int) -> np.ndarray:
    """uint8 `[height, width, 3]`, blue first: the page, each column of a line tinted by the windows that see it."""
    picture = np.repeat(page.gray[..., None], 3, axis=2).astype(np.float32)
    share = scan.probabilities[:, writer]
    for number, line in enumerate(page.lines):
        left, top, w, h = line.box
        of_line = (scan.line == number) & scan.votes
        if not of_line.any():
            continue
        columns = scan.column[of_line]
        # The mean over the windows that see a column, counted in columns of the laid line.
        laid = int(columns.max()) + width
        total, count = np.zeros(laid), np.zeros(laid)
        for column, p in zip(columns, share[of_line], strict=True):
            total[column : column + width] += p
            count[column : column + width] += 1
        at = (np.arange(w) * height / h).astype(int).clip(max=laid - 1)
        seen = count[at] > 0
        p = np.where(seen, total[at] / np.maximum(count[at], 1), 0)[:, None]
        colour = p * FOR + (1 - p) * AGAINST
        # Strong where the windows are sure either way, faint between.
        strength = np.where(seen[:, None], 0.15 + 0.35 * np.abs(2 * p - 1), 0)
        part = picture[top : top + h, left : left + w]
        part[:] = part * (1 - strength) + (part / 255) * colour * strength
    return picture.clip(0, 255).astype(np.uint8)


def _most_similar(
    network: NetworkRecognizer, page: Page, scan: WindowScan, strips: Strips, writer: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of patches, uint8 `[height, width]`: of the page, and of the writer's training lines."""
    starts, images = window_starts(strips, window_width=network.width, stride=network.width // 2)
    starts = starts[strips.labels[images] == writer]
    columns = strips.columns().numpy()
    training = columns[starts[:, None] + np.arange(network.width)]
    training = training[network.rule.has_ink(training)]
    _, embeddings = network.look(training)
    order = np.argsort(-scan.probabilities[:, writer] * scan.votes)
    laid = network.lay(page)
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    used: set[tuple[int, int]] = set()
    for window in order:
        line, column = int(scan.line[window]), int(scan.column[window])
        if any(line == other and abs(column - start) < network.width for other, start in used):
            continue  # The patches shown come from different places.
        used.add((line, column))
        alike = calibration.unit(embeddings) @ calibration.unit(scan.embeddings[window])
        mine = laid[line][column : column + network.width]
        pairs.append((mine.T, training[int(alike.argmax())].T))
        if len(pairs) == SHOWN:
            break
    return pairs


def _side_by_side(page: np.ndarray, pairs: list[tuple[np.ndarray, np.ndarray]], title: str) -> np.ndarray:
    # Each in a gray frame, apart from the others.
    framed = [
        [np.pad(np.pad(patch, 1, constant_values=190), 5, constant_values=255) for patch in pair]
        for pair in pairs
    ]
    rows = [np.hstack(pair) for pair in framed]
    beside = np.repeat(np.vstack(rows)[..., None], 3, axis=2)
    # The patches are made as high together as the page.
    head = 40
    scale = max(0.5, (page.shape[0] - head) / beside.shape[0])
    beside = cv2.resize(beside, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    beside = np.pad(beside, ((head, 0), (20, 20), (0, 0)), constant_values=255)
    letters = min(1.0, (beside.shape[1] - 40) / (17 * len(title)))
    cv2.putText(beside, title, (20, 28), cv2.FONT_HERSHEY_SIMPLEX, letters, (0, 0, 0), 1, cv2.LINE_AA)
    height = max(page.shape[0], beside.shape[0])
    both = [
        np.pad(part, ((0, height - part.shape[0]), (0, 0), (0, 0)), constant_values=255)
        for part in (page, beside)
    ]
    return np.hstack(both)
