"""Progress of a job on any runner: each worker process leaves a small file with its counts, the launcher adds them up.

Beam shows no counters before a job ends on the local runner. These are for display alone; the results are counted
from the rows that the job writes.
"""

import contextlib
import json
import logging
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import ClassVar

from photochrom.storage import files

# Counts: inputs found, inputs compared with others for copies, inputs finished.
_NAMES = ("listed", "compared", "done")
_STEPS = {"compared": ", looking for copies", "done": ""}
_WRITE_SECONDS = 1.0
_LOG_SECONDS = 20.0
_log = logging.getLogger("photochrom")


class Tally:
    """The counts of this process, written to `folder` at most once a second. Thread-safe.

    A thread of its own writes, so that the others do not wait for a bucket's answer.
    """

    _lock = threading.Lock()
    _counts: ClassVar[dict[str, dict[str, int]]] = {}
    _written: ClassVar[dict[str, float]] = {}
    _writing = threading.Thread()

    @classmethod
    def add(cls, folder: str, name: str, count: int = 1) -> None:
        """Adds to the count `name` (`listed`, `compared` or `done`) of the job whose progress folder this is."""
        with cls._lock:
            counts = cls._counts.setdefault(folder, dict.fromkeys(_NAMES, 0))
            counts[name] += count
            now = time.monotonic()
            if now - cls._written.get(folder, 0) < _WRITE_SECONDS or cls._writing.is_alive():
                return
            cls._written[folder] = now
            cls._writing = threading.Thread(target=_write, args=(folder, json.dumps(counts).encode()), daemon=True)
            cls._writing.start()

    @classmethod
    def settle(cls) -> None:
        """Waits until a write in progress has ended."""
        with contextlib.suppress(RuntimeError):  # it was never started
            cls._writing.join()


def _write(folder: str, counts: bytes) -> None:
    with contextlib.suppress(Exception):  # a missing progress bar does not fail the job
        files.write_bytes(files.join(folder, f"{socket.gethostname()}-{os.getpid()}.json"), counts)


def read(folder: str) -> dict[str, int]:
    """Returns how many inputs have been listed, compared and finished so far, over all workers."""
    total = dict.fromkeys(_NAMES, 0)
    with contextlib.suppress(Exception):
        for info in files.list_folder(folder):
            counts = json.loads(files.read_bytes(info.path))
            total = {name: total[name] + counts.get(name, 0) for name in total}
    return total


@contextlib.contextmanager
def shown(folder: str, title: str) -> Iterator[None]:
    """Shows progress, rate and time left while the body runs: a bar on a terminal, a line now and then in a log."""
    stop = threading.Event()
    show = _show_bar if sys.stderr.isatty() else _show_lines
    thread = threading.Thread(target=show, args=(folder, title, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        Tally.settle()
        parent, _, name = folder.rpartition("/")
        files.clear(parent, [name])


@contextlib.contextmanager
def counted(title: str, total: int) -> Iterator[Callable[[], None]]:
    """Shows the progress of work in this process; gives a function to call for each finished item."""
    with tempfile.TemporaryDirectory() as folder:
        Tally.add(folder, "listed", total)
        with shown(folder, title):
            yield lambda: Tally.add(folder, "done")


def _show_bar(folder: str, title: str, stop: threading.Event) -> None:
    from rich import progress as rich_progress
    from rich.console import Console

    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TextColumn("{task.fields[rate]}"),
        rich_progress.TimeElapsedColumn(),
        rich_progress.TextColumn("left"),
        rich_progress.TimeRemainingColumn(),
    )
    with rich_progress.Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # output to a file stays there
    ) as bar:
        task = bar.add_task(title, total=None, rate="")
        for step, listed, done, rate in _polled(folder, stop):
            bar.update(task, description=title + step, completed=done, total=listed or None, rate=f"{rate:.1f}/s")


def _show_lines(folder: str, title: str, stop: threading.Event) -> None:
    logged = time.monotonic()
    for step, listed, done, rate in _polled(folder, stop):
        if time.monotonic() - logged >= _LOG_SECONDS:
            logged = time.monotonic()
            left = f", {(listed - done) / rate:.0f} s left" if rate else ""
            _log.info("%s: %d of %d, %.1f/s%s", title + step, done, listed, rate, left)


def _polled(folder: str, stop: threading.Event) -> Iterator[tuple[str, int, int, float]]:
    """Yields (step, listed, done in it, done a second since its first was) every second until `stop` is set.

    A job may look for copies before its main work: then that is a step of its own.
    """
    first: dict[str, tuple[float, int]] = {}
    while not stop.wait(_WRITE_SECONDS):
        counts = read(folder)
        name = "compared" if counts["compared"] and not counts["done"] else "done"
        done = counts[name]
        if done:
            first.setdefault(name, (time.monotonic(), done))
        began, had = first.get(name, (0.0, 0))
        seconds = time.monotonic() - began if name in first else 0.0
        yield _STEPS[name], max(counts["listed"], done), done, (done - had) / seconds if seconds else 0.0
