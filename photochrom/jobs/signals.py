"""SIGINT (Ctrl-C) and SIGTERM: one line that says how to continue, and exit status 130 or 143.

Beam's worker threads ignore KeyboardInterrupt: they continue to the end of their bundle, which may take an hour. So the
process exits at once, after it has removed its unfinished files; the next run of the same folder removes the rest, see
output_lock.py.
"""

import contextlib
import os
import pathlib
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_tidying: list[Callable[[], None]] = []


class Stopped(KeyboardInterrupt):
    """A signal arrived while no `at_once` was active, so that the job can unwind."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.exit_status = 128 + number


@contextlib.contextmanager
def handled() -> Iterator[None]:
    """Handles both signals while the body runs in the main thread; an ignored one stays ignored, as under nohup.

    A background job of a script has SIGINT ignored by the shell, and keeps it so: Ctrl-C is meant for others.
    """
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        wanted = (number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN)
        before = {number: signal.signal(number, _stop) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def at_once(tidy: Callable[[], None]) -> Iterator[None]:
    """Makes the process exit at once, after `tidy()`, on a signal that `handled` receives while the body runs."""
    _tidying.append(tidy)
    try:
        yield
    finally:
        _tidying.remove(tidy)


def message(reason: str) -> str:
    """Returns the line with the command that continues."""
    program = pathlib.Path(sys.argv[0]).name
    command = [program] if program == "photochrom" else ["python", sys.argv[0]]
    return f"photochrom: {reason}; the same command continues: {shlex.join([*command, *sys.argv[1:]])}"


def _stop(number: int, frame: Any) -> None:
    stopped = Stopped(number)
    if not _tidying:
        raise stopped
    for one in _SIGNALS:
        signal.signal(one, signal.SIG_IGN)
    bar = "\r\x1b[K\x1b[?25h" if os.isatty(2) else ""  # clears the line of the progress bar, shows the cursor
    with contextlib.suppress(OSError):
        os.write(2, f"{bar}{message(f'stopped by {stopped}')}\n".encode("utf-8", "backslashreplace"))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # else threads report the files that they miss
    _end_children()
    for tidy in _tidying:
        with contextlib.suppress(Exception):  # of any class: the next run cleans up too
            tidy()
    os._exit(stopped.exit_status)


def _end_children() -> None:
    """Kills the worker processes of the local runner, which would continue to write. Needs /proc."""
    for pid in list(_descendants(os.getpid())):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def _descendants(pid: int) -> Iterator[int]:
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, path.read_text().split()):
                yield child
                yield from _descendants(child)
