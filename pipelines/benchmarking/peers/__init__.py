"""The peers: other loaders that deliver random patches of the same images, and the limit, which only copies.

Each peer is used as its own documentation recommends. Every peer gets the same gray images and delivers uint8 patches
of the same size with their labels, in its own memory layout. Only the peer that needs a library imports it. A peer
whose library is not installed says so. Some peers leave the number of threads or processes to their user. They have the
number that was fastest on two cores, and a comment says so.
"""

import contextlib
import functools
import importlib.util
from collections.abc import Callable, Generator
from typing import Any

from pipelines.benchmarking.peers import (
    article,
    dali,
    ffcv_process,
    grain_loader,
    limit,
    spdl_pipeline,
    streaming_formats,
    tfdata,
    torch_loader,
)
from pipelines.benchmarking.peers.other_process import in_other_process
from pipelines.benchmarking.peers.peer import Corpus, Peer, Session, count, in_process

__all__ = ["PEERS", "Corpus", "Peer", "Session", "count", "in_process"]


def _missing(module: str) -> str | None:
    parent, _, child = module.rpartition(".")
    if (parent and not importlib.util.find_spec(parent)) or not importlib.util.find_spec(module):
        return f"{child or module} is not installed: pip install '.[peers]'"
    return None


def _peer(
    name: str,
    key: str,
    cannot: str,
    module: str,
    generator: Callable[[Corpus, int, int], Generator[Any, None, None]],
    process: Callable[..., contextlib.AbstractContextManager[Session]] = in_process,
) -> Peer:
    return Peer(name, key, cannot, functools.partial(_missing, module), functools.partial(process, generator))


PEERS: tuple[Peer, ...] = (
    _peer("the limit: a compiled copy", "limit", "exactly once; resume", "numba", limit.batches),
    Peer(
        "FFCV, adapted by an expert",
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
    _peer("SPDL", "spdl", "exactly once; resume", "spdl.pipeline", spdl_pipeline.batches),
    _peer(
        "LitData", "litdata", "exactly once", "litdata", streaming_formats.litdata_batches, in_other_process
    ),
    _peer(
        "MosaicML Streaming",
        "streaming",
        "exactly once",
        "streaming",
        streaming_formats.streaming_batches,
        in_other_process,
    ),
    _peer(
        "WebDataset",
        "webdataset",
        "exactly once; global shuffle; resume",
        "webdataset",
        streaming_formats.webdataset_batches,
        in_other_process,
    ),
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
