"""EXIF blocks: made of a TIFF page's fields, parsed, updated for new pixels, and serialized.

Values keep their bytes. A block is changed in place where possible: maker notes hold offsets into it that no library
can adjust.

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
_TYPE_SIZES = {type: size for type, size in tags.TYPE_SIZES.items() if type not in (tags.LONG8, tags.SLONG8, tags.IFD8)}
# A directory's tag -> the tag of the directory that it belongs to, 0 for the first.
_PARENTS = {tags.EXIF_IFD: 0, tags.GPS_IFD: 0, tags.INTEROPERABILITY_IFD: tags.EXIF_IFD}
_MAX_VALUE_BYTES = 16_000_000
# `reduced` keeps values up to this length; maker notes and comments are longer.
_SHORT_VALUE_BYTES = 1000
_SRGB, _INCH, _CENTERED = 1, 2, 1


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
        positions: place in `raw` of the value or its offset, of each (directory's tag or 0, tag).
        thumbnail: place in `raw` of the offset of the second directory; 0 for none.
    """

    order: str = "<"
    main: Directory = dataclasses.field(default_factory=dict)
    raw: bytes = b""
    positions: dict[tuple[int, int], int] = dataclasses.field(default_factory=dict)
    thumbnail: int = 0

    def to_bytes(self) -> bytes:
        """Returns the block, without "Exif" and two zeros; b"" for one without fields."""
        if self.raw or not self.main:
            return self.raw
        magic = next(magic for magic, order in _ORDERS.items() if order == self.order)
        return magic + struct.pack(f"{self.order}I", 8) + lay_out(self.main, 8, self.order)


def from_tiff(reader: tiff_directory.Reader, page: tiff_directory.Directory) -> bytes:
    """Returns "Exif", two zeros and a block of the page's descriptive fields and its EXIF and GPS; b"" for none."""
    main = _entries(reader, page, tags.DESCRIPTIVE)
    for number in (tags.EXIF_IFD, tags.GPS_IFD):
        below = _entries_below(reader, reader.number(page, number))
        if below:
            main[number] = Entry(tags.LONG, below)
    return _MARK + Block(reader.order, main).to_bytes() if main else b""


def _entries_below(reader: tiff_directory.Reader, offset: int) -> Directory:
    """Returns the entries of the directory at `offset`; none where it is broken or there is none (0)."""
    try:
        directory = reader.directory(offset) if offset else None
    except errors.DecodeError:
        directory = None
    if directory is None or directory.value_bytes > len(reader.data):
        return {}
    return _entries(reader, directory, directory.tags.keys() - {tags.INTEROPERABILITY_IFD})


def _entries(reader: tiff_directory.Reader, directory: tiff_directory.Directory, numbers: Collection[int]) -> Directory:
    entries = {}
    for number in set(numbers) & directory.tags.keys():
        type = directory.tags[number].type
        value = reader.raw(directory, number, _MAX_VALUE_BYTES)
        if value and type in _TYPE_SIZES:
            entries[number] = Entry(type, value)
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
    fields, values = b"", b""
    for tag, entry in sorted(directory.items()):
        at = base + size + len(values)
        if isinstance(entry.value, dict):
            type, count, field = (tags.IFD8 if big else tags.LONG), 1, struct.pack(f"{order}{offset}", at)
            values += _even(lay_out(entry.value, at, order, big=big))
        else:
            type, count = entry.type, len(entry.value) // _TYPE_SIZES[entry.type]
            field = entry.value.ljust(width, b"\0")
            if len(entry.value) > width:
                field = struct.pack(f"{order}{offset}", at)
                values += _even(entry.value)
        fields += struct.pack(f"{order}{entry_format}", tag, type, count) + field
    return head + fields + bytes(width) + values


def _even(value: bytes) -> bytes:
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
        raise ValueError(f"{len(raw)} bytes that begin with {raw[:4]!r} are no EXIF block")
    (start,) = struct.unpack_from(f"{order}I", raw, 4)
    if start >= 8 and raw[start : start + 2] == b"\0\0":
        return Block()
    parser = _Parser(raw, order)
    main, thumbnail = parser.directory(start, 0)
    if not main:
        raise ValueError(f"no EXIF field at byte {start} of {len(raw)}")
    return Block(order, main, raw, parser.positions, thumbnail)


