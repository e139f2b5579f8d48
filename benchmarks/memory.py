"""How much memory a command takes, with all the processes that it starts."""

import contextlib
import pathlib
import subprocess
import threading
from collections.abc import Iterable, Sequence

import psutil

_EVERY_SECONDS = 0.5


class Peaks(threading.Thread):
    """Watches processes, each with all below it: `peaks` has the most that each had at a time, bytes.

    Shared pages count once (the kernel's PSS).
    """

    def __init__(self, pids: Iterable[int]):
        super().__init__(daemon=True)
        self.peaks = dict.fromkeys(pids, 0)
        self._end = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._end.wait(_EVERY_SECONDS):
            for pid, peak in self.peaks.items():
                self.peaks[pid] = max(peak, _held(pid))

    def stop(self) -> None:
        """Ends the watching."""
        self._end.set()
        self.join()


def run(command: Sequence[str], log: pathlib.Path, others: Sequence[int] = ()) -> tuple[int, int]:
    """Runs a command, its output into a file; returns its own peak and that of others, processes by number; bytes.

    Raises:
        CalledProcessError: it failed.
    """
    with open(log, "wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        watch = Peaks([process.pid, *others])
        status = process.wait()
        watch.stop()
    if status:
        raise subprocess.CalledProcessError(status, command, log.read_bytes())
    own, *rest = watch.peaks.values()
    return own, sum(rest)


def _held(pid: int) -> int:
    held = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                held += one.memory_full_info().pss
    return held
