"""The generator of the article "Handwriting recognition using Tensorflow and Keras"."""

import io
import random
from collections.abc import Generator
from typing import Any

import numpy as np
from PIL import Image

from pipelines.benchmarking.peers.peer import Corpus


def batches(corpus: Corpus, batch_size: int, threads: int) -> Generator[Any, None, None]:
    """Batches as the article's text describes them.

    The generator opens sixteen sentence images at a time, scales them to the height of a patch and crops patches at a
    random 30 % of all start columns. It has one thread. Two things differ from the article: the conversion to float32 is
    left out, and the crops come in batches of the size that all peers have. In the article they are one batch of
    thousands.
    """
    sentences, share = 16, 0.3
    order: list[int] = []
    crops: list[np.ndarray] = []
    labels: list[int] = []
    while True:
        if len(order) < sentences:
            order.extend(random.sample(range(len(corpus.files)), len(corpus.files)))
        for index in order[:sentences]:
            image: Image.Image = Image.open(io.BytesIO(corpus.files[index]))
            width = round(image.width * corpus.height / image.height)
            image = image.resize((width, corpus.height), Image.Resampling.LANCZOS)
            starts = range(width - corpus.width + 1)
            for start in random.sample(starts, max(1, int(share * len(starts)))):
                crops.append(np.asarray(image.crop((start, 0, start + corpus.width, corpus.height))))
                labels.append(corpus.labels[index])
        del order[:sentences]
        shuffled = random.sample(range(len(crops)), len(crops))
        while len(shuffled) >= batch_size:
            batch, shuffled = shuffled[:batch_size], shuffled[batch_size:]
            yield np.array([crops[i] for i in batch]), np.array([labels[i] for i in batch])
        crops, labels = [crops[i] for i in shuffled], [labels[i] for i in shuffled]
