"""EXIF blocks: made of a TIFF page's fields, parsed, and serialized.

Values keep their bytes: maker notes hold offsets that no library can adjust. `serving.copies` updates a block for new
pixels.

Source: CIPA DC-008 (EXIF 2.32), TIFF 6.0 section 2, and for 8-byte offsets the BigTIFF design.
"""

import dataclasses
import struct
from collections.abc import Collection

from photochrom import errors
from photochrom.imaging import tags, tiff_directory

_MARK = b"Exif\0\0"
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
# Bytes of a value by its type; EXIF has no fields of BigTIFF's types.
TYPE_SIZES = {type: size for type, size in tags.TYPE_SIZES.items() if type not in (tags.LONG8, tags.SLONG8, tags.IFD8)}
# A directory's tag -> the tag of the directory that it belongs to, 0 for the first.
_PARENTS = {tags.EXIF_IFD: 0, tags.GPS_IFD: 0, tags.INTEROPERABILITY_IFD: tags.EXIF_IFD}
# Values of all fields of a directory together.
_MAX_BYTES = 16_000_000
# Fields of a TIFF that Metadata states apart from its block.
_APART = frozenset((tags.ORIENTATION, tags.X_RESOLUTION, tags.Y_RESOLUTION, tags.RESOLUTION_UNIT))


@dataclasses.dataclass
class Entry:
    """A field of a directory: its type, and its value's bytes in the block's byte order, or a directory."""

    type: int
    value: "bytes | Directory"


Directory = dict[int, Entry]


@dataclasses.dataclass
class Block:
    """An EXIF block.

    Attributes:
        order: "<" or ">".
        main: the first directory; those of EXIF, GPS and interoperability are values in it.
        raw: the block as the file has it, from its TIFF header on; b"" where it has to be serialized.
    """

    order: str = "<"
    main: Directory = dataclasses.field(default_factory=dict)
    raw: bytes = b""

    def to_bytes(self) -> bytes:
        """Returns the block, without "Exif" and two zeros; b"" for one without fields."""
        if self.raw or not self.main:
            return self.raw
        magic = next(magic for magic, order in _ORDERS.items() if order == self.order)
        return magic + struct.pack(f"{self.order}I", 8) + lay_out(self.main, 8, self.order)


def from_tiff(reader: tiff_directory.Reader, page: tiff_directory.Directory) -> tuple[bytes, tuple[str, ...]]:
    """Makes a block of the page's fields that do not describe its stored pixels, with its EXIF and GPS.

    Returns:
        "Exif", two zeros and the block, b"" for none; and notes on fields that are left out.
    """
    chosen = page.tags.keys() - tags.STORAGE - tags.BLOCKS - _APART - _PARENTS.keys()
    unfit = {n for n in chosen if page.tags[n].type in tags.MAY_BE_OFFSETS} | chosen & {tags.IMAGE_SOURCE_DATA}
    main = _entries(reader, page, chosen - unfit)
    notes: tuple[str, ...] = ()
    if unfit:
        notes += (f"TIFF fields that hold layers, or may hold offsets, are not kept: {tags.names(unfit)}",)
    if large := chosen - unfit - main.keys():
        notes += (f"TIFF fields beyond {_MAX_BYTES} bytes are not kept: {tags.names(large)}",)
    for number in (tags.EXIF_IFD, tags.GPS_IFD):
        if below := _entries_below(reader, page, number):
            main[number] = Entry(tags.LONG, below)
    return _MARK + Block(reader.order, main).to_bytes() if main else b"", notes


def _entries_below(reader: tiff_directory.Reader, parent: tiff_directory.Directory, number: int) -> Directory:
    """Returns the entries of the directory that a field points to; none where it is broken or there is none (0)."""
    offset = reader.number(parent, number)
    try:
        directory = reader.directory(offset) if offset else None
    except errors.DecodeError:
        directory = None
    if directory is None or directory.value_bytes > len(reader.data):
        return {}
    entries = _entries(reader, directory, directory.tags.keys() - _PARENTS.keys())
    if number == tags.EXIF_IFD and (below := _entries_below(reader, directory, tags.INTEROPERABILITY_IFD)):
        entries[tags.INTEROPERABILITY_IFD] = Entry(tags.LONG, below)
    return entries


