"""Memory: how much a process may still take and took, from /proc and cgroups, and the batch size that fits."""

import contextlib
import pathlib
import sys
from collections.abc import Iterator

# Share of the memory left: other threads and processes of the machine call models as well, and write copies.
_SHARE = 0.25
# Pictures of the first call, before a measurement.
_FEW = 2
# Least bytes a pixel of the working size: input and output, where the process already has the memory for the rest.
_LEAST = 16
# Controllers of a line of /proc/self/cgroup -> folder of that control group below /sys/fs/cgroup; limit, usage, and the
# part of the usage that the kernel gives back at once: files read from disk. In bytes; version 1 and version 2.
_CONTROL_GROUPS = {
    "memory": ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    "": ("", "memory.max", "memory.current", "inactive_file"),
}


class Room:
    """Limits batches by the memory that is left, once a call has measured what a pixel takes beyond the process's own.

    The kernel's peak counts all that the process did meanwhile, and the first call's own set-up, so the result is
    rather too high than too low.
    """

    def __init__(self) -> None:
        self._bytes_a_pixel = 0.0

    def holds(self, pixels: int) -> int:
        """Returns how many pictures of `pixels` px the model may get at once: at least one."""
        left = available()
        if left is None or not held():
            return sys.maxsize
        if not self._bytes_a_pixel:
            return _FEW
        return max(1, int(_SHARE * left / (self._bytes_a_pixel * pixels)))

    @contextlib.contextmanager
    def measured(self, pixels: int) -> Iterator[None]:
        """Measures the memory of the first call, for pictures of `pixels` px together."""
        if self._bytes_a_pixel:
            yield
            return
        forget_peak()
        before = held()
        yield
        self._bytes_a_pixel = max(_LEAST, (peak() - before) / pixels)


def available(root: pathlib.Path = pathlib.Path("/")) -> int | None:
    """Returns how many bytes the machine and each control group around this process leave; None if unknown.

    Args:
        root: the folder of /proc and /sys.
    """
    found = [*_left_by_machine(root), *_left_by_groups(root)]
    return max(0, min(found)) if found else None


def forget_peak() -> None:
    """Resets the kernel's `peak` to the memory held now."""
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/self/clear_refs").write_text("5")


def held() -> int:
    """Returns the bytes that this process holds, 0 if unknown."""
    return _numbers(pathlib.Path("/proc/self/status")).get("VmRSS:", 0) << 10


def peak(process: int | str = "self") -> int:
    """Returns the most bytes that a process held at a time, this one by default; 0 if unknown."""
    return _numbers(pathlib.Path(f"/proc/{process}/status")).get("VmHWM:", 0) << 10


def _left_by_machine(root: pathlib.Path) -> Iterator[int]:
    kilobytes = _numbers(root / "proc/meminfo").get("MemAvailable:")
    if kilobytes is not None:
        yield kilobytes << 10


def _left_by_groups(root: pathlib.Path) -> Iterator[int]:
    """Reads a group and all above it. If a container does not see its own group, the topmost one is the container's."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in _CONTROL_GROUPS:
            mount, *names = _CONTROL_GROUPS[controllers]
            top = root / "sys/fs/cgroup" / mount
            group = pathlib.PurePosixPath(path.lstrip("/"))
            for folder in (group, *group.parents):
                yield from _left_by_group(top / folder, *names)


def _left_by_group(folder: pathlib.Path, limit: str, usage: str, given_back: str) -> Iterator[int]:
    most, taken = _text(folder / limit).strip(), _text(folder / usage).strip()
    if most.isdigit() and taken.isdigit():
        yield int(most) - int(taken) + _numbers(folder / "memory.stat").get(given_back, 0)


def _numbers(path: pathlib.Path) -> dict[str, int]:
    """Reads lines of a name and a number; skips others."""
    lines = (line.split() for line in _text(path).splitlines())
    return {line[0]: int(line[1]) for line in lines if len(line) > 1 and line[1].isdigit()}


def _text(path: pathlib.Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text()
    return ""
