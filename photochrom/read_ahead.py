"""Reads sources in buckets before they are needed, so that a worker does not wait for each answer."""

import collections
import concurrent.futures
import threading
from collections.abc import Callable, Iterable, Iterator

from photochrom import archives, files
from photochrom.archives import Source

_THREADS = 4
# Held at once, besides the source that is being worked on; of what has no known size, as much as a usual scan.
_SOURCES, _BYTES = 8, 64 << 20
_USUAL_BYTES = 4 << 20


class ReadAhead:
    """Reads sources in their order; those on a local disk when they are asked for, others some time before."""

    def __init__(self) -> None:
        self._readers = threading.local()
        self._pool: concurrent.futures.ThreadPoolExecutor | None = None

    def each(self, sources: Iterable[Source]) -> Iterator[tuple[Source, Callable[[], bytes]]]:
        """Yields each source with a call that returns its bytes, or raises the DataError that says why not."""
        waiting: collections.deque[tuple[Source, Callable[[], bytes]]] = collections.deque()
        held = 0
        for source in sources:
            while waiting and (len(waiting) >= _SOURCES or held + _bytes(source) > _BYTES):
                held -= _bytes(waiting[0][0])
                yield waiting.popleft()
            waiting.append((source, self._begin(source)))
            held += _bytes(source)
        yield from waiting

    def close(self) -> None:
        """Ends its threads."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def _begin(self, source: Source) -> Callable[[], bytes]:
        if source.failure or files.is_local(source.path):
            return lambda: self._read(source)
        self._pool = self._pool or concurrent.futures.ThreadPoolExecutor(_THREADS)
        return self._pool.submit(self._read, source).result

    def _read(self, source: Source) -> bytes:
        if source.failure:
            raise source.failure.to_error()
        if not hasattr(self._readers, "reader"):  # a reader is for one thread
            self._readers.reader = archives.Reader(files.open_read)
        return self._readers.reader.read(source)


def _bytes(source: Source) -> int:
    return source.size if source.size >= 0 else _USUAL_BYTES
