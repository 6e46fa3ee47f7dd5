"""The embeddings that a network computes from patches."""

import keras


def embedding(model):
    """The model up to its embedding, as a function of patches."""
    return lambda patches: keras.Model(model.input, model.get_layer("embedding").output)(patches).numpy()
