"""tf.data as tutorials show it."""

from collections.abc import Generator
from typing import Any

from pipelines.benchmarking.peers.peer import Corpus


def _tfdata(corpus: Corpus, batch_size: int, cached: bool) -> Generator[Any, None, None]:
    import tensorflow as tf

    def decode(file: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.io.decode_png(file, channels=1), label

    def crop(image: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.image.random_crop(image, (corpus.height, corpus.width, 1)), label

    dataset = tf.data.Dataset.from_tensor_slices((list(corpus.files), corpus.labels))
    if cached:
        dataset = dataset.map(decode, tf.data.AUTOTUNE).cache().repeat().shuffle(1000)
    else:
        dataset = dataset.repeat().shuffle(1000).map(decode, tf.data.AUTOTUNE)
    dataset = dataset.map(crop, tf.data.AUTOTUNE)
    yield from dataset.batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def decode_batches(corpus: Corpus, batch_size: int, threads: int) -> Generator[Any, None, None]:
    """Batches of tf.data as tutorials show it. The image is decoded for each patch. The tuner chooses the threads."""
    yield from _tfdata(corpus, batch_size, cached=False)


def cached_batches(corpus: Corpus, batch_size: int, threads: int) -> Generator[Any, None, None]:
    """Batches of tf.data as tutorials show it. It keeps the decoded images. The tuner chooses the threads."""
    yield from _tfdata(corpus, batch_size, cached=True)
