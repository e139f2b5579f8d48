"""Pool of decoder helpers: at most one for each core, lent to a thread for one file, replaced when it ends.

Helpers end with the process that started them; a forked child starts its own.
"""

import atexit
import contextlib
import functools
import os
import threading
from collections.abc import Iterator

from photochrom.imaging.sandbox.helper_process import Helper


class Pool:
    """Helpers of one process."""

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(os.cpu_count() or 1)
        self._lock = threading.Lock()
        self._idle: list[Helper] = []
        self._all: set[Helper] = set()

    @contextlib.contextmanager
    def lend(self, fresh: bool) -> Iterator[Helper]:
        """Lends an idle helper, or a new one if `fresh` or none is idle; waits while all cores have a busy one."""
        with self._slots:
            helper = self._take(fresh)
            try:
                yield helper
            except BaseException:  # an interrupt in the middle of an answer
                helper.close()
                raise
            finally:
                self._put(helper)

    def _take(self, fresh: bool) -> Helper:
        with self._lock:
            helper = self._idle.pop() if self._idle and not fresh else None
        if helper and helper.is_alive:
            return helper
        if helper:
            self._drop(helper)
        helper = Helper()
        with self._lock:
            self._all.add(helper)
        return helper

    def _put(self, helper: Helper) -> None:
        if helper.is_alive and not helper.retired:
            with self._lock:
                self._idle.append(helper)
        else:
            self._drop(helper)

    def _drop(self, helper: Helper) -> None:
        helper.close()
        with self._lock:
            self._all.discard(helper)

    def pids(self) -> list[int]:
        """Returns the ids of the helpers' processes, sorted."""
        return sorted(helper.pid for helper in list(self._all))

    def close(self) -> None:
        """Ends the idle helpers."""
        with self._lock:
            idle, self._idle = self._idle, []
        for helper in idle:
            self._drop(helper)

    def close_pipes(self) -> None:
        """Closes a forked child's copies of the pipes, which would keep the helpers alive after their parent."""
        for helper in self._all:
            helper.close_pipes()


_pool = Pool()


def lend(fresh: bool) -> contextlib.AbstractContextManager[Helper]:
    """Lends a helper of this process, a new one if `fresh`."""
    _register_hooks()
    return _pool.lend(fresh)


def end_helpers() -> None:
    """Ends the idle helpers of this process; the next file starts new ones."""
    _pool.close()


def helper_pids() -> list[int]:
    """Returns the process ids of this process's helpers, for measurements."""
    return _pool.pids()


@functools.cache
def _register_hooks() -> None:
    atexit.register(end_helpers)
    os.register_at_fork(after_in_child=_replace_pool)


def _replace_pool() -> None:
    global _pool  # noqa: PLW0603
    _pool.close_pipes()
    _pool = Pool()
