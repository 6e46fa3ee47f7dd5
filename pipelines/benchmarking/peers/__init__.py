"""Others who deliver random patches of the same images, each as its own documentation recommends, and the limit.

Every peer gets the same gray images and delivers uint8 patches of the same size with their labels, in its own memory
layout. Libraries are imported by the peer that needs them; one that is not installed says so. Where a peer leaves the
choice of threads or processes to its user, what was fastest on two cores is chosen, and noted beside it.
"""

import functools
import importlib.util
from collections.abc import Callable

from pipelines.benchmarking.peers import (
    article,
    dali,
    ffcv_process,
    grain_loader,
    limit,
    tfdata,
    torch_loader,
)
from pipelines.benchmarking.peers.peer import Corpus, Peer, Session, count, in_process

__all__ = ["PEERS", "Corpus", "Peer", "Session", "count", "in_process"]


def _missing(module: str) -> str | None:
    parent, _, child = module.rpartition(".")
    if (parent and not importlib.util.find_spec(parent)) or not importlib.util.find_spec(module):
        return f"{child or module} is not installed: pip install '.[peers]'"
    return None


def _peer(name: str, key: str, cannot: str, module: str, generator: Callable) -> Peer:
    return Peer(
        name, key, cannot, functools.partial(_missing, module), functools.partial(in_process, generator)
    )


PEERS: tuple[Peer, ...] = (
    _peer("the limit: a compiled copy", "limit", "exactly once; resume", "numba", limit.batches),
    Peer(
        "FFCV, bent by an expert",
        "ffcv_expert",
        "exactly once; resume; TensorFlow",
        ffcv_process.missing,
        functools.partial(ffcv_process.session, "expert"),
    ),
    Peer(
        "FFCV, as documented",
        "ffcv",
        "gray; exactly once; resume; TensorFlow",
        ffcv_process.missing,
        functools.partial(ffcv_process.session, "documented"),
    ),
    _peer("PyTorch DataLoader", "torch", "exactly once; resume", "torch", torch_loader.batches),
    _peer("Grain", "grain", "exactly once", "grain", grain_loader.batches),
    _peer(
        "tf.data, cached decode + random_crop",
        "tfdata_cached",
        "exactly once; resume",
        "tensorflow",
        tfdata.cached_batches,
    ),
    _peer(
        "the article's generator", "article", "exactly once; global shuffle; resume", "PIL", article.batches
    ),
    _peer(
        "tf.data, decode every time",
        "tfdata_decode",
        "exactly once; resume",
        "tensorflow",
        tfdata.decode_batches,
    ),
    _peer("DALI on the CPU", "dali", "exactly once; keep decoded images", "nvidia.dali", dali.batches),
)
"""All peers, and the limit."""
