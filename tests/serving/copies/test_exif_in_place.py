import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photochrom.imaging import exif, tags
from photochrom.imaging.exif import Entry
from serving.copies import exif_fields, exif_in_place
from serving.copies.frame import Frame
from tests.support.metadata_blocks import exif_block

ORDERS = ["<", ">"]


def parsed(order: str = "<") -> exif.Block:
    return exif.parse(exif_block(order))


def again(block: exif.Block) -> exif.Directory:
    """The fields that the block's bytes have."""
    return exif.parse(block.to_bytes()).main


@pytest.mark.parametrize("order", ORDERS)
def test_rewritten_of_the_same_fields_changes_nothing(order):
    block = parsed(order)
    assert exif_in_place.rewritten(block, block.main).raw == block.raw


@pytest.mark.parametrize("order", ORDERS)
def test_rewritten_overwrites_values_of_that_length(order):
    block = parsed(order)
    result = exif_in_place.rewritten(block, {**block.main, tags.MAKE: Entry(tags.ASCII, b"Other\0")})
    assert len(result.raw) == len(block.raw) and again(result)[tags.MAKE].value == b"Other\0"


@pytest.mark.parametrize("order", ORDERS)
def test_rewritten_appends_longer_values_and_new_fields(order):
    block = parsed(order)
    main = {**block.main, tags.MAKE: exif_fields.text("M" * 99), tags.COPYRIGHT: exif_fields.text("the town's archive")}
    result = exif_in_place.rewritten(block, main)
    assert again(result) == main
    start = block.raw.index(b"A. Photographer")
    assert result.raw[start : start + 15] == b"A. Photographer"  # in its place
    count, first = struct.unpack_from(f"{order}HH", result.raw, struct.unpack_from(f"{order}I", result.raw, 4)[0])
    assert (count, first) == (len(main), min(main))


@pytest.mark.parametrize("order", ORDERS)
def test_rewritten_removes_fields_of_any_directory(order):
    block = parsed(order)
    below = dict(block.main[tags.EXIF_IFD].value)
    del below[tags.COLOR_SPACE]
    main = {**block.main, tags.EXIF_IFD: Entry(tags.LONG, below)}
    del main[tags.GPS_IFD], main[tags.ARTIST]
    result = exif_in_place.rewritten(block, main)
    assert len(result.raw) == len(block.raw) and again(result) == main


def test_rewritten_unlinks_the_thumbnail():
    main = struct.pack("<HHHIHHI", 1, 274, 3, 1, 6, 0, 26)  # its next directory is at 26
    thumbnail = struct.pack("<HHHIHHI", 1, 259, 3, 1, 6, 0, 0)
    block = exif.parse(b"II*\0" + struct.pack("<I", 8) + main + thumbnail)
    after = exif_in_place.rewritten(block, block.main).to_bytes()
    assert after[22:26] == bytes(4) and len(after) == len(block.raw)


def test_rewritten_of_no_fields_is_no_block():
    assert exif_in_place.rewritten(parsed(), {}).to_bytes() == b""


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.integers(1, 8))
def test_rewritten_survives_damaged_blocks(seed, changes, orientation):
    source = random.Random(seed)
    damaged = bytearray(exif_block()[6:])
    for _ in range(changes):
        damaged[source.randrange(8, len(damaged))] = source.randrange(256)
    try:
        block = exif.parse(bytes(damaged))
        updated, _ = exif_fields.update_for(block, Frame(30, 20, orientation), moves=False)
    except (ValueError, struct.error):
        return
    assert len(updated.to_bytes()) < 2 * len(damaged)
