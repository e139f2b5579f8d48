"""Objects in a bucket as files: read by ranges, written as a stream.

Both hold some tens of MB in memory at most, whatever the object's size.
"""

import concurrent.futures
import contextlib
import io
from collections.abc import Iterator
from typing import IO, Any

import google_crc32c
from google.api_core import exceptions
from google.cloud import storage
from google.cloud.storage import fileio

from photochrom import errors
from photochrom.storage import gcs, gcs_objects, gcs_retry

# The first request of an opened file: it fetches most pictures whole.
_FIRST_BYTES = 4 << 20
# Fetched where a smaller piece is read: neighbours in an archive, or a directory at its end, are included. Sequential
# reading doubles it each time.
_WINDOW_BYTES, _LARGEST_WINDOW_BYTES = 1 << 20, 8 << 20
# The most that one request fetches; each has its own retries.
_PIECE_BYTES = 32 << 20
# Buffered while writing, and sent in one request; must be a multiple of 256 KiB.
_CHUNK_BYTES = 8 << 20
# Tries of fetching a file whose checksum does not match.
_FETCHES = 3


class BucketReader(io.BufferedIOBase):
    """One generation of an object, seekable. Reading from start to end checks its CRC-32C."""

    def __init__(self, path: str, start: int = 0, count: int = _FIRST_BYTES):
        """Opens an object, and fetches `count` bytes of it, from `start` on.

        Raises:
            FileNotFoundError: it is missing.
            OSError: it cannot be read.
        """
        self._path = path
        self._position = 0
        self._size = -1  # unknown until it is needed
        self._window = _WINDOW_BYTES
        self._summed, self._sum = 0, 0  # CRC-32C of so many bytes
        self._start, self._held = start, self._fetch_first(start, count)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position}.get(whence)
        position = (self.size if start is None else start) + offset
        if position < 0:
            raise ValueError(f"negative seek position {position}")
        self._position = position
        return position

    @property
    def size(self) -> int:
        """Bytes of the object."""
        if self._size < 0:
            with gcs.explained(self._path, gcs.READ), self._pinned() as pinned:
                pinned.reload(retry=gcs_retry.RETRY, timeout=gcs_retry.TIMEOUT)
            self._size = int(pinned.size or 0)
            self._check()
        return self._size

    def read(self, size: int | None = -1, /) -> bytes:
        if self.closed:
            raise ValueError("read of closed file")
        held = self._from_held(size)
        missing = -1 if size is None or size < 0 else size - len(held)
        if missing == 0 or self._position >= self.size:
            return held
        left = self.size - self._position
        missing = left if missing < 0 else min(missing, left)
        if missing >= _WINDOW_BYTES:
            rest = self._fetch_pieces(missing)
        else:
            self._fill()
            rest = self._from_held(missing)
        return held + rest if held else rest

    def read1(self, size: int = -1, /) -> bytes:
        return self.read(_WINDOW_BYTES if size < 0 else size)

    def peek(self, size: int = 0, /) -> bytes:
        """Returns buffered bytes from the position on, at least one before the end; readline calls it."""
        offset = self._position - self._start
        if not 0 <= offset < len(self._held) and self._position < self.size:
            self._fill()
            offset = self._position - self._start
        return self._held[offset : offset + max(size, 1 << 16)] if offset >= 0 else b""

    def _from_held(self, size: int | None) -> bytes:
        offset = self._position - self._start
        if not 0 <= offset < len(self._held):
            return b""
        taken = self._held[offset:] if size is None or size < 0 else self._held[offset : offset + size]
        self._position += len(taken)
        return taken

    def _fill(self) -> None:
        """Fetches the window at the position; near the end, if reading is not sequential, the whole end."""
        start, reads_on = self._position, self._position == self._start + len(self._held)
        self._window = min(2 * self._window, _LARGEST_WINDOW_BYTES) if reads_on else _WINDOW_BYTES
        if not reads_on:
            start = min(start, max(self.size - self._window, 0))
        self._held = self._fetch(start, min(self._window, self.size - start))
        self._start = start

    def _fetch_first(self, start: int, count: int) -> bytes:
        for _ in range(_FETCHES):
            self._summed = self._sum = 0
            begun = gcs_objects.blob(self._path)
            with gcs.explained(self._path, gcs.READ):
                try:
                    first = self._download(begun, start, count)
                except exceptions.RequestRangeNotSatisfiable:  # the object is empty
                    first = b""
                if first and begun.generation is None:  # usually stated in the answer
                    begun.reload(retry=gcs_retry.RETRY, timeout=gcs_retry.TIMEOUT)
            if len(first) < count and (first or not start):
                self._size = start + len(first)
            self._generation, self._wanted = begun.generation, begun.crc32c
            self._add(start, first)
            if self._is_right():
                return first
        raise OSError(f"{self._path}: the bytes that arrive do not match the object's CRC-32C, {_FETCHES} times")

    def _fetch_pieces(self, count: int) -> bytes:
        end, pieces = self._position + count, []
        while self._position < end:
            pieces.append(self._fetch(self._position, min(_PIECE_BYTES, end - self._position)))
            self._position += len(pieces[-1])
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _fetch(self, start: int, count: int) -> bytes:
        with gcs.explained(self._path, gcs.READ), self._pinned() as pinned:
            data = self._download(pinned, start, count)
        if len(data) != count:
            raise OSError(f"{self._path}: {len(data)} bytes arrived of {count} at {start}")
        self._add(start, data)
        self._check()
        return data

    def _download(self, blob: storage.Blob, start: int, count: int) -> bytes:
        return blob.download_as_bytes(
            start=start,
            end=start + count - 1,
            raw_download=True,
            checksum=None,  # the library has none of a part
            single_shot_download=count <= _FIRST_BYTES,
            retry=gcs_retry.RETRY,
            timeout=gcs_retry.TIMEOUT,
        )

    @contextlib.contextmanager
    def _pinned(self) -> Iterator[storage.Blob]:
        try:
            yield gcs_objects.blob(self._path, self._generation)
        except exceptions.NotFound as error:
            raise OSError(f"{self._path} was replaced or deleted while it was read") from error

    def _add(self, start: int, data: bytes) -> None:
        """Adds bytes that continue the summed ones to the checksum."""
        if start <= self._summed < start + len(data):
            self._sum = google_crc32c.extend(self._sum, data[self._summed - start :])
            self._summed = start + len(data)

    def _check(self) -> None:
        if not self._is_right():
            raise OSError(f"{self._path}: the bytes that arrived do not match the object's CRC-32C, {self._wanted}")

    def _is_right(self) -> bool:
        """Whether the checksum is the object's, or not yet complete."""
        return self._summed != self._size or not self._wanted or gcs_objects.encode_checksum(self._sum) == self._wanted