def _entries(reader: tiff_directory.Reader, directory: tiff_directory.Directory, numbers: Collection[int]) -> Directory:
    """Returns fields as entries, the shortest ones first up to _MAX_BYTES."""
    entries, left = {}, _MAX_BYTES
    for number in sorted(numbers, key=lambda number: (directory.tags[number].size, number)):
        tag = directory.tags[number]
        if tag.size <= left and tag.type in TYPE_SIZES:
            entries[number] = Entry(tag.type, reader.raw(directory, number, left))
            left -= tag.size
    return entries


def lay_out(directory: Directory, base: int, order: str, *, big: bool = False) -> bytes:
    """Returns the bytes of a directory and of all that it points to, for the even offset `base` of a file.

    Args:
        directory: its fields.
        base: offset of the first byte in the file.
        order: "<" or ">", the byte order of the values.
        big: whether offsets have 8 bytes (BigTIFF).
    """
    number, entry_format, offset = ("Q", "HHQ", "Q") if big else ("H", "HHI", "I")
    width = struct.calcsize(f"{order}{offset}")
    head = struct.pack(f"{order}{number}", len(directory))
    size = len(head) + len(directory) * (struct.calcsize(f"{order}{entry_format}") + width) + width
    fields, values = b"", bytearray()
    for tag, entry in sorted(directory.items()):
        at = base + size + len(values)
        if isinstance(entry.value, dict):
            type, count, field = (tags.IFD8 if big else tags.LONG), 1, struct.pack(f"{order}{offset}", at)
            values += even(lay_out(entry.value, at, order, big=big))
        else:
            type, count = entry.type, len(entry.value) // TYPE_SIZES[entry.type]
            field = entry.value.ljust(width, b"\0")
            if len(entry.value) > width:
                field = struct.pack(f"{order}{offset}", at)
                values += even(entry.value)
        fields += struct.pack(f"{order}{entry_format}", tag, type, count) + field
    return head + fields + bytes(width) + bytes(values)


def even(value: bytes) -> bytes:
    """Returns a value with a zero behind it if its length is odd: values begin at even offsets."""
    return value + b"\0" * (len(value) % 2)


def parse(exif: bytes) -> Block:
    """Reads a block, with or without "Exif" and two zeros before it; fields that point outside of it are left out.

    A complete block without fields, as some programs write it, gives an empty one.

    Raises:
        ValueError: it is no EXIF block, or its fields overlap.
    """
    raw = exif.removeprefix(_MARK)
    order = _ORDERS.get(raw[:4])
    if order is None or len(raw) < 10:
        raise ValueError(f"{len(raw)} bytes without a TIFF header are no EXIF block")
    (start,) = struct.unpack_from(f"{order}I", raw, 4)
    if start >= 8 and raw[start : start + 2] == b"\0\0":
        return Block()
    main = _Parser(raw, order).directory(start, 0)
    if not main:
        raise ValueError(f"no EXIF field at byte {start} of {len(raw)}")
    return Block(order, main, raw)


class _Parser:
    """Reads the directories of a block, in which no pointer is followed twice: each has one place in the tree."""

    def __init__(self, raw: bytes, order: str):
        self._raw = raw
        self._order = order
        self._left = len(raw)  # bytes that further values can have without overlap

    def directory(self, start: int, parent: int) -> Directory:
        """Returns a directory's fields."""
        raw, order = self._raw, self._order
        if not 8 <= start <= len(raw) - 2:
            return {}
        (count,) = struct.unpack_from(f"{order}H", raw, start)
        end = start + 2 + 12 * min(count, (len(raw) - start - 2) // 12)
        directory: Directory = {}
        for at in range(start + 2, end, 12):
            (tag,) = struct.unpack_from(f"{order}H", raw, at)
            entry = self._entry(at, parent) if tag not in directory else None
            if entry:
                directory[tag] = entry
        return directory

    def _entry(self, at: int, parent: int) -> Entry | None:
        """Returns the field at a place; None for one that points outside, or for a directory in the wrong place."""
        tag, type, number = struct.unpack_from(f"{self._order}HHI", self._raw, at)
        size = TYPE_SIZES.get(type, 0) * number
        begin = at + 8 if size <= 4 else struct.unpack_from(f"{self._order}I", self._raw, at + 8)[0]
        if not size or begin + size > len(self._raw):
            return None
        self._left -= size
        if self._left < 0:
            raise ValueError("EXIF fields overlap")
        value = self._raw[begin : begin + size]
        if tag not in _PARENTS or size != 4:
            return Entry(type, value)
        if _PARENTS[tag] != parent:
            return None
        return Entry(type, self.directory(struct.unpack(f"{self._order}I", value)[0], tag))
