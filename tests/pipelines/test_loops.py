"""pipelines/loops.py: the batches in other libraries, and iterators that are killed and go on."""

import hashlib
import importlib.util
import os
import pathlib
import pickle
import re
import signal
import time

import numpy as np
import pytest
import tensorflow as tf
from forks import Fork

from pipelines.loops import Batches, jax_arrays, numpy_arrays, torch_dataset, torch_tensors
from pipelines.patch_order import Sampling
from pipelines.patches import patches

SAMPLING = Sampling(patch_width=3, batch_size=4, seed=5)
ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def strips(make_strips):
    return make_strips([5, 3, 9, 6, 40, 4], [1, 2, 0, 1, 0, 1])


def expected(strips, steps, first=0):
    return list(patches(strips, SAMPLING, first_step=first).take(steps).as_numpy_iterator())


def same(left, right):
    return len(left) == len(right) and all(
        np.array_equal(a, b)
        for one, other in zip(left, right, strict=True)
        for a, b in zip(one, other, strict=True)
    )


def needs(*modules):
    for module in modules:
        pytest.importorskip(module, reason=f"{module} is not installed: pip install '.[loops]'")


@pytest.mark.slow
@pytest.mark.parametrize("convert", [numpy_arrays, jax_arrays, torch_tensors, tf.identity])
def test_the_batches_of_patches_in_the_arrays_of_each_library(strips, convert):
    needs(*{jax_arrays: ["jax"], torch_tensors: ["torch"]}.get(convert, []))
    batches = Batches(strips, SAMPLING, convert=convert)
    found = [next(batches) for _ in range(20)]
    kind = {numpy_arrays: "ndarray", torch_tensors: "Tensor", tf.identity: "EagerTensor"}
    assert type(found[0][0]).__name__ == kind.get(convert, "ArrayImpl")
    assert same([tuple(map(np.asarray, batch)) for batch in found], expected(strips, 20))
    assert batches.step == 20


@pytest.mark.parametrize("convert", [numpy_arrays, jax_arrays, torch_tensors])
def test_arrays_have_the_memory_of_the_tensor_and_keep_it(convert):
    needs(*{jax_arrays: ["jax"], torch_tensors: ["torch"]}.get(convert, []))
    tensor = tf.reshape(tf.range(4096), (64, 64)) + 0
    address = np.asarray(memoryview(tensor)).ctypes.data
    array = convert(tensor)
    del tensor
    others = [
        tf.zeros((64, 64), tf.int32) for _ in range(8)
    ]  # They would be given the memory if it were free.
    assert np.asarray(array).ctypes.data == address
    assert np.array_equal(np.asarray(array).ravel(), np.arange(4096))
    assert len(others) == 8


@pytest.mark.slow
def test_any_step_can_come_next(strips):
    batches = Batches(strips, SAMPLING)
    for step in (7, 0, 31):
        batches.step = step
        assert same([next(batches) for _ in range(3)], expected(strips, 3, step))
    with pytest.raises(ValueError, match="first_step must be at least 0"):
        batches.step = -1
    assert batches.step == 34


@pytest.mark.slow
def test_a_state_is_the_number_of_the_next_step(strips):
    batches = Batches(strips, SAMPLING)
    for _ in range(5):
        next(batches)
    assert batches.state_dict()["step"] == 5
    for save, load in (("get_state", "set_state"), ("state_dict", "load_state_dict")):
        other = Batches(strips, SAMPLING)
        getattr(other, load)(getattr(batches, save)())
        assert same([next(other)], expected(strips, 1, 5))


def test_a_state_of_another_order_is_refused(strips):
    state = Batches(strips, SAMPLING).state_dict()
    other = Batches(strips, Sampling(patch_width=3, batch_size=2, seed=6))
    with pytest.raises(ValueError, match=r"seed was 5, now 6, batch_size was 4, now 2\. Use the strips"):
        other.load_state_dict(state)


@pytest.mark.slow
def test_a_share_may_change_at_a_restart(strips):
    whole = Batches(strips, SAMPLING)
    next(whole)
    halves = [Batches(strips, Sampling(patch_width=3, batch_size=4, seed=5, share=(k, 2))) for k in range(2)]
    for half in halves:
        half.load_state_dict(whole.state_dict())
    (images, _), parts = next(whole), [next(half)[0] for half in halves]
    assert np.array_equal(images, np.concatenate(parts))


@pytest.mark.slow
def test_workers_of_a_torch_loader_are_refused(strips):
    needs("torch")
    from torch.utils.data import DataLoader

    dataset = torch_dataset(strips, SAMPLING)
    loader = DataLoader(dataset, batch_size=None)
    assert same(
        [tuple(map(np.asarray, batch)) for batch, _ in zip(loader, range(3), strict=False)],
        expected(strips, 3),
    )
    workers = DataLoader(dataset, batch_size=None, num_workers=1, multiprocessing_context="fork")
    with pytest.raises(RuntimeError, match="Set num_workers=0"):
        next(iter(workers))


