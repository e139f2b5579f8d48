import dataclasses
import io
import struct

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photochrom.imaging import exif, tags, tiff_directory
from tests.support.metadata_blocks import exif_block


def loaded(block: bytes) -> Image.Exif:
    result = Image.Exif()
    result.load(block)
    return result


def from_tiff(order: str = "<", big: bool = False, **fields) -> tuple[exif.Directory, tuple[str, ...]]:
    """Fields: name in `tags` -> type and value."""
    extra = [(getattr(tags, name), type, None, value, True) for name, (type, value) in fields.items()]
    return of_fields(extra, order, big)


def of_fields(extra: list, order: str = "<", big: bool = False) -> tuple[exif.Directory, tuple[str, ...]]:
    file = io.BytesIO()
    pixels = np.zeros((4, 6), np.uint8)
    tifffile.imwrite(file, pixels, metadata=None, software=False, byteorder=order, bigtiff=big, extratags=extra)
    reader = tiff_directory.Reader(file.getvalue())
    block, notes = exif.from_tiff(reader, reader.pages[0])
    return exif.parse(block).main if block else {}, notes


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_from_tiff_keeps_fields_that_describe(order, big):
    pages, place = struct.pack(f"{order}2H", 1, 4), struct.pack(f"{order}f", 1.5)
    scale = struct.pack(f"{order}3d", 0.5, 0.5, 0)
    found, notes = from_tiff(
        order,
        big,
        DOCUMENT_NAME=(tags.ASCII, b"Signature 12/3\0"),
        PAGE_NUMBER=(tags.SHORT, pages),
        X_POSITION=(tags.FLOAT, place),
        MODEL_PIXEL_SCALE=(tags.DOUBLE, scale),
    )
    assert {tag: entry.value for tag, entry in found.items()} == {
        tags.DOCUMENT_NAME: b"Signature 12/3\0", tags.PAGE_NUMBER: pages, tags.X_POSITION: place,
        tags.MODEL_PIXEL_SCALE: scale,
    }  # fmt: skip
    assert notes == ()


def test_from_tiff_keeps_private_fields_or_notes_them():
    found, notes = of_fields(
        [(65_000, tags.ASCII, None, b"the archive's\0", True), (65_001, tags.LONG, None, struct.pack("<I", 8), True),
         (65_002, tags.DOUBLE, None, struct.pack("<d", 1.5), True)]
    )  # fmt: skip
    assert found[65_000].value == b"the archive's\0" and struct.unpack("<d", found[65_002].value) == (1.5,)
    assert 65_001 not in found and "may hold offsets, are not kept: 65001" in notes[0]


def test_from_tiff_notes_layers_by_name():
    found, notes = from_tiff(IMAGE_SOURCE_DATA=(tags.UNDEFINED, b"layers"))
    assert not found and "ImageSourceData (37724)" in notes[0]


def test_from_tiff_bounds_the_sum_of_values(monkeypatch):
    monkeypatch.setattr(exif, "_MAX_BYTES", 100)
    texts = {name: (tags.ASCII, bytes([65 + i]) * 40 + b"\0") for i, name in enumerate(("MAKE", "MODEL", "ARTIST"))}
    found, notes = from_tiff(**texts)
    assert len(found) == 2 and notes == ("TIFF fields beyond 100 bytes are not kept: Artist (315)",)


def test_from_tiff_keeps_the_interoperability_directory():
    file = io.BytesIO()
    Image.new("L", (6, 4)).save(file, "TIFF")
    data = file.getvalue()
    index = struct.pack("<HHHI4sI", 1, 1, tags.ASCII, 4, b"R03\0", 0)
    exif_directory = struct.pack("<HHHIII", 1, tags.INTEROPERABILITY_IFD, tags.LONG, 1, len(data), 0)
    start = len(data) + len(index)
    main = struct.pack("<H", 2) + struct.pack("<HHIHH", tags.IMAGE_WIDTH, tags.SHORT, 1, 6, 0)
    main += struct.pack("<HHIII", tags.EXIF_IFD, tags.LONG, 1, start, 0)
    data = data[:4] + struct.pack("<I", start + len(exif_directory)) + data[8:] + index + exif_directory + main
    reader = tiff_directory.Reader(data)
    block, _ = exif.from_tiff(reader, reader.pages[0])
    below = exif.parse(block).main[tags.EXIF_IFD].value[tags.INTEROPERABILITY_IFD].value
    assert below[tags.INTEROPERABILITY_INDEX].value == b"R03\0"


@pytest.mark.parametrize("order", ["<", ">"])
def test_to_bytes_keeps_all_fields(order):
    parsed = exif.parse(exif_block(order))
    again = dataclasses.replace(parsed, raw=b"").to_bytes()
    assert dict(loaded(again)) | {34665: 0, 34853: 0} == dict(loaded(exif_block(order))) | {34665: 0, 34853: 0}
    for directory in (0x8769, 0x8825):
        assert loaded(again).get_ifd(directory) == loaded(exif_block(order)).get_ifd(directory)


def test_parse_refuses_overlapping_fields():
    fields = b"".join(struct.pack("<HHII", 40_000 + i, 7, 4000, 8) for i in range(330))
    with pytest.raises(ValueError, match="EXIF fields overlap"):
        exif.parse(b"II*\0" + struct.pack("<IH", 8, 330) + fields + bytes(100))


@pytest.mark.parametrize("tag", [tags.EXIF_IFD, tags.GPS_IFD, tags.INTEROPERABILITY_IFD])
def test_parse_ends_at_directories_in_a_circle(tag):
    block = b"II*\0" + struct.pack("<IHHHIII", 8, 1, tag, tags.LONG, 1, 8, 8)  # its own directory, and the next one
    try:
        found = exif.parse(block)
    except ValueError:
        return
    assert len(exif.lay_out(found.main, 8, "<")) < 200


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_parse_reads_or_refuses_damaged_blocks(seed, changes):
    import random

    source = random.Random(seed)
    block = bytearray(exif_block()[6:])
    for _ in range(changes):
        block[source.randrange(8, len(block))] = source.randrange(256)
    try:
        parsed = exif.parse(bytes(block))
    except ValueError:
        return
    assert len(exif.lay_out(parsed.main, 8, parsed.order)) < 10 * len(block)
