import io
import stat
import struct
import zipfile
import zlib

import pytest

from photochrom import errors
from photochrom.sources import zip_directory

UNIX, DOS = 3, 0
UTF8_FLAG = 0x800


def packed(*members: tuple[zipfile.ZipInfo, bytes], before: bytes = b"", comment: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    buffer.write(before)
    with zipfile.ZipFile(buffer, "a") as archive:
        for info, data in members:
            archive.writestr(info, data)
        archive.comment = comment
    return buffer.getvalue()


def named(raw: bytes, system: int = DOS, flags: int = 0, extra: bytes = b"", attributes: int = 0) -> bytes:
    """Returns a zip of one member whose directory has these bytes as its name."""
    info = zipfile.ZipInfo("x" * len(raw))
    info.create_system, info.external_attr, info.extra = system, attributes, extra
    data = bytearray(packed((info, b"content")).replace(b"x" * len(raw), raw))
    at = data.rindex(b"PK\1\2")
    data[at + 8 : at + 10] = struct.pack("<H", flags)
    return bytes(data)


def field(kind: int, content: bytes) -> bytes:
    return struct.pack("<2H", kind, len(content)) + content


def read(data: bytes) -> list[zip_directory.Entry]:
    return list(zip_directory.read(io.BytesIO(data)).entries())


UTF8 = "Fürth Škoda.jpg".encode()
RAW = b"F\x81rth ?koda.jpg"
CHECKED = field(0x7075, b"\1" + zlib.crc32(RAW).to_bytes(4, "little") + UTF8)


@pytest.mark.parametrize(
    ("raw", "values", "name"),
    [
        (b"plain.jpg", {}, "plain.jpg"),
        (UTF8, {"flags": UTF8_FLAG}, "Fürth Škoda.jpg"),
        (UTF8, {"system": UNIX}, "Fürth Škoda.jpg"),
        (UTF8, {"system": 19}, "Fürth Škoda.jpg"),  # macOS
        (b"F\x81rth.jpg", {"system": DOS}, "Fürth.jpg"),  # code page 437
        (b"F\x81rth.jpg", {"system": UNIX}, "Fürth.jpg"),  # no UTF-8
        (b"\xff.jpg", {"flags": UTF8_FLAG}, "\u00a0.jpg"),  # claims UTF-8, and is none: costs no other member
        (RAW, {"extra": CHECKED}, "Fürth Škoda.jpg"),
        (RAW, {"extra": field(0x5455, b"12345") + CHECKED}, "Fürth Škoda.jpg"),
        (b"other?name.jpg", {"extra": CHECKED}, "other?name.jpg"),  # the name was changed since
        (RAW, {"extra": field(0x7075, b"\1")}, "Fürth ?koda.jpg"),
        (b"a\0.jpg", {}, "a\0.jpg"),
    ],
)
def test_names_are_read_by_the_specification(raw, values, name):
    (entry,) = read(named(raw, **values))
    assert entry.name == name and (entry.size, entry.packed) == (7, 7)


@pytest.mark.parametrize(
    ("mode", "is_plain"),
    [(0, True), (stat.S_IFREG | 0o644, True), (stat.S_IFLNK | 0o777, False), (stat.S_IFIFO, False)],
)
def test_links_are_not_plain(mode, is_plain):
    (entry,) = read(named(b"a.jpg", UNIX, attributes=mode << 16))
    assert entry.is_plain is is_plain


@pytest.mark.parametrize("comment", [b"", b"x" * 65535, b"PK\5"])
@pytest.mark.parametrize("before", [b"", b"#!/bin/sh\n" * 100])
def test_directory_is_found(before, comment):
    info = zipfile.ZipInfo("a.jpg")
    data = packed((info, b"content"), before=before, comment=comment)
    (entry,) = read(data)
    assert data[entry.offset :].startswith(b"PK\3\4") and entry.crc == zlib.crc32(b"content")


def test_large_values_stand_in_extra_field():
    wide = field(1, struct.pack("<3Q", 5 << 32, 6 << 32, 7 << 32))
    data = bytearray(named(b"a.jpg", extra=wide))
    at = data.rindex(b"PK\1\2")
    data[at + 20 : at + 28] = b"\xff" * 8
    data[at + 42 : at + 46] = b"\xff" * 4
    (entry,) = read(bytes(data))
    assert (entry.size, entry.packed, entry.offset) == (5 << 32, 6 << 32, 7 << 32)


def test_end_of_zip64_is_read():
    data = packed((zipfile.ZipInfo("a.jpg"), b"x"))
    end = data.index(b"PK\5\6")
    *_, length, offset, _ = struct.unpack("<4s4H2LH", data[end:])
    wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, length, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    narrow = b"PK\5\6" + b"\xff" * 16 + bytes(2)
    (entry,) = read(data[:end] + wide + locator + narrow)
    assert (entry.name, entry.offset) == ("a.jpg", 0)


def damaged(change: str) -> bytes:
    data = bytearray(packed((zipfile.ZipInfo("a.jpg"), b"x"), (zipfile.ZipInfo("b.jpg"), b"y")))
    directory, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    if change == "end":
        del data[end:]
    elif change == "signature":
        data[data.rindex(b"PK\1\2")] = 0
    elif change == "place":
        data[end + 16 : end + 20] = b"\xff\xff\xff\x7f"
    elif change == "part":
        data[end + 4] = 1
    elif change == "length":
        data[data.rindex(b"PK\1\2") + 28] = 200
    else:
        data[end + 12 : end + 16] = struct.pack("<L", directory + 1000)
    return bytes(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("end", "no directory at its end"),
        ("signature", "directory is damaged"),
        ("place", "cut off or damaged"),
        ("part", "one part of a zip in several files"),
        ("length", "cut off"),
        ("size", "cut off or damaged|directory is damaged"),
    ],
)
def test_damaged_directory_is_refused(change, message):
    with pytest.raises(errors.ReadError, match=message) as caught:
        read(damaged(change))
    assert caught.value.reason == "broken_archive"


