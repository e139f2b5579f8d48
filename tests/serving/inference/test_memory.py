"""The kernel's files in containers of either version, those of this machine, and the batch size that fits."""

import pathlib
import subprocess
import sys

import pytest

from serving.inference import memory

MEMINFO = "MemTotal:       8000000 kB\nMemAvailable:   4000000 kB\n"
STAT = "cache 5\n{} 1000\n"


def write(root: pathlib.Path, **texts: str) -> pathlib.Path:
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


def test_available_is_the_machines_without_groups(tmp_path):
    assert memory.available(write(tmp_path, proc__meminfo=MEMINFO)) == 4000000 * 1024


@pytest.mark.parametrize(
    ("version", "line", "mount"), [(1, "4:memory:", "sys__fs__cgroup__memory"), (2, "0::", "sys__fs__cgroup")]
)
def test_available_is_the_least_of_all_groups(tmp_path, version, line, mount):
    root = write(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup=f"9:pids:/x\n{line}/a/b\n")
    write(root, **group(mount, version, "max", 10))
    write(root, **group(f"{mount}__a", version, "500000", 200000))
    assert memory.available(root) == 500000 - 200000 + 1000  # files read from disk are given back
    write(root, **group(f"{mount}__a__b", version, "90000", 20000))
    assert memory.available(root) == 90000 - 20000 + 1000
    write(root, **group(f"{mount}__a__b", version, "90000", 95000))
    assert memory.available(root) == 0


def test_available_in_a_container_without_its_group(tmp_path):
    root = write(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup="0::/kubepods/of-the-host\n")
    write(root, **group("sys__fs__cgroup", 2, "70000", 20000))
    assert memory.available(root) == 51000


def test_available_is_none_if_unknown(tmp_path):
    assert memory.available(tmp_path) is None


def test_peak_counts_from_its_reset():
    if not memory.held():
        pytest.skip("this system has no /proc/self/status")
    program = (  # a process of its own: no other thread frees memory meanwhile
        "import numpy as np\nfrom serving.inference import memory\n"
        "np.ones(200_000_000, np.uint8)\nmemory.forget_peak()\nbefore = memory.held()\n"
        "print(memory.peak() - before)\nnp.ones(100_000_000, np.uint8)\n"
        "print(memory.peak() - before)\nprint(memory.held() - before)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    at_reset, with_array, left = map(int, done.stdout.split())
    assert max(at_reset, left) < 50_000_000
    assert 90_000_000 < with_array < 150_000_000


@pytest.mark.parametrize(
    ("left", "bytes_a_pixel", "expected"),
    [
        (None, 16, sys.maxsize),  # no Linux
        (10**9, 0, 2),  # before the first call
        (4 * 16 * 1000 * 5, 16, 5),  # a quarter of the memory left
        (0, 16, 1),
    ],
)
def test_room_is_a_quarter_of_the_memory_left(monkeypatch, left, bytes_a_pixel, expected):
    monkeypatch.setattr(memory, "available", lambda: left)
    monkeypatch.setattr(memory, "held", lambda: 10**9)
    room = memory.Room()
    room._bytes_a_pixel = bytes_a_pixel
    assert room.holds(1000) == expected


def test_room_measures_the_first_call_alone(monkeypatch):
    monkeypatch.setattr(memory, "forget_peak", lambda: None)
    monkeypatch.setattr(memory, "held", lambda: 1000)
    monkeypatch.setattr(memory, "available", lambda: 4 * 10_000)
    room = memory.Room()
    for peak in (51_000, 10**9):
        monkeypatch.setattr(memory, "peak", lambda peak=peak: peak)
        with room.measured(1000):
            pass
    assert room.holds(20) == 10  # at 50 bytes a pixel
