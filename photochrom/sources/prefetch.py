"""Prefetching: runs I/O in a bounded thread pool, results in order."""

import collections
import concurrent.futures
import functools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from photochrom.sources import member_reader
from photochrom.sources.source import Source
from photochrom.storage import files

_THREADS = 16
# In progress at once, besides the one being processed.
_CALLS, _BYTES = 32, 64 << 20
# Assumed for a source of unknown size: a usual scan's.
_USUAL_BYTES = 4 << 20

Call = Callable[[], Any]


class Ahead:
    """Makes calls in threads, a few at a time, and yields their results in the order in which they were added."""

    def __init__(self) -> None:
        self._waiting: collections.deque[tuple[Any, int, Call]] = collections.deque()
        self._held = 0
        self._pool: concurrent.futures.ThreadPoolExecutor | None = None

    def add(self, item: Any, call: Call, size: int, wait: bool) -> Iterator[tuple[Any, Call]]:
        """Adds a call and yields those that are due: the item, and a call with the result or the error of the first.

        Args:
            item: yielded with the result.
            call: the work.
            size: bytes that it holds until its result is taken.
            wait: whether it is I/O-bound, and so made in a thread; else it is made when it is due.
        """
        while self._waiting and (len(self._waiting) >= _CALLS or self._held + size > _BYTES):
            yield self._next()
        if not wait and not self._waiting:
            yield item, call
            return
        self._waiting.append((item, size, self._begin(call) if wait else call))
        self._held += size

    def flush(self) -> Iterator[tuple[Any, Call]]:
        """Yields the remaining ones."""
        while self._waiting:
            yield self._next()

    def close(self) -> None:
        """Ends the threads."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def _next(self) -> tuple[Any, Call]:
        item, size, call = self._waiting.popleft()
        self._held -= size
        return item, call

    def _begin(self, call: Call) -> Call:
        self._pool = self._pool or concurrent.futures.ThreadPoolExecutor(_THREADS)
        return self._pool.submit(call).result


def timed(call: Callable[[], bytes]) -> tuple[bytes, float]:
    """Makes a call of `Reading`; returns its bytes, and the seconds that unpacking them took: not those of waiting."""
    begun = time.thread_time()
    data = call()
    return data, time.thread_time() - begun


class Reading:
    """Reads sources: those on a local disk when they are due, others ahead, neighbours in an archive together."""

    def __init__(self, timeout_seconds: float = math.inf) -> None:
        """Args: timeout_seconds: for one source on a local disk, and for unpacking one; a bucket has its own."""
        self._ahead = Ahead()
        self._timeout = timeout_seconds

    def each(self, sources: Iterable[Source]) -> Iterator[tuple[Source, Call]]:
        """Yields each source, in order, with a call that returns its bytes or raises a DataError."""
        yield from self.add((source, source) for source in sources)
        yield from self.flush()

    def add(self, pairs: Iterable[tuple[Source, Any]]) -> Iterator[tuple[Any, Call]]:
        """Adds pairs of source and item, and yields those that are due: the item, and such a call."""
        for group in _neighbours(pairs):
            sources, items = zip(*group, strict=True)
            yield from _one_by_one(self._ahead.add(items, *_reading(sources, self._timeout)))

    def flush(self) -> Iterator[tuple[Any, Call]]:
        """Yields the remaining ones."""
        return _one_by_one(self._ahead.flush())

    def close(self) -> None:
        """Ends the threads."""
        self._ahead.close()


def _is_far(source: Source) -> bool:
    return not source.failure and not files.is_local(source.path)


def _neighbours(pairs: Iterable[tuple[Source, Any]]) -> Iterator[list[tuple[Source, Any]]]:
    """Yields groups that are best read together, in order."""
    group: list[tuple[Source, Any]] = []
    for source, item in pairs:
        if group and not (_is_far(source) and member_reader.are_neighbours(group[-1][0], source)):
            yield group
            group = []
        group.append((source, item))
    if group:
        yield group


def _reading(sources: Sequence[Source], timeout_seconds: float) -> tuple[Call, int, bool]:
    """Returns a call that reads sources and returns a call for each, its bytes, and whether it is I/O-bound."""
    held = sum(source.size if source.size >= 0 else _USUAL_BYTES for source in sources)
    read = member_reader.read_together if len(sources) > 1 else _read_alone
    return functools.partial(read, sources, timeout_seconds), held, _is_far(sources[0])


def _read_alone(sources: Sequence[Source], timeout_seconds: float) -> list[Call]:
    (source,) = sources
    if source.failure:
        raise source.failure.to_error()
    data = member_reader.read(source, timeout_seconds)
    return [lambda: data]


def _one_by_one(due: Iterable[tuple[Sequence[Any], Call]]) -> Iterator[tuple[Any, Call]]:
    for items, call in due:
        for place, item in enumerate(items):
            yield item, functools.partial(_result, call, place)


def _result(call: Call, place: int) -> bytes:
    data: bytes = call()[place]()
    return data
