"""Reads the directories of a TIFF file or of an EXIF block, as untrusted input.

A directory (IFD) is a list of tags. No pointer is followed twice, and no value outside the bytes is read. Callers
refuse a directory whose values add up to more than the file (`value_bytes`): copies of one long value under many tags
are how a small file fills a memory. Source: TIFF 6.0, section 2; BigTIFF as libtiff documents it.
"""

import dataclasses
import functools
import struct

from photochrom import errors
from photochrom.imaging import tags

_INTEGERS = {
    tags.BYTE: "B", tags.SHORT: "H", tags.LONG: "I", tags.SBYTE: "b", tags.SSHORT: "h", tags.SLONG: "i",
    tags.IFD: "I", tags.LONG8: "Q", tags.SLONG8: "q", tags.IFD8: "Q",
}  # fmt: skip
_FLOATS = {tags.FLOAT: "f", tags.DOUBLE: "d"}
_TEXTS = (tags.BYTE, tags.ASCII, tags.UNDEFINED)
_MAGIC = {
    b"II*\0": ("<", False), b"MM\0*": (">", False), b"II+\0": ("<", True), b"MM\0+": (">", True),
}  # fmt: skip
MAX_TAGS = 4096
# Tags in all directories of a file: a chain of long overlapping directories would take hours to walk.
_MAX_TAGS_IN_CHAIN = 500_000
# Bits of NewSubfileType: a reduced version of another page, a transparency mask.
_REDUCED, _MASK = 1, 4
# Value of SubfileType, its obsolete predecessor.
_REDUCED_BY_TAG_255 = 2


@dataclasses.dataclass(frozen=True)
class Tag:
    """Place of a tag's value.

    Attributes:
        type, count: of the value, as the file states them.
        offset, size: place of the value in the file, bytes.
    """

    type: int
    count: int
    offset: int
    size: int


@dataclasses.dataclass(frozen=True)
class Directory:
    """One directory.

    Attributes:
        offset: of its first byte in the file.
        chain_index: its position in the file's chain of directories; -1 for one below another.
        tags: number -> Tag; the first of several with the same number.
        entries: count of its tags, with those left out.
        next_offset: of the next directory of the chain, 0 for none.
    """

    offset: int
    chain_index: int
    tags: dict[int, Tag]
    entries: int
    next_offset: int

    @property
    def value_bytes(self) -> int:
        """Bytes of all values together."""
        return sum(tag.size for tag in self.tags.values())


def is_tiff(data: bytes) -> bool:
    """Whether the content begins like a TIFF or BigTIFF file."""
    return data[:4] in _MAGIC


