"""Progress of a job on any runner: each worker process leaves a small file with its counts, the launcher adds them up.

Beam shows no counters before a job ends on the local runner. These are for display alone; the results are counted
from the rows that the job writes.
"""

import collections
import contextlib
import dataclasses
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

# Counts: inputs that a listing has found of which a part is taken, inputs of the job, inputs compared with others for
# copies, inputs finished, inputs finished that failed. Any other count is that of the workers in a stage of that name.
FOUND, LISTED, COMPARED, DONE, FAILED = "found", "listed", "compared", "done", "failed"
LISTING = "listing"
_NAMES = (FOUND, LISTED, COMPARED, DONE, FAILED)
_WRITE_SECONDS = 1.0
_LOG_SECONDS = 20.0
# Over which a rate is measured: kept rows, which take no time, soon no longer count.
_RATE_SECONDS = 60.0
_log = logging.getLogger("photochrom")


class Tally:
    """The counts of this process, written within a second after they have changed, at most once a second. Thread-safe.

    A thread of its own writes, so that the others do not wait for a bucket's answer; it ends when nothing changes.
    """

    _lock = threading.Lock()  # of the counts
    _writing = threading.Lock()  # of the files
    _counts: ClassVar[dict[str, collections.Counter[str]]] = {}
    _changed: ClassVar[set[str]] = set()
    _writer: ClassVar[threading.Thread | None] = None

    @classmethod
    def add(cls, folder: str, name: str, count: int = 1) -> None:
        """Adds to the count `name` (`listed`, `done`, ... or a stage) of the job whose progress folder this is."""
        with cls._lock:
            cls._counts.setdefault(folder, collections.Counter())[name] += count
            cls._changed.add(folder)
            if cls._writer is None:
                cls._writer = threading.Thread(target=cls._write_changes, daemon=True)
                cls._writer.start()

    @classmethod
    def close(cls, folder: str) -> None:
        """Forgets the counts of a folder, once a write in progress has ended."""
        with cls._writing, cls._lock:
            cls._counts.pop(folder, None)
            cls._changed.discard(folder)

    @classmethod
    def _write_changes(cls) -> None:
        while True:
            with cls._writing:
                with cls._lock:
                    changed = {folder: json.dumps(cls._counts[folder]).encode() for folder in cls._changed}
                    cls._changed.clear()
                    if not changed:
                        cls._writer = None
                        return
                for folder, counts in changed.items():
                    _write(folder, counts)
            time.sleep(_WRITE_SECONDS)


def _write(folder: str, counts: bytes) -> None:
    with contextlib.suppress(Exception):  # a missing progress bar does not fail the job
        files.write_bytes(files.join(folder, f"{socket.gethostname()}-{os.getpid()}.json"), counts)


@contextlib.contextmanager
def stage(folder: str, name: str) -> Iterator[None]:
    """Shows `name` as the stage of the job while the body runs, until the first input is finished."""
    Tally.add(folder, name)
    try:
        yield
    finally:
        Tally.add(folder, name, -1)


def read(folder: str) -> collections.Counter[str]:
    """Returns the counts so far and the number of workers in each stage, over all workers."""
    total: collections.Counter[str] = collections.Counter()
    with contextlib.suppress(Exception):
        for info in files.list_folder(folder):
            total.update(json.loads(files.read_bytes(info.path)))
    return total


