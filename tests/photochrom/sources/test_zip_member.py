import io
import struct
import tracemalloc
import zipfile

import pytest

from photochrom import errors
from photochrom.sources import zip_member
from photochrom.sources.source import Source

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def packed(content: bytes, method: int) -> tuple[bytearray, Source]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("a.jpg", content)
        (info,) = archive.infolist()
        extent = archive.start_dir
    source = Source("k", "a.zip", "a.jpg", 0, len(content), f"crc32:{info.CRC:08x}", extent=extent)
    return bytearray(buffer.getvalue()), source


def read(data: bytearray, source: Source, count: int = 1 << 40) -> bytes:
    return zip_member.read(io.BytesIO(data), source, count, lambda: None)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("content", [b"", b"x", bytes(3_000_000) + b"end"], ids=["empty", "short", "long"])
def test_content_of_every_method_is_read(method, content):
    assert read(*packed(content, method)) == content
    assert read(*packed(content, method), count=5) == content[:5]


@pytest.mark.parametrize("method", METHODS)
def test_memory_is_bounded_by_content_once(method):
    size = 40_000_000
    data, source = packed(bytes(size), method)
    file = io.BytesIO(data)
    tracemalloc.start()
    assert len(zip_member.read(file, source, 1 << 40, lambda: None)) == size
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.3 * size + 10_000_000  # a growing buffer is a bit larger, an LZMA dictionary up to 8 MB


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, b"PK\3\5", "no header at 0"),
        (6, b"\1", "it is encrypted"),
        (8, b"\x09", "compressed by method 9 of zip, expected deflate"),
        (36, b"\xff\xff\xff", "damaged|ends too early"),
    ],
)
def test_unreadable_member_states_why(place, value, message):
    data, source = packed(b"content " * 1000, zipfile.ZIP_DEFLATED)
    data[place : place + len(value)] = value
    with pytest.raises(errors.ReadError, match=message):
        read(data, source)


def test_member_that_is_longer_than_listed_is_refused():
    data, source = packed(bytes(3_000_000), zipfile.ZIP_DEFLATED)
    with pytest.raises(errors.ReadError, match="more than the 1000000 bytes that are listed"):
        read(data, Source("k", "a.zip", "a.jpg", 0, 1_000_000, source.version, extent=source.extent))


def test_lzma_with_impossible_properties_is_refused():
    data, source = packed(b"content", zipfile.ZIP_LZMA)
    start = data.index(struct.pack("<H", 5), 30) + 2
    data[start] = 255
    with pytest.raises(errors.ReadError, match="properties that no member has"):
        read(data, source)
