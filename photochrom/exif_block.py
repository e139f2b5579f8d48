"""Packs the tags of a TIFF page that are EXIF into an EXIF block of their own, value by value as they are."""

import struct
from collections.abc import Collection
from typing import NamedTuple

from photochrom import errors, ifd

_EXIF_DIRECTORY, _GPS_DIRECTORY, _INTEROPERABILITY = 34665, 34853, 40965
# Of the page's own tags those that tell of the picture: document name, description, make, model, page name, software,
# date, artist, host, copyright, Windows's five. Size, colours and strips are the new file's own matter.
_KEPT = (269, 270, 271, 272, 285, 305, 306, 315, 316, 33432, 40091, 40092, 40093, 40094, 40095)
_MAX_VALUE_BYTES = 16_000_000
_LONG = 4


class _Entry(NamedTuple):
    number: int
    type: int
    items: int
    value: bytes


def from_tiff(reader: ifd.Reader, page: ifd.Directory) -> bytes:
    """Returns "Exif", two zeros and a TIFF structure with the page's EXIF and GPS directories; b"" for none."""
    own = _entries(reader, page, _KEPT)
    under = {}
    for number in (_EXIF_DIRECTORY, _GPS_DIRECTORY):
        entries = _entries_under(reader, reader.number(page, number))
        if entries:
            under[number] = entries
    if not own and not under:
        return b""
    pointers = [_Entry(number, _LONG, 1, bytes(4)) for number in under]
    start = 8 + len(_pack(reader.order, own + pointers, 8))
    bodies = b""
    for i, (number, entries) in enumerate(under.items()):
        pointers[i] = _Entry(number, _LONG, 1, struct.pack(reader.order + "I", start + len(bodies)))
        bodies += _pack(reader.order, entries, start + len(bodies))
    header = (b"II*\0" if reader.order == "<" else b"MM\0*") + struct.pack(reader.order + "I", 8)
    return b"Exif\0\0" + header + _pack(reader.order, own + pointers, 8) + bodies


def _entries_under(reader: ifd.Reader, offset: int) -> list[_Entry]:
    """Returns the entries of the directory at `offset`; none where it is broken or there is none (0)."""
    try:
        directory = reader.directory(offset) if offset else None
    except errors.DecodeError:
        directory = None
    if directory is None or directory.value_bytes > len(reader.data):
        return []
    return _entries(reader, directory, directory.tags.keys() - {_INTEROPERABILITY})


def _entries(reader: ifd.Reader, directory: ifd.Directory, numbers: Collection[int]) -> list[_Entry]:
    entries = []
    for number in sorted(set(numbers) & directory.tags.keys()):
        tag = directory.tags[number]
        value = reader.raw(directory, number, _MAX_VALUE_BYTES)
        if value and (tag.type <= 13 or tag.type == 129):  # BigTIFF's own types have no place in EXIF
            entries.append(_Entry(number, tag.type, tag.count, value))
    return entries


def _pack(order: str, entries: list[_Entry], offset: int) -> bytes:
    """Returns a directory that begins at `offset`: its entries, and after them the values of more than four bytes."""
    entries = sorted(entries)
    values = b""
    place = offset + 2 + 12 * len(entries) + 4
    table = struct.pack(order + "H", len(entries))
    for entry in entries:
        field = entry.value.ljust(4, b"\0")
        if len(entry.value) > 4:
            field = struct.pack(order + "I", place + len(values))
            values += entry.value + bytes(len(entry.value) % 2)
        table += struct.pack(order + "HHI", entry.number, entry.type, entry.items) + field
    return table + bytes(4) + values
