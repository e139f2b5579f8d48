"""EXIF blocks: read, and set right for upright sRGB pixels; photochrom.imaging.exif_layout lays them out anew.

Values stay the bytes that they were. A block is changed in place where it can be, since maker notes hold offsets
into it that no library can move.

Source: CIPA DC-008 (EXIF 2.32), TIFF 6.0 section 2, and for 8-byte offsets the BigTIFF design.
"""

import dataclasses
import struct

from photochrom.imaging import exif_layout
from photochrom.imaging.exif_layout import TYPE_SIZES, Directory, Entry

ARTIST, COPYRIGHT, DESCRIPTION = 315, 33432, 270
ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 274, 282, 283, 296
EXIF_IFD, GPS_IFD = 34665, 34853
_INTEROPERABILITY_IFD = 40965
# A directory's tag -> the tag of the directory that it belongs to, 0 the first.
_PARENTS = {EXIF_IFD: 0, GPS_IFD: 0, _INTEROPERABILITY_IFD: EXIF_IFD}
_VERSION, _COMPONENTS, _FLASHPIX = 0x9000, 0x9101, 0xA000
_COLOR_SPACE, _PIXEL_WIDTH, _PIXEL_HEIGHT = 0xA001, 0xA002, 0xA003
# What EXIF allows in a JPEG alone: ComponentsConfiguration, CompressedBitsPerPixel, the sizes.
OF_A_JPEG = frozenset((_COMPONENTS, 0x9102, _PIXEL_WIDTH, _PIXEL_HEIGHT))
_POSITIONING = 531
_SRGB = 1
_ASCII, _SHORT, _LONG, _RATIONAL, _UNDEFINED = 2, 3, 4, 5, 7
_IFD = 13
# Longer values, of maker notes and comments, are what makes a block too large for a JPEG.
_SHORT_VALUE_BYTES = 1000
_WIDTH, _HEIGHT = 256, 257
# What tells that a block was the first directory of a TIFF: offsets of its pixels, or XMP, IPTC-IIM, Photoshop's
# resources and the profile, which all have a place of their own in a copy.
_OF_A_TIFF = frozenset((273, 324, 330, 700, 33723, 34377, 34675))
# These, and what such a directory says of the layout of its own pixels.
STRUCTURE = frozenset(
    (254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284, 288, 289, 290, 291, 292,
     293, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 330, 332, 333, 334, 336, 338, 339, 340, 341, 347, 512,
     513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532, 700, 32997, 32998, 33723, 34377, 34675)
)  # fmt: skip


@dataclasses.dataclass
class Block:
    """A parsed EXIF block.

    Attributes:
        raw: the block as it came, from its TIFF header on; b"" for one that was made here.
        order: "<" or ">".
        main: the first directory; those of EXIF, GPS and interoperability are values in it.
        positions: where in `raw` the value or its offset stands, of each (directory's tag or 0, tag).
        thumbnail: where in `raw` the offset of the second directory stands.
        left: how many bytes more its values can have without overlap.
    """

    raw: bytes
    order: str
    main: Directory
    positions: dict[tuple[int, int], int]
    thumbnail: int = 0
    left: int = 0


def empty() -> Block:
    """Returns a block without fields, little-endian."""
    return Block(b"", "<", {}, {})


def parse(exif: bytes) -> Block:
    """Reads a block, with or without "Exif" and two zeros before it; fields that point outside of it are left out.

    One that is whole and has no fields, as some programs write it, is as none.

    Raises:
        ValueError: it is no EXIF block.
    """
    raw = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(raw[:4])
    if order is None or len(raw) < 10:
        raise ValueError(f"{len(raw)} bytes that begin with {raw[:4]!r} are no EXIF block")
    (start,) = struct.unpack_from(f"{order}I", raw, 4)
    if start >= 8 and raw[start : start + 2] == b"\0\0":
        return empty()
    block = Block(raw, order, {}, {}, left=len(raw))
    block.main, block.thumbnail = _read_directory(block, start, 0)
    if not block.main:
        raise ValueError(f"no EXIF field at byte {start} of {len(raw)}")
    return block


