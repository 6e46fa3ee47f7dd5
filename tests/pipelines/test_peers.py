"""Each installed peer delivers correct patches. The tests of other peers are skipped with the reason."""

import multiprocessing
import pathlib
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from absl import flags
from conftest import png

from pipelines.benchmarking.peers import PEERS, Corpus, Session, count

pytestmark = pytest.mark.slow  # Other loaders start threads and processes of their own.

HEIGHT, WIDTH, BATCH = 20, 12, 64


@pytest.fixture(autouse=True)
def parsed_flags():
    """Marks the flags as parsed, because Grain reads its own flags. In the benchmark they are parsed already."""
    flags.FLAGS.mark_as_parsed()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Nine images of noise, of three labels: every block of pixels occurs once."""
    from pipelines.strips import Example, open_or_build

    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (HEIGHT, width), dtype=np.uint8) for width in range(WIDTH, 57, 5)]
    files, labels = [png(image) for image in images], np.array([0, 0, 0, 1, 1, 1, 2, 2, 2], np.int32)
    folder = tmp_path_factory.mktemp("corpus")
    strips = open_or_build(
        folder / "strips",
        lambda: (Example(file, int(label)) for file, label in zip(files, labels, strict=True)),
        height=HEIGHT,
        min_width=WIDTH,
        source="noise",
    )
    return Corpus(files, labels, strips, folder / "scratch", HEIGHT, WIDTH)


def parameter(peer):
    # These start a process for each session, which loads PyTorch or compiles.
    slow = peer.key in ("ffcv", "ffcv_expert", "litdata", "streaming", "webdataset")
    return pytest.param(peer, id=peer.key, marks=[pytest.mark.slow] if slow else [])


@pytest.fixture(params=map(parameter, PEERS))
def peer(request):
    if reason := request.param.missing():
        pytest.skip(reason)
    return request.param


def upright(patches: np.ndarray) -> np.ndarray:
    """Any peer's layout → uint8 `[batch, HEIGHT, WIDTH]`."""
    assert patches.dtype == np.uint8
    if patches.shape[1:] == (WIDTH, HEIGHT):
        return patches.transpose(0, 2, 1)
    if patches.ndim == 4:  # Gray in one channel, or in three that are the same.
        assert patches.shape[3] in (1, 3)
        assert (patches == patches[..., :1]).all()
        patches = patches[..., 0]
    assert patches.shape[1:] == (HEIGHT, WIDTH)
    return patches


def blocks(corpus: Corpus) -> dict[bytes, int]:
    """Every patch that can be cut from the corpus → its label."""
    columns = np.fromfile(corpus.strips.folder / "columns", np.uint8).reshape(-1, HEIGHT)
    ends = zip(corpus.strips.first_column[:-1], corpus.strips.first_column[1:], strict=True)
    return {
        columns[start : start + WIDTH].T.tobytes(): int(label)
        for (first, last), label in zip(ends, corpus.labels, strict=True)
        for start in range(first, last - WIDTH + 1)
    }


def children() -> set[str]:
    """Ids of this process's children."""
    return {
        child
        for task in pathlib.Path("/proc/self/task").glob("*/children")
        for child in task.read_text().split()
    }


def native_threads() -> int:
    return sum(1 for _ in pathlib.Path("/proc/self/task").iterdir())


def eventually(condition) -> bool:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def test_delivers_patches_of_the_corpus_with_their_labels(peer, corpus):
    known = blocks(corpus)
    with peer.session(corpus, BATCH, 2) as session:
        batches = [session.batch() for _ in range(8)]
        patches, elapsed = session(0.01)
    assert patches % BATCH == 0 and patches > 0 and elapsed >= 0.01
    seen = []
    for patches, labels in batches:
        assert len(patches) == len(labels) == BATCH and labels.shape == (BATCH,)
        assert np.issubdtype(labels.dtype, np.integer)
        for patch, label in zip(upright(patches), labels, strict=True):
            assert known[patch.tobytes()] == label
            seen.append(patch.tobytes())
    assert len({upright(patches).tobytes() for patches, _ in batches}) == 8
    # 512 patches of about 180 equally likely ones, or of nine images with equal shares.
    assert len(set(seen)) > 60 and set(known[patch] for patch in seen) == {0, 1, 2}


def test_leaves_neither_thread_nor_process_behind(peer, corpus):
    if not pathlib.Path("/proc/self/task").exists():
        pytest.skip("counts threads and processes in /proc, which this system does not have")
    with peer.session(corpus, BATCH, 2) as session:  # A library may keep a pool for the life of the process.
        session.batch()
    python_threads, processes, threads = set(threading.enumerate()), children(), native_threads()
    for _ in range(3):
        with peer.session(corpus, BATCH, 2) as session:
            session.batch()
    assert eventually(lambda: set(threading.enumerate()) <= python_threads)
    assert eventually(lambda: children() <= processes) and not multiprocessing.active_children()
    assert eventually(
        lambda: native_threads() <= threads + 2
    )  # The pool may have grown. A pool three times as large is a leak.


def test_counts_until_the_time_is_over_and_at_least_one_batch():
    batches = iter([(np.zeros((5, 2, 2), np.uint8), np.zeros(5))] * 3)
    assert count(batches, 0)[0] == 5
    assert len(list(batches)) == 2


def test_a_batch_is_a_copy_of_what_the_peer_will_fill_again():
    buffer = np.zeros((1, 2, 2), np.uint8), np.zeros(1, np.int32)
    patches, _ = Session(iter([buffer])).batch()
    buffer[0][:] = 7
    assert (patches == 0).all()


def test_ffcv_without_a_python_of_its_own_says_where_to_read_on(monkeypatch):
    from pipelines.benchmarking.peers import ffcv_process

    monkeypatch.delenv("FFCV_PYTHON", raising=False)
    ffcv_process.missing.cache_clear()
    assert "BUILD.md" in ffcv_process.missing()
    monkeypatch.setenv("FFCV_PYTHON", "/no/such/python")
    ffcv_process.missing.cache_clear()
    assert "/no/such/python" in ffcv_process.missing()
    ffcv_process.missing.cache_clear()


def test_importing_peers_imports_no_heavy_library():
    heavy = {"tensorflow", "torch", "numba", "grain", "nvidia"}
    code = f"import sys, pipelines.benchmarking.peers; print({heavy!r} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
