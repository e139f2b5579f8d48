"""Reads sources: loose files whole, members of archives by ranges, neighbours together.

No archive stays open, and no directory is read again: sources have the offset of each member. A source is in memory
once, but for a small one in a bucket, which is read together with its neighbours.
"""

import contextlib
import functools
import io
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from photochrom import errors
from photochrom.sources import read_errors, zip_member
from photochrom.sources.member_checks import MAX_FILE_BYTES, check_size
from photochrom.sources.source import Source
from photochrom.sources.zip_listing import ZIP_HEADER_BYTES
from photochrom.storage import files

# The most bytes between two members that are read together: they cost less than another request.
_GAP_BYTES = 256 << 10
# Read at a time: of a local file, and by one request to a bucket.
_LOCAL_BYTES, _REQUEST_BYTES = 8 << 20, 32 << 20
# Packed bytes that give the first ones of a member.
_STEP_BYTES = 4 << 10


def read(source: Source, timeout_seconds: float = math.inf) -> bytes:
    """Returns the bytes of a source.

    Raises:
        ReadError: it cannot be read, is shorter than listed, or takes longer than the timeout.
        TooLarge: more than MAX_FILE_BYTES.
    """
    return _whole(source, _explained(_read, source, MAX_FILE_BYTES + 1, timeout_seconds))


def read_start(source: Source, count: int) -> bytes:
    """Returns the first bytes of a source, fewer than `count` if it has no more.

    Raises:
        ReadError: it cannot be read.
    """
    return bytes(_explained(_read, source, count, math.inf))


def neighbourhood(source: Source) -> str:
    """Returns a name of the group that a source is best read with; its key, where it is best read alone."""
    return source.key if source.run < 0 or files.is_local(source.path) else f"{source.path}@{source.run}"


def are_neighbours(one: Source, following: Source) -> bool:
    """Whether one request should read a source together with the one before it."""
    is_one_run = one.run >= 0 and (one.path, one.run) == (following.path, following.run)
    return is_one_run and one.offset <= following.offset <= one.end + _GAP_BYTES


def read_together(neighbours: Sequence[Source], timeout_seconds: float = math.inf) -> list[Callable[[], bytes]]:
    """Reads neighbours by one request; returns for each a call that returns its bytes or raises as `read` does.

    Raises:
        ReadError: the archive cannot be read.
    """
    start, end = neighbours[0].offset, max(source.end for source in neighbours)
    data = _explained(files.read_range, neighbours[0].path, start, end - start)

    def unpack(source: Source) -> bytes:
        file = io.BytesIO(data)
        file.seek(source.offset - start)
        return _whole(source, _explained(_content, source, file, MAX_FILE_BYTES + 1, timeout_seconds))

    return [functools.partial(unpack, source) for source in neighbours]


class _Clock:
    """The time that is left for one source."""

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def check(self) -> None:
        """Raises ReadError after the end."""
        if time.monotonic() > self._end:
            text = f"reading took longer than {self._seconds:g} s, which is the limit"
            raise errors.ReadError(f"{text}; prepare and colorize set it by --image_timeout", "read_timeout")


def _explained(call: Callable[..., Any], *args: Any) -> Any:
    try:
        return call(*args)
    except (OSError, ValueError, MemoryError) as error:
        raise read_errors.explained(error) from error


def _whole(source: Source, data: bytes) -> bytes:
    check_size(len(data))
    if source.size >= 0 and len(data) != source.size and source.version:
        raise errors.ReadError(
            f"cannot be read: {len(data)} bytes of {source.size}; truncated or changed while reading"
        )
    return data


def _read(source: Source, count: int, timeout_seconds: float) -> bytes:
    with _opened(source, count) as file:
        return _content(source, file, count, timeout_seconds)


@contextlib.contextmanager
def _opened(source: Source, count: int) -> Iterator[IO[bytes]]:
    """Opens the file of a source at the source's start; only the source in it if that is one request to a bucket."""
    extra = ZIP_HEADER_BYTES + _STEP_BYTES if source.member else 0
    wanted = min(count + extra, source.end - source.offset)
    if source.offset >= 0 and wanted <= _REQUEST_BYTES and not files.is_local(source.path):
        yield io.BytesIO(files.read_range(source.path, source.offset, wanted))
        return
    with files.open_read(source.path) as file:
        file.seek(max(source.offset, 0))
        yield file


def _content(source: Source, file: IO[bytes], count: int, timeout_seconds: float) -> bytes:
    """Returns the first bytes of a source at which a file is open; a bucket has timeouts of its own."""
    is_local = files.is_local(source.path)
    if source.member:
        return zip_member.read(file, source, count, _Clock(timeout_seconds).check)
    clock, step = (_Clock(timeout_seconds), _LOCAL_BYTES) if is_local else (_Clock(math.inf), _REQUEST_BYTES)
    if source.offset >= 0:
        return _taken(file, min(count, source.size), step, clock)
    size = file.seek(0, os.SEEK_END)  # read() of a larger number sets it aside first
    file.seek(0)
    if count > MAX_FILE_BYTES:
        check_size(size)
    return _taken(file, min(count, size), step, clock)


def _taken(file: IO[bytes], count: int, step: int, clock: _Clock) -> bytes:
    """Returns the next bytes, fewer at the end of the file."""
    if count <= step:
        return file.read(count) or b""
    content = io.BytesIO()  # getvalue() copies nothing
    while content.tell() < count and (piece := file.read(min(step, count - content.tell()))):
        content.write(piece)
        clock.check()
    return content.getvalue()
