"""The kernel's files as they are in a container of either kind, and those of this machine."""

import pathlib

import numpy as np
import pytest

from serving.inference import memory

MEMINFO = "MemTotal:       8000000 kB\nMemAvailable:   4000000 kB\n"
STAT = "cache 5\n{} 1000\n"


def lay(root: pathlib.Path, **texts: str) -> pathlib.Path:
    for name, text in texts.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def group(folder: str, version: int, limit: str, usage: int) -> dict[str, str]:
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    if version == 2:
        names = ("memory.max", "memory.current", "inactive_file")
    values = (limit, str(usage), STAT.format(names[2]))
    return {f"{folder}__{name}": value for name, value in zip((*names[:2], "memory.stat"), values, strict=True)}


def test_without_groups_it_is_what_the_machine_has(tmp_path):
    assert memory.available(lay(tmp_path, proc__meminfo=MEMINFO)) == 4000000 * 1024


@pytest.mark.parametrize(
    ("version", "line", "mount"), [(1, "4:memory:", "sys__fs__cgroup__memory"), (2, "0::", "sys__fs__cgroup")]
)
def test_what_a_group_or_one_above_it_leaves_counts_if_it_is_less(tmp_path, version, line, mount):
    root = lay(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup=f"9:pids:/x\n{line}/a/b\n")
    lay(root, **group(mount, version, "max", 10))
    lay(root, **group(f"{mount}__a", version, "500000", 200000))
    assert memory.available(root) == 500000 - 200000 + 1000  # what was read from disk is given back
    lay(root, **group(f"{mount}__a__b", version, "90000", 20000))
    assert memory.available(root) == 90000 - 20000 + 1000
    lay(root, **group(f"{mount}__a__b", version, "90000", 95000))
    assert memory.available(root) == 0


def test_a_container_that_does_not_see_its_own_group_looks_at_the_topmost(tmp_path):
    root = lay(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup="0::/kubepods/of-the-host\n")
    lay(root, **group("sys__fs__cgroup", 2, "70000", 20000))
    assert memory.available(root) == 51000


def test_nobody_tells(tmp_path):
    assert memory.available(tmp_path) is None


def test_the_peak_is_that_since_it_was_forgotten():
    if not memory.held():
        pytest.skip("this system has no /proc/self/status")
    np.ones(200_000_000, np.uint8)
    memory.forget_peak()
    before = memory.held()
    assert memory.peak() - before < 50_000_000
    np.ones(100_000_000, np.uint8)
    assert 90_000_000 < memory.peak() - before < 150_000_000
    assert memory.held() - before < 50_000_000
