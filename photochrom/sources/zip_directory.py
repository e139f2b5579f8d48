"""The central directory of a zip: its entries, with the same names on every Python, and each bad entry alone.

zipfile refuses an archive for one bad name, and its version decides whether it reads names from extra field 0x7075.
Source: PKWARE, APPNOTE.TXT 6.3.10, sections 4.3 (records), 4.5 (extra fields), 4.6.9 and appendix D (names).
"""

import dataclasses
import re
import stat
import struct
import zlib
from collections.abc import Iterator
from typing import IO

from photochrom import errors
from photochrom.sources.member_checks import broken

# Read into memory whole; 5 million members of usual names.
MAX_DIRECTORY_BYTES = 512 << 20
_END_MARK, _END = b"PK\5\6", struct.Struct("<4s4H2LH")
_LOCATOR_64, _END_64 = struct.Struct("<4sLQL"), struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_MAX_COMMENT_BYTES = 0xFFFF
_UTF8_FLAG = 0x800
_UNIX_SYSTEMS = (3, 19)  # Unix, macOS
# Older .NET separates folders so. A backslash after a byte above 127 may be half of a Japanese character.
_WINDOWS_PATH = re.compile(rb"(?:[^/\\]*[^/\\\x80-\xff]\\)+[^/\\]*")
_UNICODE_PATH, _ZIP64 = 0x7075, 0x0001
_IN_ZIP64 = 0xFFFFFFFF
_MOST = 1 << 62


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A member of a zip.

    Attributes:
        name: its name.
        crc: of its content.
        packed: bytes in the archive.
        size: bytes of its content.
        offset: of its header, from the start of the file.
        is_plain: whether it is a regular file and no link.
    """

    name: str
    crc: int
    packed: int
    size: int
    offset: int
    is_plain: bool

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.name.endswith("/")


@dataclasses.dataclass(frozen=True)
class Directory:
    """A central directory.

    Attributes:
        data: its bytes.
        start: its place in the file.
        moved: the bytes that stand before the archive, as in a self-extracting one.
    """

    data: bytes
    start: int
    moved: int

    def entries(self) -> Iterator[Entry]:
        """Yields the entries.

        Raises:
            ReadError: it is damaged.
        """
        at = 0
        while at < len(self.data):
            if not self.data.startswith(b"PK\1\2", at) or at + _ENTRY.size > len(self.data):
                raise broken("its directory is damaged")
            fields = _ENTRY.unpack_from(self.data, at)
            at += _ENTRY.size
            raw, extra, _ = (self.data[at : (at := at + length)] for length in fields[10:13])
            if at > len(self.data):
                raise broken("its directory is cut off")
            yield _entry(fields, raw, extra, self.moved)


def read(file: IO[bytes]) -> Directory:
    """Reads the directory of a zip.

    Raises:
        ReadError: there is none, or it is damaged.
        TooLarge: more than MAX_DIRECTORY_BYTES.
    """
    size = file.seek(0, 2)
    tail_start = file.seek(max(0, size - _MAX_COMMENT_BYTES - _END.size - _LOCATOR_64.size - _END_64.size))
    tail = file.read(size - tail_start)
    at = _end(tail)
    if at < 0 or at + _END.size > len(tail):
        raise broken("no directory at its end; truncated, or no zip")
    _, disk, *_, length, offset, _ = _END.unpack_from(tail, at)
    in_64 = _end_64(tail, at)
    if in_64 >= 0:
        at = in_64
        *_, disk, _, _, _, length, offset = _END_64.unpack_from(tail, at)
    if disk:
        raise broken("it is one part of a zip in several files; join them to one")
    start = tail_start + at - length
    if start < offset:
        raise broken("its directory is cut off or damaged")
    if length > MAX_DIRECTORY_BYTES:
        raise errors.TooLarge(f"a directory of {length} bytes, at most {MAX_DIRECTORY_BYTES}; divide the archive")
    file.seek(start)
    return Directory(file.read(length), start, start - offset)


def _end(tail: bytes) -> int:
    """Returns the place of the record that ends a zip, -1 for none; of several the one whose comment ends the file."""
    last = at = tail.rfind(_END_MARK)
    while at >= 0:
        if int.from_bytes(tail[at + _END.size - 2 : at + _END.size], "little") == len(tail) - at - _END.size:
            return at
        at = tail.rfind(_END_MARK, 0, at)
    return last


def _end_64(tail: bytes, end: int) -> int:
    """Returns the place of the record of zip64 before the end record, -1 for none; it may have further fields."""
    locator = end - _LOCATOR_64.size
    if locator < 0 or not tail.startswith(b"PK\6\7", locator):
        return -1
    at = tail.rfind(b"PK\6\6", 0, locator)
    return at if at + _END_64.size <= locator else -1


def _entry(fields: tuple, raw: bytes, extra: bytes, moved: int) -> Entry:
    _, version, _, flags, _, _, _, crc, packed, size, *_, attributes, offset = fields
    system = version >> 8
    found = dict(_extra_fields(extra))
    wide = found.get(_ZIP64, b"")
    size, packed, offset = (min(value, _MOST) for value in _widened((size, packed, offset), wide))
    kind = stat.S_IFMT(attributes >> 16) if system in _UNIX_SYSTEMS else 0
    name = _name(raw, flags, system, found.get(_UNICODE_PATH, b""))
    return Entry(name, crc, packed, size, offset + moved, kind in (0, stat.S_IFREG))


def _extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        yield kind, extra[at + 4 : at + 4 + length]
        at += 4 + length


def _widened(values: tuple[int, ...], wide: bytes) -> Iterator[int]:
    """Yields the values; those that do not fit into 32 bits stand one after the other in the field of zip64."""
    for value in values:
        if value == _IN_ZIP64 and len(wide) >= 8:
            yield int.from_bytes(wide[:8], "little")
            wide = wide[8:]
        else:
            yield value


def _name(raw: bytes, flags: int, system: int, unicode_path: bytes) -> str:
    """Returns a name in the encoding that the entry states.

    Without a statement it is IBM's code page 437, but for valid UTF-8 of a program on Unix: many of them, macOS's among
    them, write that. In a name without slashes by a program on Windows, backslashes separate folders.
    """
    if not flags & _UTF8_FLAG and unicode_path[:5] == b"\1" + zlib.crc32(raw).to_bytes(4, "little"):
        raw, flags = unicode_path[5:], _UTF8_FLAG
    if flags & _UTF8_FLAG or system in _UNIX_SYSTEMS:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            pass
    if system not in _UNIX_SYSTEMS and _WINDOWS_PATH.fullmatch(raw):
        raw = raw.replace(b"\\", b"/")
    return raw.decode("cp437")
