"""How much memory a process may still take, and how much it took, by Linux's own files."""

import contextlib
import pathlib
from collections.abc import Iterator

# Controllers of a line of /proc/self/cgroup -> folder of that control group below /sys/fs/cgroup; limit, what is taken,
# and which of it the kernel gives back at once: files read from disk. In bytes; version 1 and version 2.
_CONTROL_GROUPS = {
    "memory": ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    "": ("", "memory.max", "memory.current", "inactive_file"),
}


def available(root: pathlib.Path = pathlib.Path("/")) -> int | None:
    """Returns how many bytes the machine, and each control group around this process, leave; None where none tells.

    Args:
        root: where /proc and /sys are.
    """
    found = [*_left_by_machine(root), *_left_by_groups(root)]
    return max(0, min(found)) if found else None


def forget_peak() -> None:
    """Has the kernel measure `peak` anew, from what is held now."""
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/self/clear_refs").write_text("5")


def held() -> int:
    """Returns the bytes that this process holds, 0 where nobody tells."""
    return _numbers(pathlib.Path("/proc/self/status")).get("VmRSS:", 0) << 10


def peak() -> int:
    """Returns the most bytes that this process held at a time, 0 where nobody tells."""
    return _numbers(pathlib.Path("/proc/self/status")).get("VmHWM:", 0) << 10


def _left_by_machine(root: pathlib.Path) -> Iterator[int]:
    kilobytes = _numbers(root / "proc/meminfo").get("MemAvailable:")
    if kilobytes is not None:
        yield kilobytes << 10


def _left_by_groups(root: pathlib.Path) -> Iterator[int]:
    """Looks at a group and all above it. A container may not see its own: then the topmost one is the container's."""
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
    """Reads lines of a name and a number; others are passed over."""
    lines = (line.split() for line in _text(path).splitlines())
    return {line[0]: int(line[1]) for line in lines if len(line) > 1 and line[1].isdigit()}


def _text(path: pathlib.Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text()
    return ""
