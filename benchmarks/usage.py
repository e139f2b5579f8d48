"""Memory and processor time of a command, including all processes that it starts."""

import contextlib
import dataclasses
import pathlib
import subprocess
import threading
from collections.abc import Iterator, Sequence

import psutil

_EVERY_SECONDS = 0.5


@dataclasses.dataclass
class Usage:
    """Resources used by a process and its descendants.

    Attributes:
        peak: maximum of their total memory, bytes; shared pages count once (the kernel's PSS).
        processor_seconds: sum over all cores, while watched; the last half second of each process is missed.
    """

    peak: int = 0
    processor_seconds: float = 0.0


class Watch(threading.Thread):
    """Samples processes twice a second; `used` has the usage of each, by process number."""

    def __init__(self, pids: Sequence[int]):
        super().__init__(daemon=True)
        self.used = {pid: Usage() for pid in pids}
        self._before = {one.pid: _processor_seconds(one) for pid in pids for one in _with_descendants(pid)}
        self._latest: dict[int, dict[int, float]] = {pid: {} for pid in pids}
        self._end = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._end.wait(_EVERY_SECONDS):
            for pid in self.used:
                self._look(pid)

    def stop(self) -> None:
        """Stops the sampling."""
        self._end.set()
        self.join()

    def _look(self, pid: int) -> None:
        held, latest = 0, self._latest[pid]
        for one in _with_descendants(pid):
            with contextlib.suppress(psutil.Error):
                latest[one.pid] = _processor_seconds(one) - self._before.get(one.pid, 0)
                held += one.memory_full_info().pss
        self.used[pid] = Usage(max(self.used[pid].peak, held), sum(latest.values()))


def run(command: Sequence[str], log: pathlib.Path, others: Sequence[int] = ()) -> tuple[Usage, Usage]:
    """Runs a command with its output in a file; returns its usage, and that of other processes, given by number.

    Raises:
        CalledProcessError: it failed.
    """
    with open(log, "wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        watch = Watch([process.pid, *others])
        status = process.wait()
        watch.stop()
    if status:
        raise subprocess.CalledProcessError(status, command, log.read_bytes())
    own, *rest = watch.used.values()
    return own, Usage(sum(one.peak for one in rest), sum(one.processor_seconds for one in rest))


def _with_descendants(pid: int) -> Iterator[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        yield process
        yield from process.children(recursive=True)


def _processor_seconds(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        times = process.cpu_times()
        return times.user + times.system
    return 0.0