class _Parser:
    """Reads the directories of a block.

    Attributes:
        positions: as in `Block`, of the fields read so far.
    """

    def __init__(self, raw: bytes, order: str):
        self._raw = raw
        self._order = order
        self._left = len(raw)  # bytes that further values can have without overlap
        self.positions: dict[tuple[int, int], int] = {}

    def directory(self, start: int, parent: int) -> tuple[Directory, int]:
        """Returns a directory's fields, and the place of the next directory's offset (0: beyond the block)."""
        raw, order = self._raw, self._order
        if not 8 <= start <= len(raw) - 2:
            return {}, 0
        (count,) = struct.unpack_from(f"{order}H", raw, start)
        end = start + 2 + 12 * min(count, (len(raw) - start - 2) // 12)
        directory: Directory = {}
        for at in range(start + 2, end, 12):
            (tag,) = struct.unpack_from(f"{order}H", raw, at)
            entry = self._entry(at, parent) if tag not in directory else None
            if entry:
                directory[tag] = entry
                self.positions[parent, tag] = at + 8
        return directory, end if end + 4 <= len(raw) else 0

    def _entry(self, at: int, parent: int) -> Entry | None:
        """Returns the field at a place; None for one that points outside, or for a directory in the wrong place."""
        tag, type, number = struct.unpack_from(f"{self._order}HHI", self._raw, at)
        size = _TYPE_SIZES.get(type, 0) * number
        begin = at + 8 if size <= 4 else struct.unpack_from(f"{self._order}I", self._raw, at + 8)[0]
        if not size or begin + size > len(self._raw) or (type == tags.IFD and tag not in _PARENTS):
            return None
        self._left -= size
        if self._left < 0:
            raise ValueError("EXIF fields overlap")
        value = self._raw[begin : begin + size]
        if tag not in _PARENTS or size != 4:
            return Entry(type, value)
        if _PARENTS[tag] != parent:
            return None
        return Entry(type, self.directory(struct.unpack(f"{self._order}I", value)[0], tag)[0])


def update_for(block: Block, width: int, height: int) -> Block:
    """Returns the block as it applies to upright sRGB pixels of that size, without the thumbnail, which has no colours.

    Fields about another file's storage of pixels, and blocks with a place of their own in a file, are removed.
    """
    main = {tag: Entry(entry.type, _copied(entry.value)) for tag, entry in block.main.items()}
    result = dataclasses.replace(block, main=main)
    if tags.ONLY_IN_TIFF & set(main):
        result.main = {tag: entry for tag, entry in main.items() if tag not in tags.STRUCTURE}
        result.raw = b""  # to be serialized again
    _set(result, 0, tags.IMAGE_WIDTH, tags.LONG, width)
    _set(result, 0, tags.IMAGE_LENGTH, tags.LONG, height)
    _set(result, 0, tags.ORIENTATION, tags.SHORT, 1)
    _set(result, tags.EXIF_IFD, tags.COLOR_SPACE, tags.SHORT, _SRGB)
    _set(result, tags.EXIF_IFD, tags.PIXEL_X_DIMENSION, tags.LONG, width)
    _set(result, tags.EXIF_IFD, tags.PIXEL_Y_DIMENSION, tags.LONG, height)
    if result.raw and result.thumbnail:
        result.raw = _patched(result.raw, result.thumbnail, bytes(4))
    return result


def _copied(value: bytes | Directory) -> bytes | Directory:
    return dict(value) if isinstance(value, dict) else value


def _set(block: Block, parent: int, tag: int, type: int, value: int) -> None:
    """Sets a number that the block has already, in its fields and in its bytes."""
    directory = block.main if not parent else block.main[parent].value if parent in block.main else {}
    if not isinstance(directory, dict) or tag not in directory:
        return
    number = _packed(type, value, block.order)
    directory[tag] = Entry(type, number)
    if block.raw:  # the type has its place 6 bytes before the value, the count 4
        field = struct.pack(f"{block.order}HI", type, 1) + number.ljust(4, b"\0")
        block.raw = _patched(block.raw, block.positions[parent, tag] - 6, field)


def _patched(raw: bytes, at: int, value: bytes) -> bytes:
    return raw[:at] + value + raw[at + len(value) :]


def reduced(block: Block) -> Block:
    """Returns the block without long values (maker notes, comments); captions and dates remain."""
    return Block(block.order, _short(block.main))


def _short(directory: Directory) -> Directory:
    kept: Directory = {}
    for tag, entry in directory.items():
        if isinstance(entry.value, dict):
            kept[tag] = Entry(entry.type, _short(entry.value))
        elif len(entry.value) <= _SHORT_VALUE_BYTES:
            kept[tag] = entry
    return kept


def text(value: str) -> Entry:
    """Returns a field of text; UTF-8 beyond ASCII, as is usual."""
    return Entry(tags.ASCII, value.replace("\0", " ").encode("utf-8", "replace") + b"\0")


def resolution(dpi: tuple[float, float], order: str) -> Directory:
    """Returns the three fields that state a resolution, px per inch."""
    across, down = (Entry(tags.RATIONAL, struct.pack(f"{order}II", round(v * 1000), 1000)) for v in dpi)
    unit = _number(tags.SHORT, _INCH, order)
    return {tags.X_RESOLUTION: across, tags.Y_RESOLUTION: down, tags.RESOLUTION_UNIT: unit}


def required_in_jpeg(width: int, height: int) -> Directory:
    """Returns the fields that EXIF requires in a JPEG of upright sRGB pixels of that size, little-endian."""
    below = {
        tags.EXIF_VERSION: Entry(tags.UNDEFINED, b"0232"),
        tags.COMPONENTS_CONFIGURATION: Entry(tags.UNDEFINED, b"\1\2\3\0"),
        tags.FLASHPIX_VERSION: Entry(tags.UNDEFINED, b"0100"),
        tags.COLOR_SPACE: _number(tags.SHORT, _SRGB, "<"),
        tags.PIXEL_X_DIMENSION: _number(tags.LONG, width, "<"),
        tags.PIXEL_Y_DIMENSION: _number(tags.LONG, height, "<"),
    }
    positioning = _number(tags.SHORT, _CENTERED, "<")
    return {tags.YCBCR_POSITIONING: positioning, tags.EXIF_IFD: Entry(tags.LONG, below)}


def _number(type: int, value: int, order: str) -> Entry:
    return Entry(type, _packed(type, value, order))


def _packed(type: int, value: int, order: str) -> bytes:
    return struct.pack(f"{order}{'H' if type == tags.SHORT else 'I'}", value)
