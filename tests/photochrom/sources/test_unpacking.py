import bz2
import gzip
import lzma
import random

import pytest

from photochrom import errors
from photochrom.sources import unpacking

CONTENT = random.Random(0).randbytes(100_000) + bytes(3_000_000)
PACKED = {"gzip": gzip.compress(CONTENT), "bzip2": bz2.compress(CONTENT), "xz": lzma.compress(CONTENT)}


def opened(tmp_path, data: bytes, limit: int = 1 << 30) -> unpacking.UnpackedFile:
    (tmp_path / "packed").write_bytes(data)
    make = unpacking.decompressor_of(data[:6])
    assert make
    return unpacking.UnpackedFile(open(tmp_path / "packed", "rb"), make, limit)


@pytest.mark.parametrize("name", PACKED)
def test_content_is_read_and_skipped(tmp_path, name):
    file = opened(tmp_path, PACKED[name])
    assert file.read(10) == CONTENT[:10]
    assert file.seek(90_000) == file.tell() == 90_000
    assert file.read(5_000_000) == CONTENT[90_000:]
    assert file.read(1) == b"" and file.seek(1 << 40) == len(CONTENT)


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("padding", [0, 512, 3 << 20])
def test_streams_follow_each_other_with_padding(tmp_path, name, padding):
    file = opened(tmp_path, PACKED[name] + bytes(padding) + PACKED[name] + bytes(padding))
    assert file.read(10_000_000) == CONTENT * 2


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize(("change", "message"), [("cut", "ends too early"), ("flip", "damaged"), ("junk", "damaged")])
def test_damage_is_reported(tmp_path, name, change, message):
    data = bytearray(PACKED[name])
    if change == "cut":
        del data[-20:]
    elif change == "junk":
        data += b"no stream at all"
    else:
        data[50_000] ^= 255
    with pytest.raises(errors.ReadError, match=message):
        opened(tmp_path, bytes(data)).read(10_000_000)


@pytest.mark.parametrize("name", PACKED)
def test_limit_stops_unpacking(tmp_path, name):
    file = opened(tmp_path, PACKED[name], limit=200_000)
    with pytest.raises(errors.TooLarge, match="more than 200000 bytes: a decompression bomb"):
        file.seek(10_000_000)
    assert file.tell() <= 200_000 + unpacking.PIECE_BYTES


def test_xz_with_huge_dictionary_is_refused(tmp_path):
    data = bytearray(lzma.compress(b"x", lzma.FORMAT_XZ, check=lzma.CHECK_NONE))
    header = data[12 : 12 + 4 * (data[12] + 1)]
    at = 12 + header.index(b"\x21\x01") + 2
    data[at] = 39  # 3 GiB, xz file format 1.2.0, section 5.3.1
    size = len(header)
    data[12 + size - 4 : 12 + size] = crc32(bytes(data[12 : 12 + size - 4])).to_bytes(4, "little")
    with pytest.raises(errors.ReadError, match="needs more memory than is usual"):
        opened(tmp_path, bytes(data)).read(1)


def crc32(data: bytes) -> int:
    return gzip.zlib.crc32(data)


def test_other_content_has_no_decompressor():
    assert unpacking.decompressor_of(b"PK\3\4") is None
