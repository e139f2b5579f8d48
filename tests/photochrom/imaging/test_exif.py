import dataclasses
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photochrom.imaging import exif
from tests.support.metadata_blocks import exif_block


def loaded(block: bytes) -> Image.Exif:
    result = Image.Exif()
    result.load(block)
    return result


@pytest.mark.parametrize("order", ["<", ">"])
def test_update_for_keeps_maker_notes_in_place(order):
    before = exif_block(order)[6:]
    after = exif.update_for(exif.parse(before), 30, 20).to_bytes()
    assert len(after) == len(before)
    assert sum(a != b for a, b in zip(after, before, strict=True)) < 20
    assert (loaded(after)[274], loaded(after).get_ifd(0x8769)[0xA001]) == (1, 1)


def test_update_for_unlinks_the_thumbnail():
    main = struct.pack("<HHHIHHI", 1, 274, 3, 1, 6, 0, 26)  # its next directory is at 26
    thumbnail = struct.pack("<HHHIHHI", 1, 259, 3, 1, 6, 0, 0)
    block = b"II*\0" + struct.pack("<I", 8) + main + thumbnail
    after = exif.update_for(exif.parse(block), 1, 1).to_bytes()
    assert after[22:26] == bytes(4) and len(after) == len(block)


def test_update_for_removes_fields_of_tiff_pixels():
    block = Image.Exif()
    block[273], block[259], block[271], block[700] = 8, 1, "Maker", b"<xmp/>"
    after = exif.update_for(exif.parse(block.tobytes()), 1, 1).to_bytes()
    assert dict(loaded(after)) == {271: "Maker"}


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


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_parse_reads_or_refuses_damaged_blocks(seed, changes):
    import random

    source = random.Random(seed)
    block = bytearray(exif_block()[6:])
    for _ in range(changes):
        block[source.randrange(8, len(block))] = source.randrange(256)
    try:
        parsed = exif.update_for(exif.parse(bytes(block)), 30, 20)
    except ValueError:
        return
    parsed.to_bytes()
    assert len(exif.lay_out(parsed.main, 8, parsed.order)) < 10 * len(block)