def _read_directory(block: Block, start: int, parent: int) -> tuple[Directory, int]:
    """Returns a directory's fields, and where the offset of the next directory stands (0: beyond the block)."""
    raw, order = block.raw, block.order
    if not 8 <= start <= len(raw) - 2:
        return {}, 0
    (count,) = struct.unpack_from(f"{order}H", raw, start)
    count = min(count, (len(raw) - start - 2) // 12)
    directory: Directory = {}
    for at in range(start + 2, start + 2 + 12 * count, 12):
        tag, type, number = struct.unpack_from(f"{order}HHI", raw, at)
        size = TYPE_SIZES.get(type, 0) * number
        begin = at + 8 if size <= 4 else struct.unpack_from(f"{order}I", raw, at + 8)[0]
        if type == _IFD and tag not in _PARENTS:
            continue
        if not size or begin + size > len(raw) or tag in directory:
            continue
        block.left -= size
        if block.left < 0:
            raise ValueError("EXIF fields overlap")
        value = raw[begin : begin + size]
        directory[tag] = Entry(type, value)
        if tag in _PARENTS and size == 4:
            if _PARENTS[tag] != parent:
                del directory[tag]
                continue
            directory[tag].value, _ = _read_directory(block, struct.unpack(f"{order}I", value)[0], tag)
        block.positions[parent, tag] = at + 8
    end = start + 2 + 12 * count
    return directory, end if end + 4 <= len(raw) else 0


def text(value: str) -> Entry:
    """Returns a field of text; UTF-8 beyond ASCII, as is usual."""
    return Entry(_ASCII, value.replace("\0", " ").encode("utf-8", "replace") + b"\0")


def of_a_jpeg(width: int, height: int) -> Directory:
    """Returns the fields that EXIF requires in a JPEG, of upright sRGB pixels of that size, little-endian."""
    values = {_COLOR_SPACE: _SRGB, _PIXEL_WIDTH: width, _PIXEL_HEIGHT: height}
    below = {tag: Entry(_LONG, struct.pack("<I", value)) for tag, value in values.items()}
    below[_COLOR_SPACE] = Entry(_SHORT, struct.pack("<H", _SRGB))
    for tag, value in ((_VERSION, b"0232"), (_COMPONENTS, b"\1\2\3\0"), (_FLASHPIX, b"0100")):
        below[tag] = Entry(_UNDEFINED, value)
    return {_POSITIONING: Entry(_SHORT, struct.pack("<H", 1)), EXIF_IFD: Entry(_LONG, below)}


def resolution(dpi: tuple[float, float], order: str) -> Directory:
    """Returns the three fields that state a resolution, px per inch."""
    across, down = (Entry(_RATIONAL, struct.pack(f"{order}II", round(v * 1000), 1000)) for v in dpi)
    return {X_RESOLUTION: across, Y_RESOLUTION: down, RESOLUTION_UNIT: Entry(_SHORT, struct.pack(f"{order}H", 2))}


def reduced(block: Block) -> Block:
    """Returns the block without long values (maker notes, comments): what a caption and a date need remains."""

    def short(directory: Directory) -> Directory:
        kept: Directory = {}
        for tag, entry in directory.items():
            if isinstance(entry.value, dict):
                kept[tag] = Entry(entry.type, short(entry.value))
            elif len(entry.value) <= _SHORT_VALUE_BYTES:
                kept[tag] = entry
        return kept

    return dataclasses.replace(block, raw=b"", main=short(block.main))


def set_right(block: Block, width: int, height: int) -> Block:
    """Returns the block as it is true of upright sRGB pixels of that size, without the thumbnail, which has no colours.

    What speaks of another file's pixels, and what has a place of its own in a file, is taken out.
    """
    result = dataclasses.replace(block, main=dict(block.main))
    if _OF_A_TIFF & set(block.main):
        result.main = {tag: entry for tag, entry in block.main.items() if tag not in STRUCTURE}
        result.raw = b""  # to be laid out anew
    _put(result, 0, _WIDTH, _LONG, width)
    _put(result, 0, _HEIGHT, _LONG, height)
    _put(result, 0, ORIENTATION, _SHORT, 1)
    _put(result, EXIF_IFD, _COLOR_SPACE, _SHORT, _SRGB)
    _put(result, EXIF_IFD, _PIXEL_WIDTH, _LONG, width)
    _put(result, EXIF_IFD, _PIXEL_HEIGHT, _LONG, height)
    if result.raw and result.thumbnail:
        result.raw = _patched(result.raw, result.thumbnail, bytes(4))
    return result


def _put(block: Block, parent: int, tag: int, type: int, value: int) -> None:
    """Sets a number that is there already, in the fields and in the block as it came."""
    directory = block.main if not parent else block.main[parent].value if parent in block.main else {}
    if not isinstance(directory, dict) or tag not in directory:
        return
    number = struct.pack(f"{block.order}{'H' if type == _SHORT else 'I'}", value)
    directory[tag] = Entry(type, number)  # that of EXIF is the parsed block's own: nobody needs it as it was
    if block.raw:  # the type stands 6 bytes before the value, the count 4
        field = struct.pack(f"{block.order}HI", type, 1) + number.ljust(4, b"\0")
        block.raw = _patched(block.raw, block.positions[parent, tag] - 6, field)


def _patched(raw: bytes, at: int, value: bytes) -> bytes:
    return raw[:at] + value + raw[at + len(value) :]


def to_bytes(block: Block) -> bytes:
    """Returns the block for a JPEG, PNG or WebP: as it came, or laid out anew where fields were added or taken out."""
    if block.raw or not block.main:
        return block.raw
    return exif_layout.block(block.main, block.order)
