import struct

import pytest

from photochrom import errors
from photochrom.imaging import tags, tiff_directory

REDUCED, MASK = 1, 4


def directory(fields: list[tuple[int, int, int, bytes]], next_offset: int = 0, order: str = "<") -> bytes:
    """A directory of (tag, type, count, value or offset)."""
    entries = b"".join(struct.pack(f"{order}HHI", *field[:3]) + field[3].ljust(4, b"\0") for field in fields)
    return struct.pack(f"{order}H", len(fields)) + entries + struct.pack(f"{order}I", next_offset)


def file(*directories: list[tuple[int, int, int, bytes]]) -> bytes:
    """A little-endian file with a chain of directories."""
    data = b"II*\0" + struct.pack("<I", 8)
    for i, fields in enumerate(directories):
        end = len(data) + 6 + 12 * len(fields)
        data += directory(fields, end if i + 1 < len(directories) else 0)
    return data


def kind(value: int) -> list[tuple[int, int, int, bytes]]:
    """The fields of a page of a NewSubfileType."""
    return [(tags.NEW_SUBFILE_TYPE, tags.LONG, 1, struct.pack("<I", value))]


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([0], [0]),
        ([0, 0, 0], [0, 1, 2]),
        ([0, REDUCED, 0], [0, 2]),
        ([REDUCED, MASK, 2], [2]),
        ([REDUCED], [0]),
        ([REDUCED, MASK], [0, 1]),
    ],
)
def test_pages_are_full_pictures_if_there_are_any(kinds, expected):
    reader = tiff_directory.Reader(file(*map(kind, kinds)))
    assert [page.chain_index for page in reader.pages] == expected


@pytest.mark.parametrize(("kinds", "expected"), [([2, 1], [1]), ([1, 3, 2], [0, 1]), ([2], [0])])
def test_pages_are_no_thumbnails_by_tag_255(kinds, expected):
    """SubfileType of TIFF 5.0: 1 is a picture, 2 a reduced one, 3 a page."""
    fields = ([(tags.SUBFILE_TYPE, tags.SHORT, 1, struct.pack("<H", kind))] for kind in kinds)
    assert [page.chain_index for page in tiff_directory.Reader(file(*fields)).pages] == expected


def test_directory_leaves_out_values_outside_the_file():
    fields = [
        (tags.MAKE, tags.ASCII, 3, b"ab\0"),
        (tags.MODEL, tags.ASCII, 1000, struct.pack("<I", 8)),
        (tags.SOFTWARE, tags.ASCII, 8, struct.pack("<I", 2**31)),
        (tags.ARTIST, 99, 1, b"x"),
        (tags.MAKE, tags.ASCII, 2, b"z\0"),
    ]
    reader = tiff_directory.Reader(file(fields))
    found = reader.directory(reader.first_offset)
    assert (list(found.tags), found.entries) == ([tags.MAKE], 5)
    assert reader.text(found, tags.MAKE, 100) == "ab"


@pytest.mark.parametrize("count", [0, tiff_directory.MAX_TAGS + 1])
def test_directory_refuses_counts_of_tags(count):
    reader = tiff_directory.Reader(b"II*\0" + struct.pack("<IH", 8, count) + bytes(100_000))
    with pytest.raises(errors.DecodeError, match=f"TIFF directory of {count} tags, expected 1 to 4096"):
        reader.directory(8)


def test_chain_ends_at_a_broken_directory():
    data = file(kind(0), kind(0))
    reader = tiff_directory.Reader(data[:-8])
    assert [page.chain_index for page in reader.pages] == [0]
    assert reader.is_cut


@pytest.mark.parametrize(
    ("type", "count", "value", "expected"),
    [
        (tags.SHORT, 1, struct.pack("<H", 300), 300.0),
        (tags.FLOAT, 1, struct.pack("<f", 0.5), 0.5),
        (tags.RATIONAL, 1, struct.pack("<I", 26), 2.5),
        (tags.ASCII, 2, b"7\0", 0.0),
    ],
)
def test_rational_reads_any_number(type, count, value, expected):
    data = file([(tags.X_RESOLUTION, type, count, value)]) + struct.pack("<II", 5, 2)
    reader = tiff_directory.Reader(data)
    assert reader.rational(reader.directory(8), tags.X_RESOLUTION) == expected
    assert reader.rational(reader.directory(8), tags.Y_RESOLUTION) == 0
