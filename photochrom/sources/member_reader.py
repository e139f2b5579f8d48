"""Reads sources: loose files whole, members of archives by ranges, neighbours together.

No archive stays open, and no directory is read again: sources have the offset of each member.
"""

import functools
import io
import os
import struct
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

from photochrom import errors
from photochrom.sources.member_checks import ARCHIVE_ERRORS, MAX_FILE_BYTES, check_size
from photochrom.sources.source import Source
from photochrom.sources.zip_listing import ZIP_HEADER_BYTES
from photochrom.storage import files

# The most bytes between two members that are read together: they cost less than another request.
_GAP_BYTES = 256 << 10
# zipfile reads a member in steps of 4 KiB, however little is asked for.
_STEP_BYTES = 4 << 10
# Signature, version, flags, method, time, date, CRC-32, two sizes, lengths of name and extra field (APPNOTE.TXT 4.3.7).
_HEADER = struct.Struct("<4s5H3L2H")
_SIGNATURE = b"PK\3\4"
# Encrypted, a patch, strongly encrypted.
_UNREADABLE_FLAGS = 0x61


def read(source: Source) -> bytes:
    """Returns the bytes of a source.

    Raises:
        ReadError: it cannot be read, or is shorter than listed.
        TooLarge: more than MAX_FILE_BYTES.
    """
    return _whole(source, _explained(_read, source, MAX_FILE_BYTES + 1))


def read_start(source: Source, count: int) -> bytes:
    """Returns the first bytes of a source, fewer than `count` if it has no more.

    Raises:
        ReadError: it cannot be read.
    """
    return bytes(_explained(_read, source, count))


def neighbourhood(source: Source) -> str:
    """Returns a name of the group that a source is best read with; its key, where it is best read alone."""
    return source.key if source.run < 0 or files.is_local(source.path) else f"{source.path}@{source.run}"


def are_neighbours(one: Source, following: Source) -> bool:
    """Whether one request should read a source together with the one before it."""
    is_one_run = one.run >= 0 and (one.path, one.run) == (following.path, following.run)
    return is_one_run and one.offset <= following.offset <= one.end + _GAP_BYTES


def read_together(neighbours: Sequence[Source]) -> list[Callable[[], bytes]]:
    """Reads neighbours by one request; returns for each a call that returns its bytes or raises as `read` does.

    Raises:
        ReadError: the archive cannot be read.
    """
    start, end = neighbours[0].offset, max(source.end for source in neighbours)
    data = _explained(files.read_range, neighbours[0].path, start, end - start)

    def unpack(source: Source) -> bytes:
        return _whole(source, _explained(_unpacked, source, data, start, MAX_FILE_BYTES + 1))

    return [functools.partial(unpack, source) for source in neighbours]


def _explained(call: Callable[..., Any], *args: Any) -> Any:
    try:
        return call(*args)
    except ARCHIVE_ERRORS as error:
        missing = isinstance(error, FileNotFoundError)
        raise errors.ReadError(
            f"cannot be read: {type(error).__name__}: {error}", "not_found" if missing else "unreadable"
        ) from error


def _whole(source: Source, data: bytes) -> bytes:
    check_size(len(data))
    if source.size >= 0 and len(data) != source.size and source.version:
        raise errors.ReadError(
            f"cannot be read: {len(data)} bytes of {source.size}; truncated or changed while reading"
        )
    return data


def _read(source: Source, count: int) -> bytes:
    if source.offset >= 0:
        most = min(count, source.size) if not source.member else count + ZIP_HEADER_BYTES + _STEP_BYTES
        data = files.read_range(source.path, source.offset, min(most, source.end - source.offset))
        return _unpacked(source, data, source.offset, count)
    with files.open_read(source.path) as file:
        # read(n) sets n bytes aside first: the size has to be known before.
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if count > MAX_FILE_BYTES:
            check_size(size)
        return file.read(count) if count < size else file.read()


def _unpacked(source: Source, data: bytes, start: int, count: int) -> bytes:
    """Returns the first bytes of a member, out of those of its archive from `start` on."""
    offset = source.offset - start
    if not source.member:
        return data[offset : offset + min(count, source.size)]
    with _opened(source, data, offset) as member:
        return member.read(count)


def _opened(source: Source, data: bytes, offset: int) -> zipfile.ZipExtFile:
    """Opens a member of a zip, whose header is at that offset of `data`."""
    header = data[offset : offset + _HEADER.size]
    if len(header) < _HEADER.size or not header.startswith(_SIGNATURE):
        raise zipfile.BadZipFile(f"no header at {source.offset}; truncated or changed while reading")
    info = zipfile.ZipInfo(source.member)
    _, _, flags, info.compress_type, *_, name_bytes, extra_bytes = _HEADER.unpack(header)
    if flags & _UNREADABLE_FLAGS:
        raise NotImplementedError("it is encrypted")
    before = _HEADER.size + name_bytes + extra_bytes
    info.compress_size = max(source.extent - before, 0)  # at most: the content knows its end, or is not compressed
    info.file_size, info.CRC = source.size, int(source.version.removeprefix("crc32:"), 16)
    file = io.BytesIO(data)
    file.seek(offset + before)
    return zipfile.ZipExtFile(file, "r", info)
