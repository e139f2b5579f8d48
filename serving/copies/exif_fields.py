"""Fields of a copy's EXIF: those of the original by the rules of tag_rules.py, and those that a copy needs.

Source: CIPA DC-008 (EXIF 2.32), 4.6.
"""

import dataclasses
import struct

from photochrom.imaging import tags
from photochrom.imaging.exif import Block, Directory, Entry
from serving.copies import exif_in_place, tag_rules
from serving.copies.frame import Frame
from serving.copies.tag_rules import Rule

# `reduced` keeps values up to this length; maker notes and comments are longer.
_SHORT_VALUE_BYTES = 1000
_SRGB, _NO_UNIT, _INCH, _CENTERED = 1, 1, 2, 1
_BASIC_FILE = Entry(tags.ASCII, b"R98\0")  # of DCF: in sRGB
_INTEGERS = {tags.SHORT: "H", tags.LONG: "I"}


def update_for(block: Block, frame: Frame, *, moves: bool) -> tuple[Block, tuple[str, ...]]:
    """Returns the block as it applies to the copy's upright sRGB pixels, without the thumbnail, which has no colours.

    Values that stay keep their places in the block.

    Args:
        block: of the original.
        frame: of the copy.
        moves: whether the fields get a new layout later.

    Returns:
        The block, and a note if fields are left out of it.
    """
    update = _Update(block.order, frame, moves)
    updated = exif_in_place.rewritten(block, update.directory(0, block.main))
    words = "that may be offsets, or that no longer hold,"
    notes = (f"EXIF and TIFF fields {words} are not kept: {tags.names(update.left_out)}",) if update.left_out else ()
    return updated, notes


@dataclasses.dataclass
class _Update:
    """Applies the rules.

    Attributes:
        left_out: fields without a place in the copy, to be noted.
    """

    order: str
    frame: Frame
    moves: bool
    left_out: set[int] = dataclasses.field(default_factory=set)

    def directory(self, number: int, fields: Directory) -> Directory:
        """Returns the copy's fields of a directory."""
        result: Directory = {}
        for tag, entry in fields.items():
            if isinstance(entry.value, dict):
                below = self.directory(tag, entry.value)
                updated = Entry(entry.type, below) if below else None
            else:
                updated = self._field(number, tag, entry)
            if updated:
                result[tag] = updated
        return _swapped(result) if self.frame.is_swapped else result

    def _field(self, directory: int, tag: int, entry: Entry) -> Entry | None:
        rule = tag_rules.of(directory, tag, entry.type, moves=self.moves)
        if rule is Rule.SET:
            return self._of_copy(tag)
        if rule is Rule.STORAGE:
            return None
        is_kept = rule in (Rule.KEEP, Rule.TURN) or (rule is not Rule.NOTE and self.frame.is_same)
        if is_kept and rule is Rule.BLACK:
            is_kept = isinstance(entry.value, bytes) and entry.value.strip(b" \0") == b"0"
        kept = self._subject(entry) if tag in (tags.SUBJECT_AREA, tags.SUBJECT_LOCATION) and directory else entry
        if not is_kept or not kept:
            self.left_out.add(tag)
            return None
        return kept

    def _of_copy(self, tag: int) -> Entry:
        width, height = self.frame.width, self.frame.copy_height
        return {
            tags.IMAGE_WIDTH: _number(tags.LONG, width, self.order),
            tags.IMAGE_LENGTH: _number(tags.LONG, height, self.order),
            tags.ORIENTATION: _number(tags.SHORT, 1, self.order),
            tags.YCBCR_POSITIONING: _number(tags.SHORT, _CENTERED, self.order),
            tags.COLOR_SPACE: _number(tags.SHORT, _SRGB, self.order),
            tags.PIXEL_X_DIMENSION: _number(tags.LONG, width, self.order),
            tags.PIXEL_Y_DIMENSION: _number(tags.LONG, height, self.order),
            tags.INTEROPERABILITY_INDEX: _BASIC_FILE,
        }[tag]

    def _subject(self, entry: Entry) -> Entry | None:
        """Returns a subject's area in the copy; None for one that is not in the picture."""
        if self.frame.orientation == 1:
            return entry
        code, value = _INTEGERS.get(entry.type, ""), entry.value
        if not code or not isinstance(value, bytes):
            return None
        layout = f"{self.order}{len(value) // struct.calcsize(code)}{code}"
        try:
            return Entry(entry.type, struct.pack(layout, *self.frame.subject(struct.unpack(layout, value))))
        except (ValueError, struct.error):
            return None


def _swapped(fields: Directory) -> Directory:
    """Returns fields with each pair of horizontal and vertical ones swapped."""
    swapped = dict(fields)
    for across, down in tag_rules.PAIRS:
        for one, other in ((across, down), (down, across)):
            swapped.pop(one, None)
            if other in fields:
                swapped[one] = fields[other]
    return swapped


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


def resolution(density: tuple[float, float], order: str, *, has_unit: bool = True) -> Directory:
    """Returns the three fields that state a resolution across and down, px per inch, or without a unit its ratio."""
    values = (Entry(tags.RATIONAL, struct.pack(f"{order}II", round(v * 1000), 1000)) for v in density)
    unit = _number(tags.SHORT, _INCH if has_unit else _NO_UNIT, order)
    return dict(zip((tags.X_RESOLUTION, tags.Y_RESOLUTION, tags.RESOLUTION_UNIT), (*values, unit), strict=True))


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
    return Entry(type, struct.pack(f"{order}{'H' if type == tags.SHORT else 'I'}", value))