class Reader:
    """Reads directories of `data`, a TIFF file or an EXIF block without its "Exif" mark.

    Raises:
        DecodeError: `data` does not begin like a TIFF file.
    """

    def __init__(self, data: bytes):
        if not is_tiff(data):
            raise errors.DecodeError(f"no TIFF header: begins with {data[:4]!r}")
        self.data = data
        # Whether `chain` met a directory that cannot be read.
        self.is_cut = False
        self.order, self.big = _MAGIC[data[:4]]
        # Layouts of an entry (tag, type, count, value or offset), of a directory's count, and of an offset.
        self._entry = struct.Struct(self.order + ("HHQ8s" if self.big else "HHI4s"))
        self._count = struct.Struct(self.order + ("Q" if self.big else "H"))
        self._offset = struct.Struct(self.order + ("Q" if self.big else "I"))

    @property
    def first_offset(self) -> int:
        """Offset of the first directory."""
        return self._unpack(self._offset, 8 if self.big else 4)

    def _unpack(self, format: struct.Struct, offset: int) -> int:
        try:
            return int(format.unpack_from(self.data, offset)[0])
        except (struct.error, OverflowError) as error:
            raise errors.DecodeError(f"TIFF directory at {offset} of {len(self.data)} bytes") from error

    def directory(self, offset: int, chain_index: int = -1) -> Directory:
        """Reads the directory at `offset`; tags with values outside of the file are left out.

        Raises:
            DecodeError: it is outside of the file, empty, or has more than MAX_TAGS tags.
        """
        count = self._unpack(self._count, offset)
        if not 0 < count <= MAX_TAGS:
            raise errors.DecodeError(f"TIFF directory of {count} tags, expected 1 to {MAX_TAGS}")
        begin = offset + self._count.size
        end = begin + count * self._entry.size
        if end > len(self.data):
            raise errors.DecodeError(f"TIFF directory ends at {end} of {len(self.data)} bytes")
        found: dict[int, Tag] = {}
        for i, (number, type, values, _) in enumerate(self._entry.iter_unpack(self.data[begin:end])):
            size = tags.TYPE_SIZES.get(type, 0) * values
            place = begin + (i + 1) * self._entry.size - self._offset.size
            if size > self._offset.size:
                place = self._unpack(self._offset, place)
            if 0 < size <= len(self.data) - place:
                found.setdefault(number, Tag(type, values, place, size))
        try:
            following = self._unpack(self._offset, end)
        except errors.DecodeError:
            following = 0
        return Directory(offset, chain_index, found, count, following)

    @functools.cached_property
    def chain(self) -> list[Directory]:
        """Returns the directories of the file's chain, up to the first that is broken or repeated.

        Raises:
            DecodeError: the first is broken, or they have more than _MAX_TAGS_IN_CHAIN tags.
        """
        chain = [self.directory(self.first_offset, 0)]
        seen, entries = {chain[0].offset}, 0
        while (offset := chain[-1].next_offset) and offset not in seen:
            try:
                chain.append(self.directory(offset, len(chain)))
            except errors.DecodeError:
                self.is_cut = True
                break
            seen.add(offset)
            entries += chain[-1].entries
            if entries > _MAX_TAGS_IN_CHAIN:
                raise errors.DecodeError(f"more than {_MAX_TAGS_IN_CHAIN} tags in the TIFF's directories")
        return chain

    def raw(self, directory: Directory, number: int, limit: int) -> bytes:
        """Returns the bytes of a tag's value; b"" where it is missing or longer than `limit` bytes."""
        tag = directory.tags.get(number)
        return self.data[tag.offset : tag.offset + tag.size] if tag and tag.size <= limit else b""

    def numbers(self, directory: Directory, number: int, limit: int = 1024) -> tuple[int, ...]:
        """Returns at most `limit` integers of a tag; none where it is missing or holds no integers."""
        tag = directory.tags.get(number)
        if tag is None or tag.type not in _INTEGERS:
            return ()
        return struct.unpack_from(f"{self.order}{min(tag.count, limit)}{_INTEGERS[tag.type]}", self.data, tag.offset)

    def number(self, directory: Directory, number: int, default: int = 0) -> int:
        """Returns the first integer of a tag."""
        return (self.numbers(directory, number, 1) or (default,))[0]

    def rational(self, directory: Directory, number: int) -> float:
        """Returns a RATIONAL, FLOAT or integer tag as a number; 0 where it is missing or no number."""
        return (self.rationals(directory, number, 1) or (0.0,))[0]

    def rationals(self, directory: Directory, number: int, limit: int) -> tuple[float, ...]:
        """Returns at most `limit` numbers of a RATIONAL, FLOAT or integer tag, 0 for those without a denominator."""
        tag = directory.tags.get(number)
        if tag is None:
            return ()
        count = min(tag.count, limit)
        if tag.type == tags.RATIONAL:
            parts = struct.unpack_from(f"{self.order}{2 * count}I", self.data, tag.offset)
            return tuple(n / d if d else 0.0 for n, d in zip(parts[::2], parts[1::2], strict=True))
        if tag.type in _FLOATS:
            return struct.unpack_from(f"{self.order}{count}{_FLOATS[tag.type]}", self.data, tag.offset)
        return tuple(map(float, self.numbers(directory, number, limit)))

    def text(self, directory: Directory, number: int, limit: int) -> str:
        """Returns an ASCII tag as text up to its NUL; UTF-8 where it is that, else Latin-1."""
        tag = directory.tags.get(number)
        if tag is None or tag.type not in _TEXTS:
            return ""
        raw = self.data[tag.offset : tag.offset + min(tag.size, limit)].split(b"\0")[0].strip()
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode("latin-1")

    @functools.cached_property
    def pages(self) -> list[Directory]:
        """The file's pages: its directories without thumbnails, lower levels of a pyramid and masks.

        A camera's file may have only a thumbnail in its chain and the picture in a directory below (SubIFDs): then
        that one is the page.
        """
        chain = self.chain
        if full := list(filter(self._is_page, chain)):
            return full
        below = [self.directory(offset) for offset in self.numbers(chain[0], tags.SUB_IFDS, 64)]
        return list(filter(self._is_page, below)) or chain

    def _is_page(self, directory: Directory) -> bool:
        is_part = self.number(directory, tags.NEW_SUBFILE_TYPE) & (_REDUCED | _MASK)
        return not is_part and self.number(directory, tags.SUBFILE_TYPE) != _REDUCED_BY_TAG_255