def duration(seconds: float) -> str:
    """Returns a duration in words, such as `2 h 5 min`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


@contextlib.contextmanager
def shown(folder: str, title: str) -> Iterator[None]:
    """Shows stage, progress, rate, failures and time left while the body runs: a bar on a terminal, else lines."""
    stop = threading.Event()
    show = _show_bar if sys.stderr.isatty() else _show_lines
    thread = threading.Thread(target=show, args=(folder, title, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        Tally.close(folder)
        parent, _, name = folder.rpartition("/")
        files.clear(parent, [name])


@contextlib.contextmanager
def counted(title: str, total: int) -> Iterator[Callable[[], None]]:
    """Shows the progress of work in this process; gives a function to call for each finished item."""
    with tempfile.TemporaryDirectory() as folder:
        Tally.add(folder, LISTED, total)
        with shown(folder, title):
            yield lambda: Tally.add(folder, DONE)


@dataclasses.dataclass(frozen=True)
class State:
    """The progress of a job at a moment.

    Attributes:
        stage: its stage, such as `listing`; "" for the main work.
        done: inputs that are through the stage.
        total: inputs known so far; None while they are listed.
        failed: inputs that failed.
        rate: inputs a second, over the last minute.
    """

    stage: str
    done: int
    total: int | None
    failed: int
    rate: float

    @classmethod
    def of(cls, counts: collections.Counter[str], rate: float) -> "State":
        """Returns the state that counts show."""
        name, done = _stage(counts)
        total = None if name == LISTING else max(counts[LISTED], done)
        return cls(name, done, total, counts[FAILED], rate)

    @property
    def details(self) -> str:
        """Failures, rate and time left, as far as there are any."""
        left = (self.total or 0) - self.done
        parts = [
            f"{self.failed} failed" if self.failed else "",
            f"{self.rate:.1f}/s" if self.rate else "",
            f"{duration(left / self.rate)} left" if self.rate and left > 0 else "",
        ]
        return ", ".join(filter(None, parts))

    def line(self, title: str) -> str:
        """Returns the state as a line of a log."""
        counts = f"{self.done} found" if self.total is None else f"{self.done} of {self.total}" if self.total else ""
        facts = ", ".join(filter(None, (counts, self.details)))
        return self.titled(title) + (f": {facts}" if facts else "")

    def titled(self, title: str) -> str:
        """Returns the title of the job with its stage."""
        return ", ".join(filter(None, (title, self.stage)))


def _stage(counts: collections.Counter[str]) -> tuple[str, int]:
    """Returns the stage, "" for the main work, and the number of inputs that are through it."""
    if counts[DONE]:
        return "", counts[DONE]
    if counts[COMPARED]:
        return "looking for copies", counts[COMPARED]
    active = sorted(name for name in counts.keys() - set(_NAMES) if counts[name] > 0)
    if active:
        return active[0], (counts[FOUND] or counts[LISTED]) if active[0] == LISTING else 0
    return "" if counts[LISTED] else "starting", 0


def _show_bar(folder: str, title: str, stop: threading.Event) -> None:
    from rich import progress as rich_progress
    from rich.console import Console

    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TextColumn("{task.fields[details]}"),
        rich_progress.TimeElapsedColumn(),
    )
    with rich_progress.Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # output to a file stays there
    ) as bar:
        task = bar.add_task(title, total=None, details="")
        for state in _polled(folder, stop):
            bar.update(
                task,
                description=state.titled(title),
                completed=state.done,
                total=state.total or None,
                details=state.details,
            )


def _show_lines(folder: str, title: str, stop: threading.Event) -> None:
    logged, stage = time.monotonic(), ""
    for state in _polled(folder, stop):
        if time.monotonic() - logged >= _LOG_SECONDS or state.stage not in ("", stage):
            logged, stage = time.monotonic(), state.stage
            _log.info("%s", state.line(title))


def _polled(folder: str, stop: threading.Event) -> Iterator[State]:
    """Yields the state every second until `stop` is set."""
    recent: collections.deque[tuple[float, str, int]] = collections.deque()
    while not stop.wait(_WRITE_SECONDS):
        counts, now = read(folder), time.monotonic()
        recent.append((now, *_stage(counts)))
        while recent[0][1] != recent[-1][1] or now - recent[0][0] > _RATE_SECONDS:
            recent.popleft()
        seconds, done = now - recent[0][0], recent[-1][2] - recent[0][2]
        yield State.of(counts, done / seconds if seconds else 0.0)