def test_huge_directory_is_not_read(monkeypatch):
    monkeypatch.setattr(zip_directory, "MAX_DIRECTORY_BYTES", 50)
    with pytest.raises(errors.TooLarge, match="a directory of 102 bytes, at most 50"):
        read(packed((zipfile.ZipInfo("a.jpg"), b"x"), (zipfile.ZipInfo("b.jpg"), b"y")))


def test_end_mark_in_a_comment_is_no_end():
    assert read(packed((zipfile.ZipInfo("a.jpg"), b"1"), comment=b"x PK\5\6" + b"y" * 40))[0].name == "a.jpg"


@pytest.mark.parametrize("further", [b"", b"\1\0\4\0abcd"])
def test_end_of_zip64_may_have_further_fields(further):
    plain = packed((zipfile.ZipInfo("a.jpg"), b"1"))
    start, length = plain.index(b"PK\1\2"), plain.index(b"PK\5\6") - plain.index(b"PK\1\2")
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44 + len(further), 45, 45, 0, 0, 1, 1, length, start) + further
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, start + length, 1)
    last = struct.pack("<4s4H2LH", b"PK\5\6", *[0xFFFF] * 4, *[0xFFFFFFFF] * 2, 0)
    assert read(plain[: start + length] + end + locator + last)[0].name == "a.jpg"


@pytest.mark.parametrize(
    ("raw", "system", "name"),
    [
        (b"box\\sub\\a.jpg", DOS, "box/sub/a.jpg"),
        (b"box\\", DOS, "box/"),
        (b"box\\a.jpg", UNIX, "box\\a.jpg"),
        (b"box/a\\b.jpg", DOS, "box/a\\b.jpg"),
        ("表.jpg".encode("cp932"), DOS, "ò\\.jpg"),
    ],
)
def test_backslashes_of_windows_separate_folders(raw, system, name):
    assert read(named(raw, system))[0].name == name
