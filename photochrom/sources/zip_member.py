"""Reads one member of a zip, from its header on, into memory once."""

import bz2
import io
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import IO

from photochrom import errors
from photochrom.sources import unpacking
from photochrom.sources.member_checks import broken
from photochrom.sources.source import Source

# Signature, version, flags, method, time, date, CRC-32, two sizes, lengths of name and extra field (APPNOTE.TXT 4.3.7).
_HEADER = struct.Struct("<4s5H3L2H")
_SIGNATURE = b"PK\3\4"
# Encrypted, a patch, strongly encrypted.
_UNREADABLE_FLAGS = 0x61
_STORED = 0
_MAX_LZMA_DICTIONARY = 64 << 20


def read(file: IO[bytes], source: Source, count: int, check_time: Callable[[], None]) -> bytes:
    """Returns the first `count` bytes of a member, fewer if it has no more; the whole has the listed CRC-32.

    Args:
        file: at the header of the member.
        source: from the listing.
        count: bytes.
        check_time: called between two pieces.

    Raises:
        ReadError: the member is damaged, is encrypted, or its compression is not read.
    """
    content, crc = io.BytesIO(), 0  # getvalue() copies nothing
    for piece in _pieces(file, source):
        check_time()
        content.write(piece)
        if content.tell() >= count:
            content.truncate(count)
            return content.getvalue()
        crc = zlib.crc32(piece, crc)
        if content.tell() > source.size:
            raise broken(f"the member has more than the {source.size} bytes that are listed")
        if content.tell() == source.size:
            break  # LZMA may have no mark at its end
    if content.tell() == source.size and crc != int(source.version.removeprefix("crc32:"), 16):
        raise broken("Bad CRC-32: the member is damaged")
    return content.getvalue()


def _pieces(file: IO[bytes], source: Source) -> Iterator[bytes]:
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size or not header.startswith(_SIGNATURE):
        raise broken(f"no header at {source.offset}; truncated or changed while reading")
    _, _, flags, method, *_, name_bytes, extra_bytes = _HEADER.unpack(header)
    if flags & _UNREADABLE_FLAGS:
        raise errors.ReadError("cannot be read: it is encrypted; unpack it and give the files", "encrypted")
    file.read(name_bytes + extra_bytes)
    left = max(source.extent - _HEADER.size - name_bytes - extra_bytes, 0)
    if method == _STORED:
        left = min(left, source.size)

    def read(count: int) -> bytes:  # at most the extent: content that is compressed knows its end
        nonlocal left
        data = file.read(min(count, left))
        left -= len(data)
        return data

    if method == _STORED:
        return iter(lambda: read(unpacking.PIECE_BYTES), b"")
    return unpacking.pieces(read, _decompressor(method, read))


def _decompressor(method: int, read: Callable[[int], bytes]) -> unpacking.Decompressor:
    if method == 8:
        return unpacking.Inflater()
    if method == 12:
        return bz2.BZ2Decompressor()
    if method == 14:
        return _lzma(read(4), read)
    text = f"cannot be read: it is compressed by method {method} of zip, expected deflate (8), bzip2 (12) or LZMA (14)"
    raise errors.ReadError(f"{text}; pack the archive again, as by `zip`", "unsupported_compression")


def _lzma(start: bytes, read: Callable[[int], bytes]) -> unpacking.Decompressor:
    """Returns the decompressor for properties that follow: APPNOTE.TXT 5.8.8, and LZMA's own specification."""
    properties = read(int.from_bytes(start[2:4], "little"))
    if len(properties) != 5 or properties[0] >= 225:
        raise broken("LZMA with properties that no member has")
    most = min(int.from_bytes(properties[1:], "little"), _MAX_LZMA_DICTIONARY)
    rest, lc = divmod(properties[0], 9)
    options = {"id": lzma.FILTER_LZMA1, "dict_size": max(most, 4096), "lc": lc, "lp": rest % 5, "pb": rest // 5}
    try:
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[options])
    except (lzma.LZMAError, ValueError) as error:
        raise broken("LZMA with properties that no member has") from error
