"""Limits of one input: time, memory of every process, and files outside the folders that are meant for output."""

import contextlib
import os
import pathlib
import resource
import signal
from collections.abc import Iterable, Iterator

_MB = 1 << 20


class TooLateError(BaseException):
    """An input took longer than the limit. No Exception, so that no handler of the tested code catches it."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises TooLateError in the main thread after some seconds, also within native calls that wait."""

    def stop(_number: int, _frame: object) -> None:
        raise TooLateError(f"more than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def limit_own_memory(more_bytes: int) -> None:
    """Lets the address space of this process grow by so much: beyond, a MemoryError, not a machine without memory."""
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more_bytes, hard))


def reset_peaks(pids: Iterable[int]) -> None:
    """Makes `peak_bytes` count from now on. Source: proc(5), clear_refs."""
    for pid in pids:
        with contextlib.suppress(OSError):
            pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_bytes(pid: int) -> int:
    """Returns the peak resident memory of a process; 0 if it has ended."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError):
        return 0


def files_below(folder: pathlib.Path, but: Iterable[pathlib.Path] = ()) -> frozenset[tuple[str, int]]:
    """Returns path and size of all files and links below a folder, without those below some others."""
    left_out = {os.fspath(path) for path in but}
    found = set()
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if os.path.join(parent, name) not in left_out]
        for name in names:
            path = os.path.join(parent, name)
            found.add((path, os.lstat(path).st_size))
    return frozenset(found)
