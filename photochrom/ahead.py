"""Calls made ahead of time, in threads, so that a worker goes on while a bucket's answers are under way."""

import collections
import concurrent.futures
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from photochrom import archives, files
from photochrom.archives import Source

_THREADS = 16
# Under way at once, besides the one that is being worked on.
_CALLS, _BYTES = 32, 64 << 20
# Of a source whose size is not known, a usual scan's.
_USUAL_BYTES = 4 << 20

Call = Callable[[], Any]


class Ahead:
    """Makes calls in threads, a few at a time, and hands out what they return in the order in which they were added."""

    def __init__(self) -> None:
        self._waiting: collections.deque[tuple[Any, int, Call]] = collections.deque()
        self._held = 0
        self._pool: concurrent.futures.ThreadPoolExecutor | None = None

    def add(self, item: Any, call: Call, size: int, wait: bool) -> Iterator[tuple[Any, Call]]:
        """Adds a call and yields those that are due: item and a call that returns, or raises, what the call did.

        Args:
            item: whatever comes out again with the result.
            call: what to do.
            size: bytes that it holds until its result is taken.
            wait: whether it waits for others, so that it is made in a thread; else it is made when its turn comes.
        """
        while self._waiting and (len(self._waiting) >= _CALLS or self._held + size > _BYTES):
            yield self._next()
        if not wait and not self._waiting:
            yield item, call
            return
        self._waiting.append((item, size, self._begin(call) if wait else call))
        self._held += size

    def flush(self) -> Iterator[tuple[Any, Call]]:
        """Yields all that is left."""
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


class Reading:
    """Reads sources: those on a local disk when their turn comes, others ahead."""

    def __init__(self) -> None:
        self._ahead = Ahead()
        self._readers = threading.local()  # a reader is for one thread

    def add(self, source: Source, item: Any) -> Iterator[tuple[Any, Call]]:
        """Adds a source and yields those that are due: item and a call that returns its bytes or raises a DataError."""
        size = source.size if source.size >= 0 else _USUAL_BYTES
        wait = not source.failure and not files.is_local(source.path)
        return self._ahead.add(item, lambda: self._read(source), size, wait)

    def each(self, sources: Iterable[Source]) -> Iterator[tuple[Source, Call]]:
        """Yields each source, in order, with such a call."""
        for source in sources:
            yield from self.add(source, source)
        yield from self.flush()

    def flush(self) -> Iterator[tuple[Any, Call]]:
        """Yields all that is left."""
        return self._ahead.flush()

    def close(self) -> None:
        """Ends the threads."""
        self._ahead.close()

    def _read(self, source: Source) -> bytes:
        if source.failure:
            raise source.failure.to_error()
        if not hasattr(self._readers, "reader"):
            self._readers.reader = archives.Reader(files.open_read)
        return self._readers.reader.read(source)
