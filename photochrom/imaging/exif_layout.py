"""Lays out directories of EXIF, and packs those of a TIFF page into a block of their own, values as they are."""

import dataclasses
import struct
from collections.abc import Collection

from photochrom import errors
from photochrom.imaging import tiff_directory

_EXIF_DIRECTORY, _GPS_DIRECTORY, _INTEROPERABILITY = 34665, 34853, 40965
# Of the page's own tags those that tell of the picture: document name, description, make, model, page name, software,
# date, artist, host, copyright, Windows's five. Size, colours and strips are the new file's own matter.
_KEPT = (269, 270, 271, 272, 285, 305, 306, 315, 316, 33432, 40091, 40092, 40093, 40094, 40095)
_MAX_VALUE_BYTES = 16_000_000
_LONG, _BIG_OFFSET = 4, 18
# Bytes of a value by its type; BigTIFF's own types have no place in EXIF.
TYPE_SIZES = {type: size for type, size in tiff_directory.TYPE_SIZES.items() if type not in (16, 17, _BIG_OFFSET)}


@dataclasses.dataclass
class Entry:
    """A field of a directory: its type, and its value's bytes in the block's byte order, or a directory."""

    type: int
    value: "bytes | Directory"


Directory = dict[int, Entry]


def from_tiff(reader: tiff_directory.Reader, page: tiff_directory.Directory) -> bytes:
    """Returns "Exif", two zeros and a TIFF structure with the page's EXIF and GPS directories; b"" for none."""
    directory = _entries(reader, page, _KEPT)
    for number in (_EXIF_DIRECTORY, _GPS_DIRECTORY):
        under = _entries_under(reader, reader.number(page, number))
        if under:
            directory[number] = Entry(_LONG, under)
    return b"Exif\0\0" + block(directory, reader.order) if directory else b""


def _entries_under(reader: tiff_directory.Reader, offset: int) -> Directory:
    """Returns the entries of the directory at `offset`; none where it is broken or there is none (0)."""
    try:
        directory = reader.directory(offset) if offset else None
    except errors.DecodeError:
        directory = None
    if directory is None or directory.value_bytes > len(reader.data):
        return {}
    return _entries(reader, directory, directory.tags.keys() - {_INTEROPERABILITY})


def _entries(reader: tiff_directory.Reader, directory: tiff_directory.Directory, numbers: Collection[int]) -> Directory:
    entries = {}
    for number in set(numbers) & directory.tags.keys():
        tag = directory.tags[number]
        value = reader.raw(directory, number, _MAX_VALUE_BYTES)
        if value and tag.type in TYPE_SIZES:
            entries[number] = Entry(tag.type, value)
    return entries


def block(directory: Directory, order: str) -> bytes:
    """Returns a TIFF structure whose first directory this is."""
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return header + lay_out(directory, 8, order)


def lay_out(directory: Directory, base: int, order: str, *, big: bool = False) -> bytes:
    """Returns a directory with all that it points at, to stand at the even byte `base` of a file.

    Args:
        directory: its fields.
        base: where it will stand.
        order: "<" or ">", as the values' bytes are.
        big: whether offsets have 8 bytes (BigTIFF).
    """
    number, entry_format, offset = ("Q", "HHQ", "Q") if big else ("H", "HHI", "I")
    width = struct.calcsize(f"{order}{offset}")
    head = struct.pack(f"{order}{number}", len(directory))
    size = len(head) + len(directory) * (struct.calcsize(f"{order}{entry_format}") + width) + width
    fields, values = b"", b""
    for tag, entry in sorted(directory.items()):
        at = base + size + len(values)
        if isinstance(entry.value, dict):
            type, count, field = (_BIG_OFFSET if big else _LONG), 1, struct.pack(f"{order}{offset}", at)
            values += _even(lay_out(entry.value, at, order, big=big))
        else:
            type, count, field = entry.type, len(entry.value) // TYPE_SIZES[entry.type], entry.value.ljust(width, b"\0")
            if len(entry.value) > width:
                field = struct.pack(f"{order}{offset}", at)
                values += _even(entry.value)
        fields += struct.pack(f"{order}{entry_format}", tag, type, count) + field
    return head + fields + bytes(width) + values


def _even(value: bytes) -> bytes:
    return value + b"\0" * (len(value) % 2)
