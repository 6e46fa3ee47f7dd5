"""The generator of the article "Handwriting recognition using Tensorflow and Keras"."""

import io
import random
from collections.abc import Iterator

import numpy as np
from PIL import Image

from pipelines.benchmarking.peers.peer import Corpus


def batches(corpus: Corpus, batch_size: int, threads: int) -> Iterator:
    """As the article's text describes it.

    It opens sixteen sentence images at a time, scales them to the height of a patch and crops a random 30 % of all
    start columns. It has one thread. Its conversion to float32 is left out, and its crops, which it delivers as one
    batch of thousands, are dealt out in batches of the size that everyone has.
    """
    sentences, share = 16, 0.3
    order, crops, labels = [], [], []
    while True:
        if len(order) < sentences:
            order.extend(random.sample(range(len(corpus.files)), len(corpus.files)))
        for index in order[:sentences]:
            image = Image.open(io.BytesIO(corpus.files[index]))
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