# What a life of a program does in each dialect. It has `strips`, `sampling` and `folder`. It defines `batches`,
# `restore`, which is called if `folder` is not empty, and `save`, which is called after some batches.
NUMPY = """
batches = Batches(strips, sampling)
state = folder / "step"
restore = lambda: setattr(batches, "step", int(state.read_text()))
def save():
    (folder / "new").write_text(str(batches.step))
    (folder / "new").replace(state)
"""
JAX_ORBAX = """
import orbax.checkpoint as ocp
batches = Batches(strips, sampling, convert=jax_arrays)
manager = ocp.CheckpointManager(folder.absolute(), options=ocp.CheckpointManagerOptions(max_to_keep=2))
def restore():
    kept = manager.restore(manager.latest_step(), args=ocp.args.Composite(input=ocp.args.JsonRestore()))
    batches.load_state_dict(kept["input"])
def save():
    manager.save(batches.step, args=ocp.args.Composite(input=ocp.args.JsonSave(batches.state_dict())))
    manager.wait_until_finished()
"""
GRAIN_ORBAX = """
import grain
import orbax.checkpoint as ocp
from absl import flags
flags.FLAGS.mark_as_parsed()
batches = Batches(strips, sampling)
manager = ocp.CheckpointManager(folder.absolute(), options=ocp.CheckpointManagerOptions(max_to_keep=2))
def restore():
    args = ocp.args.Composite(input=grain.checkpoint.CheckpointRestore(batches))
    manager.restore(manager.latest_step(), args=args)
def save():
    manager.save(batches.step, args=ocp.args.Composite(input=grain.checkpoint.CheckpointSave(batches)))
    manager.wait_until_finished()
"""
TORCHDATA = """
import torch
from torchdata.stateful_dataloader import StatefulDataLoader
batches = loader = StatefulDataLoader(torch_dataset(strips, sampling), batch_size=None)
state = folder / "state.pt"
restore = lambda: loader.load_state_dict(torch.load(state))
def save():
    torch.save(loader.state_dict(), folder / "new")
    (folder / "new").replace(state)
"""
TENSORFLOW = """
batches = Batches(strips, sampling, convert=tf.identity)
manager = tf.train.CheckpointManager(tf.train.Checkpoint(batches=batches), str(folder), max_to_keep=2)
restore = lambda: manager.restore_or_initialize()
save = manager.save
"""
DIALECTS = {
    "numpy": (NUMPY, []),
    "jax_orbax": (JAX_ORBAX, ["jax", "orbax.checkpoint"]),
    "grain_orbax": (GRAIN_ORBAX, ["grain", "orbax.checkpoint"]),
    "torchdata": (TORCHDATA, ["torch", "torchdata.stateful_dataloader"]),
    "tensorflow": (TENSORFLOW, []),
}

LIFE = """
import hashlib, pathlib, pickle, sys
import numpy as np
import tensorflow as tf
from pipelines.loops import Batches, jax_arrays, torch_dataset
from pipelines.patch_order import Sampling
folder, number = pathlib.Path(sys.argv[1]), int(sys.argv[2])
strips, sampling = pickle.loads((folder.parent / "strips.pickle").read_bytes())
%s
if any(folder.iterdir()):
    restore()
for count, (images, labels) in enumerate(batches, 1):
    seen = hashlib.sha256(np.asarray(images).tobytes() + np.asarray(labels).tobytes())
    print(seen.hexdigest(), flush=True)
    if count %% 3 == 0:
        save()
        print("saved", flush=True)
    if count == number:
        break
"""


@pytest.mark.slow
@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_tail_after_a_kill_is_the_tail_without_it(strips, tmp_path, dialect):
    code, modules = DIALECTS[dialect]
    for module in modules:
        if not importlib.util.find_spec(module.partition(".")[0]):
            pytest.skip(f"{module} is not installed: pip install '.[loops]'")
    (tmp_path / "strips.pickle").write_bytes(pickle.dumps((strips, SAMPLING)))
    folder = tmp_path / "state"
    folder.mkdir()
    digests = [
        hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
        for images, labels in expected(strips, 3000)
    ]
    at = 0
    for life, number in enumerate((10**9, 10**9, 12)):
        process = Fork(LIFE % code, folder, number)
        if life < 2:
            deadline = time.monotonic() + 200
            while process.said().count("saved") < 3 and process.is_alive() and time.monotonic() < deadline:
                time.sleep(0.02)
            assert process.said().count("saved") >= 3, process.said("stderr")
            os.kill(process.pid, signal.SIGKILL)
        done = process.wait()
        assert done.returncode == (0 if life == 2 else -signal.SIGKILL), done.stderr
        said = re.findall(r"^\w{64}$|^saved$", done.stdout, re.M)
        seen = [line for line in said if line != "saved"]
        if life:  # It began where the last life saved, or at the state that was complete when it was killed.
            began = digests.index(seen[0])
            assert began in (at, at + 3)
            at = began
        assert seen == digests[at : at + len(seen)]
        at += 3 * said.count("saved")


@pytest.mark.slow
@pytest.mark.parametrize("number", range(5))
def test_the_code_of_the_page_runs(strips, tmp_path, monkeypatch, number):
    text = (ROOT / "docs/other_loops.md").read_text()
    codes = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len(codes) == 5 and all(len(code.splitlines()) <= 12 for code in codes)
    code = codes[number]
    for module in ("jax", "orbax", "grain", "torch", "torchdata"):
        if re.search(rf"(import|from)[^\n]* {module}\b", code) and not importlib.util.find_spec(module):
            pytest.skip(f"{module} is not installed: pip install '.[loops]'")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "strips.pickle").write_bytes(pickle.dumps((strips, SAMPLING)))
    before = (
        "import pickle\n"
        "from absl import flags\n"
        "flags.FLAGS.mark_as_parsed()\n"
        "strips, _ = pickle.loads(open('strips.pickle', 'rb').read())\n"
        "def train_step(images, labels):\n    seen.append((images, labels))\n"
        "seen, number_of_steps = [], 7\n"
    )
    short = code.replace("patch_width=113", "patch_width=3").replace("batch_size=256", "batch_size=4")
    done = Fork(f"import os\nos.chdir({str(tmp_path)!r})\n" + before + short + "\nprint(len(seen))").wait()
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "7"
