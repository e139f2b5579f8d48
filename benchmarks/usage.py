"""What a command takes of memory and processors, with all the processes that it starts."""

import contextlib
import dataclasses
import pathlib
import subprocess
import threading
from collections.abc import Iterator, Sequence

import psutil

_EVERY_SECONDS = 0.5


@dataclasses.dataclass
class Taken:
    """By a process and all below it.

    Attributes:
        peak: the most memory that they held at a time, bytes; pages that they share count once (the kernel's PSS).
        processor_seconds: of all cores, while it was watched; the last half second of each process is missed.
    """

    peak: int = 0
    processor_seconds: float = 0.0


class Watch(threading.Thread):
    """Looks at processes twice a second: `taken` has what each took, by process number."""

    def __init__(self, pids: Sequence[int]):
        super().__init__(daemon=True)
        self.taken = {pid: Taken() for pid in pids}
        self._before = {one.pid: _processor_seconds(one) for pid in pids for one in _with_descendants(pid)}
        self._latest: dict[int, dict[int, float]] = {pid: {} for pid in pids}
        self._end = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._end.wait(_EVERY_SECONDS):
            for pid in self.taken:
                self._look(pid)

    def stop(self) -> None:
        """Ends the watching."""
        self._end.set()
        self.join()

    def _look(self, pid: int) -> None:
        held, latest = 0, self._latest[pid]
        for one in _with_descendants(pid):
            with contextlib.suppress(psutil.Error):
                latest[one.pid] = _processor_seconds(one) - self._before.get(one.pid, 0)
                held += one.memory_full_info().pss
        self.taken[pid] = Taken(max(self.taken[pid].peak, held), sum(latest.values()))


def run(command: Sequence[str], log: pathlib.Path, others: Sequence[int] = ()) -> tuple[Taken, Taken]:
    """Runs a command, its output into a file; returns what it took, and what others did, processes by number.

    Raises:
        CalledProcessError: it failed.
    """
    with open(log, "wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        watch = Watch([process.pid, *others])
        status = process.wait()
        watch.stop()
    if status:
        raise subprocess.CalledProcessError(status, command, log.read_bytes())
    own, *rest = watch.taken.values()
    return own, Taken(sum(one.peak for one in rest), sum(one.processor_seconds for one in rest))


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
