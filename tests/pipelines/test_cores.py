"""pipelines/system/cores.py: how many cores and how much memory this process may use."""

import os

import psutil
import pytest

from pipelines.system import cores
from pipelines.system.cores import calls_at_once, usable_cores, usable_memory


@pytest.fixture(autouse=True)
def cgroups(tmp_path, monkeypatch):
    """A function that writes files of control groups, and the line of /proc/self/cgroup. Without a call there are none."""
    monkeypatch.setattr(cores, "_CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(cores, "_OWN_CGROUPS", tmp_path / "own")

    def write(own, files):
        (tmp_path / "own").write_text(own)
        for name, text in files.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return write


@pytest.fixture
def eight_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no affinity")
def test_only_those_that_the_process_may_run_on():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_all_where_the_system_does_not_tell(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert usable_cores() == os.cpu_count()


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "max 100000\n"}, 8),
        ("0::/\n", {"cpu.max": "400000 100000\n"}, 4),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "10000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "6400000 100000\n"}, 8),  # More than there are.
        # A group has no more than the groups that contain it.
        ("0::/pod/box\n", {"pod/box/cpu.max": "max 100000", "pod/cpu.max": "300000 100000"}, 3),
        # The group of the host, which a container does not see.
        ("0::/docker/0123\n", {"cpu.max": "200000 100000\n"}, 2),
        # Version 1.
        ("5:cpu,cpuacct:/\n", {"cpu,cpuacct/cpu.cfs_quota_us": "-1\n"}, 8),
        (
            "9:memory:/a\n4:cpu:/b\n0::/\n",
            {"cpu/b/cpu.cfs_quota_us": "250000\n", "cpu/b/cpu.cfs_period_us": "50000\n"},
            5,
        ),
    ],
)
def test_the_time_that_a_container_has(cgroups, eight_cores, own, files, expected):
    cgroups(own, files)
    assert usable_cores() == expected


def test_the_memory_that_a_container_has(cgroups):
    assert usable_memory() == psutil.virtual_memory().total
    cgroups("0::/box\n", {"box/memory.max": "max", "memory.max": "1000000"})
    assert usable_memory() == 1_000_000
    cgroups("4:memory:/box\n", {"memory/box/memory.limit_in_bytes": "500000"})
    assert usable_memory() == 500_000


def test_a_call_for_each_core_as_long_as_batches_fit_into_memory(eight_cores, monkeypatch):
    monkeypatch.setattr(cores, "usable_memory", lambda: 2**36)
    assert calls_at_once(256 * 113 * 113) == 8
    assert calls_at_once(2**26) == 6  # With two that lie ready: 512 MB.
    assert calls_at_once(2**40) == 1
    monkeypatch.setattr(cores, "usable_memory", lambda: 2**30)
    assert calls_at_once(2**23) == 6  # 64 MB, of 1 GB.
