import json

import numpy as np
import pytest

from photochrom.imaging.picture import Metadata, Picture
from photochrom.imaging.sandbox import protocol


def sent(value: dict, max_pixels: int = 100) -> dict:
    """Returns a message as the other side reads it."""
    data = b"".join(protocol.pack(value))
    size = int.from_bytes(data[: protocol.LENGTH_BYTES], "big")
    header, rest = data[protocol.LENGTH_BYTES :][:size], data[protocol.LENGTH_BYTES + size :]
    tree, buffers = protocol.allocate(protocol.parse(header), max_pixels)
    for buffer in buffers:
        view = protocol.view(buffer)
        view[:], rest = rest[: len(view)], rest[len(view) :]
    assert rest == b""
    return tree


def test_to_picture_restores_every_field():
    pixels = np.arange(60, dtype=np.uint16).reshape(4, 5, 3)
    metadata = Metadata(exif=b"exif", dpi=(300.0, 299), artist="Å", icc=b"")
    picture = Picture(pixels, pixels[:, :, 0], "PNG", 8, 10, metadata, ("a note", "another"))
    found = protocol.to_picture(sent({"picture": picture})["picture"])
    np.testing.assert_array_equal(found.pixels, pixels)
    np.testing.assert_array_equal(found.alpha, pixels[:, :, 0])
    assert (found.metadata, found.notes) == (metadata, picture.notes)
    assert (found.format, found.source_height, found.source_width) == ("PNG", 8, 10)


@pytest.mark.parametrize(
    "array",
    [["u1", 11, 10], ["u1", 5, 5, 4], ["f4", 5, 5], ["u1", 5], ["u1", -1, 5], ["u1", 0, 5], ["u1", 2.0, 5], "u1", None],
)
def test_allocate_refuses_arrays_of_no_picture(array):
    with pytest.raises(protocol.ProtocolError):
        protocol.allocate({"picture": {"pixels": {"$array": array}}}, 100)


@pytest.mark.parametrize(
    "blocks",
    [
        [{"$array": ["u2", 10, 10, 3]}, {"$array": ["u2", 10, 10, 3]}],
        [{"$bytes": 1 << 28}, {"$bytes": 1}],
        [{"$bytes": -1}],
        [{"$bytes": True}],
    ],
)
def test_allocate_bounds_the_sum_of_blocks(blocks):
    with pytest.raises(protocol.ProtocolError):
        protocol.allocate({"blocks": blocks}, 100)


@pytest.mark.parametrize("header", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_parse_refuses_other_headers(header):
    with pytest.raises(protocol.ProtocolError, match="a header that is no"):
        protocol.parse(header)


@pytest.mark.parametrize(
    "change",
    [{"format": 3}, {"notes": "text"}, {"extra": 1}, {"pixels": None}, {"metadata": {}}, {"source_width": 1.5}],
)
def test_to_picture_refuses_other_fields(change):
    values = sent({"picture": Picture(np.zeros((2, 2), np.uint8), None, "PNG", 2, 2)})["picture"]
    with pytest.raises(protocol.ProtocolError):
        protocol.to_picture({**values, **change})


def test_to_picture_refuses_opacity_of_other_size():
    picture = Picture(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8), "PNG", 2, 2)
    with pytest.raises(protocol.ProtocolError, match="opacity of"):
        protocol.to_picture(sent({"picture": picture})["picture"])


@pytest.mark.parametrize(("count", "expected"), [(0, [b"ab", b"c"]), (1, [b"b", b"c"]), (2, [b"c"]), (3, [])])
def test_rest_follows_the_first_bytes(count, expected):
    assert protocol.rest([memoryview(b"ab"), memoryview(b"c")], count) == expected


def test_pack_states_the_length_of_its_header():
    header = protocol.pack({"a": b"xy"})[0]
    assert json.loads(bytes(header)[protocol.LENGTH_BYTES :]) == {"a": {"$bytes": 2}}