def open_read(path: str) -> BucketReader:
    """Opens an object for reading."""
    return BucketReader(path)


def read_range(path: str, start: int, count: int) -> bytes:
    """Returns `count` bytes of an object from `start` on, fewer at its end; up to 32 MiB by one request."""
    file = BucketReader(path, start, min(count, _PIECE_BYTES))
    file.seek(start)
    return file.read(count)


@contextlib.contextmanager
def create(path: str) -> Iterator[IO[bytes]]:
    """Writes an object that appears when the body has ended, and not at all if it fails."""
    file = _Writer(path)
    try:
        yield file  # type: ignore[misc]
        file.finish()
    except BaseException:
        with contextlib.suppress(Exception):  # an unfinished upload is invisible, and expires after a week
            file.abandon()
        raise


class _Session(fileio.BlobWriter):
    """The library's writer, which stays abandoned after a failure.

    The original, when it is garbage-collected after a failure, finishes the upload with the bytes so far: see
    docs/upstream.md.
    """

    def close(self) -> None:
        """Does nothing: `finish` does."""

    def finish(self) -> None:
        """Sends the rest, and makes the object appear."""
        super().close()


class _Writer(io.BufferedIOBase):
    """Buffers up to a chunk; a longer object is uploaded piece by piece, in a thread, while more is written.

    A session of pieces writes once, however often a piece is sent, on condition that the generation at its start still
    exists at its end. If not, and the object there has other bytes, it fails: the pieces are no longer in memory, and
    cannot be sent again.
    """

    def __init__(self, path: str):
        self._path = path
        self._held = io.BytesIO()
        self._session: _Session | None = None
        self._pool = concurrent.futures.ThreadPoolExecutor(1)
        self._sending: concurrent.futures.Future[int] | None = None
        self._written = self._sum = 0  # bytes, and their CRC-32C

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, data: Any, /) -> int:
        if self.closed:
            raise ValueError("write to closed file")
        count = self._held.write(data)
        self._written += count
        self._sum = google_crc32c.extend(self._sum, bytes(data))
        if self._held.tell() > _CHUNK_BYTES:
            self._send()
        return count

    def _send(self) -> None:
        """Starts the upload of the buffer, after that of the piece before."""
        with gcs.explained(self._path, gcs.WRITE):
            session = self._session = self._session or self._begin()
            self._wait()
            self._sending = self._pool.submit(session.write, self._held.getvalue())
        self._held = io.BytesIO()

    def _wait(self) -> None:
        if self._sending:
            self._sending.result()

    def _begin(self) -> _Session:
        generation = None
        with contextlib.suppress(errors.Denied):  # the first write reports it too, with the permission it needs
            generation = gcs_objects.generation(self._path)
        return _Session(
            gcs_objects.blob(self._path),
            chunk_size=_CHUNK_BYTES,
            ignore_flush=True,
            content_type=gcs_objects.CONTENT_TYPE,
            checksum="crc32c",
            if_generation_match=generation,
            retry=gcs_retry.RETRY,
            timeout=gcs_retry.TIMEOUT,
        )

    def finish(self) -> None:
        if self._session is None:
            gcs_objects.put(self._path, self._held.getvalue())
        else:
            self._finish_session(self._session)
        self._pool.shutdown()
        super().close()

    def _finish_session(self, session: _Session) -> None:
        try:
            with gcs.explained(self._path, gcs.WRITE):
                self._wait()
                session.write(self._held.getbuffer())
                session.finish()
        except gcs.Overtaken as error:
            found = gcs_objects.stat(self._path)
            if (found.size, found.crc32c) != (self._written, gcs_objects.encode_checksum(self._sum)):
                raise OSError(f"{self._path}: another writer wrote it at the same time") from error

    def abandon(self) -> None:
        self._pool.shutdown()
        if self._session is not None:
            self._session.terminate()
        super().close()

    def close(self) -> None:
        """Does nothing: `create` finishes it."""
