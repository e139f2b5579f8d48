"""Reads the directories of a TIFF file, or of an EXIF block, from bytes that nobody vouches for.

A directory (IFD) is a list of tags. Nothing here follows a pointer twice, nor reads a value that lies outside the
bytes, and a directory whose values add up to more than the file is refused: copies of one long value under many
tags are how a small file fills a memory. Source: TIFF 6.0, section 2; BigTIFF as libtiff documents it.
"""

import dataclasses
import functools
import struct

from photochrom import errors

# Bytes of a value by its type: BYTE, ASCII, SHORT, LONG, RATIONAL, the signed ones, floats, IFD, BigTIFF's, and UTF-8
# of EXIF 3.0.
TYPE_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
    129: 1,
}
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_MAGIC = {
    b"II*\0": ("<", False), b"MM\0*": (">", False), b"II+\0": ("<", True), b"MM\0+": (">", True),
}  # fmt: skip
MAX_TAGS = 4096
# Tags in all directories of a file: a chain of long overlapping directories would take hours to walk.
_MAX_TAGS_IN_CHAIN = 500_000
_SUBFILE_TYPE, _SUB_DIRECTORIES = 254, 330
_REDUCED, _MASK = 1, 4


@dataclasses.dataclass(frozen=True)
class Tag:
    """Where the value of a tag lies.

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
        offset: where it begins in the file, bytes.
        chain_index: its position in the file's chain of directories; -1 for one that hangs under another.
        tags: number -> Tag; the first of several with the same number.
        entries: how many tags it has, with those left out.
        next_offset: where the next one of the chain begins, 0 for none.
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
    """Tells whether the content begins like a TIFF or BigTIFF file."""
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
        # Whether `chain` found that a directory which the one before it points to cannot be read.
        self.is_cut = False
        self.order, self.big = _MAGIC[data[:4]]
        # Of an entry: tag, type, count, value or offset. Of a directory: count of entries, offset of the next.
        self._entry = struct.Struct(self.order + ("HHQ8s" if self.big else "HHI4s"))
        self._count = struct.Struct(self.order + ("Q" if self.big else "H"))
        self._offset = struct.Struct(self.order + ("Q" if self.big else "I"))

    @property
    def first_offset(self) -> int:
        """Where the first directory begins."""
        return self._unpack(self._offset, 8 if self.big else 4)

    def _unpack(self, format: struct.Struct, offset: int) -> int:
        try:
            return int(format.unpack_from(self.data, offset)[0])
        except (struct.error, OverflowError) as error:
            raise errors.DecodeError(f"TIFF directory at {offset} of {len(self.data)} bytes") from error

    def directory(self, offset: int, chain_index: int = -1) -> Directory:
        """Reads the directory at `offset`; tags with values outside of the file are left out.

        Raises:
            DecodeError: it lies outside of the file or has more than MAX_TAGS tags.
        """
        count = self._unpack(self._count, offset)
        if not 0 < count <= MAX_TAGS:
            raise errors.DecodeError(f"TIFF directory of {count} tags, expected 1 to {MAX_TAGS}")
        begin = offset + self._count.size
        end = begin + count * self._entry.size
        if end > len(self.data):
            raise errors.DecodeError(f"TIFF directory ends at {end} of {len(self.data)} bytes")
        tags: dict[int, Tag] = {}
        for i, (number, type, values, _) in enumerate(self._entry.iter_unpack(self.data[begin:end])):
            size = TYPE_SIZES.get(type, 0) * values
            place = begin + (i + 1) * self._entry.size - self._offset.size
            if size > self._offset.size:
                place = self._unpack(self._offset, place)
            if 0 < size <= len(self.data) - place:
                tags.setdefault(number, Tag(type, values, place, size))
        try:
            following = self._unpack(self._offset, end)
        except errors.DecodeError:
            following = 0
        return Directory(offset, chain_index, tags, count, following)

    def chain(self) -> list[Directory]:
        """Returns the directories of the file's chain, up to the first that is broken or comes round again.

        Raises:
            DecodeError: the very first is broken, or there are too many to be true.
        """
        chain = [self.directory(self.first_offset, 0)]
        seen, tags = {chain[0].offset}, 0
        while (offset := chain[-1].next_offset) and offset not in seen:
            try:
                chain.append(self.directory(offset, len(chain)))
            except errors.DecodeError:
                self.is_cut = True
                break
            seen.add(offset)
            tags += chain[-1].entries
            if tags > _MAX_TAGS_IN_CHAIN:
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
        tag = directory.tags.get(number)
        if tag is None or tag.type not in (5, 11, 12):
            return float(self.number(directory, number))
        if tag.type == 5:
            numerator, denominator = struct.unpack_from(f"{self.order}2I", self.data, tag.offset)
            return numerator / denominator if denominator else 0.0
        return float(struct.unpack_from(self.order + ("f" if tag.type == 11 else "d"), self.data, tag.offset)[0])

    def text(self, directory: Directory, number: int, limit: int) -> str:
        """Returns an ASCII tag as text up to its NUL; UTF-8 where it is that, else Latin-1."""
        tag = directory.tags.get(number)
        if tag is None or tag.type not in (1, 2, 7):
            return ""
        raw = self.data[tag.offset : tag.offset + min(tag.size, limit)].split(b"\0")[0].strip()
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode("latin-1")

    @functools.cached_property
    def pages(self) -> list[Directory]:
        """The file's pages: its directories without thumbnails, lower levels of a pyramid and masks.

        A camera's file may hold but a thumbnail in its chain and the picture under it (tag 330): then that is it.
        """
        chain = self.chain()
        full = [page for page in chain if not self.number(page, _SUBFILE_TYPE) & (_REDUCED | _MASK)]
        if full:
            return full
        under = [self.directory(offset) for offset in self.numbers(chain[0], _SUB_DIRECTORIES, 64)]
        return [page for page in under if not self.number(page, _SUBFILE_TYPE) & (_REDUCED | _MASK)] or chain
