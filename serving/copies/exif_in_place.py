"""Changes fields of an EXIF block and leaves all others in their places, so that maker notes remain intact.

Source: TIFF 6.0, section 2.
"""

import dataclasses
import struct

from photochrom.imaging import tags
from photochrom.imaging.exif import TYPE_SIZES, Block, Directory, Entry, even, lay_out

_COUNT_BYTES, _FIELD_BYTES, _OFFSET_BYTES = 2, 12, 4


def rewritten(block: Block, main: Directory) -> Block:
    """Returns the block with other fields, and without the directory of a thumbnail.

    Fields that the block has besides those of `block.main`, which point outside of it, are not touched.
    """
    if not block.raw or not main:
        return dataclasses.replace(block, main=main, raw=b"")
    raw = bytearray(block.raw)
    writer = _Writer(raw, block.order)
    start = writer.directory(writer.number(4), block.main, main, following=bytes(_OFFSET_BYTES))
    struct.pack_into(f"{block.order}I", raw, 4, start)
    return dataclasses.replace(block, main=main, raw=bytes(raw))


@dataclasses.dataclass
class _Writer:
    """Writes into `raw`; what has no room in its old place is appended."""

    raw: bytearray
    order: str

    def number(self, at: int, code: str = "I") -> int:
        return int(struct.unpack_from(self.order + code, self.raw, at)[0])

    def directory(self, start: int, old: Directory, new: Directory, following: bytes = b"") -> int:
        """Writes a directory over its old form, or behind all if it has more fields; returns its place.

        Args:
            start: of its old form.
            old, new: its fields; the former are in `raw`.
            following: the offset of the next directory; b"" for the one in `raw`.
        """
        fields_at = start + _COUNT_BYTES
        count = min(self.number(start, "H"), (len(self.raw) - fields_at) // _FIELD_BYTES)
        end = fields_at + count * _FIELD_BYTES
        kept = [self._old_field(at, old, new) for at in range(fields_at, end, _FIELD_BYTES)]
        added = [self._new_field(tag, entry) for tag, entry in new.items() if tag not in old]
        fields = [field for field in (*kept, *added) if field]
        if added:
            fields.sort(key=lambda field: struct.unpack_from(f"{self.order}H", field)[0])
        following = following or bytes(self.raw[end : end + _OFFSET_BYTES])
        form = struct.pack(f"{self.order}H", len(fields)) + b"".join(fields) + following
        if added:
            return self._append(form)
        length = min(end + _OFFSET_BYTES, len(self.raw)) - start
        self.raw[start : start + length] = form[:length].ljust(length, b"\0")
        return start

    def _old_field(self, at: int, old: Directory, new: Directory) -> bytes:
        """Returns the twelve bytes of a field that the block has; b"" for one that it loses."""
        field = bytes(self.raw[at : at + _FIELD_BYTES])
        tag = self.number(at, "H")
        if tag not in old:
            return field
        before, after = old[tag].value, new[tag].value if tag in new else b""
        if isinstance(before, dict) and isinstance(after, dict):
            place = self.directory(self.number(at + 8), before, after)
            return field[:8] + struct.pack(f"{self.order}I", place)
        if tag not in new or old[tag] == new[tag]:
            return field if tag in new else b""
        return self._changed(tag, at, new[tag])

    def _changed(self, tag: int, at: int, entry: Entry) -> bytes:
        """Writes another value over the old one if it has room there."""
        assert isinstance(entry.value, bytes)
        room = TYPE_SIZES.get(self.number(at + 2, "H"), 0) * self.number(at + 4)
        if not 4 < len(entry.value) <= room:
            return self._new_field(tag, entry)
        place = self.number(at + 8)
        if place + len(entry.value) > len(self.raw):
            return self._new_field(tag, entry)
        self.raw[place : place + len(entry.value)] = entry.value
        return self._field(tag, entry, struct.pack(f"{self.order}I", place))

    def _new_field(self, tag: int, entry: Entry) -> bytes:
        value = entry.value
        if isinstance(value, dict):
            base = len(even(bytes(self.raw)))
            value = struct.pack(f"{self.order}I", self._append(lay_out(value, base, self.order)))
            entry = Entry(tags.LONG, value)
        if len(value) > _OFFSET_BYTES:
            value = struct.pack(f"{self.order}I", self._append(value))
        return self._field(tag, entry, value)

    def _field(self, tag: int, entry: Entry, place_or_value: bytes) -> bytes:
        count = len(entry.value) // TYPE_SIZES[entry.type]
        return struct.pack(f"{self.order}HHI", tag, entry.type, count) + place_or_value.ljust(4, b"\0")

    def _append(self, value: bytes) -> int:
        """Appends bytes at an even offset; returns it."""
        self.raw += bytes(len(self.raw) % 2)
        place = len(self.raw)
        self.raw += value
        return place
