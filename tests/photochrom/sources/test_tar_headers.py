import io
import tarfile

import pytest

from photochrom import errors
from photochrom.sources import tar_headers

FORMATS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)


def header(name: str, kind: bytes, size: int, format: int = tarfile.USTAR_FORMAT, **values) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    for key, value in values.items():
        setattr(info, key, value)
    return info.tobuf(format, errors="surrogateescape")


def extended(kind: bytes, content: bytes) -> bytes:
    return header("x", kind, len(content)) + content + bytes(-len(content) % 512)


def record(key: bytes, value: bytes) -> bytes:
    length = len(key) + len(value) + 3
    length += len(str(length + len(str(length))))
    return b"%d %s=%s\n" % (length, key, value)


def sealed(block: bytearray) -> bytes:
    """Returns a header with its checksum."""
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def read(data: bytes) -> list[tar_headers.Header]:
    return list(tar_headers.read(io.BytesIO(data + bytes(1024))))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ["a.jpg", "f" * 90 + "/" + "n" * 80, "ü" * 40 + "/x.jpg", "n\nm.jpg"])
@pytest.mark.parametrize("mtime", [0, 1_700_000_000, 8**11 - 1])
def test_headers_of_every_format_are_read(format, name, mtime):
    data = header(name, tarfile.REGTYPE, 3, format, mtime=mtime) + b"abc".ljust(512, b"\0")
    one, last = read(data + header("last", tarfile.REGTYPE, 0))
    assert (one.name, one.size, one.is_plain, one.is_folder, one.mtime) == (name, 3, True, False, mtime)
    assert data[one.offset :].startswith(b"abc") and last.name == "last"


@pytest.mark.parametrize("size", [8**11, 1 << 40])
def test_large_sizes_are_read(size):
    found = tar_headers.read(io.BytesIO(header("a", tarfile.REGTYPE, size, tarfile.GNU_FORMAT)))
    assert next(found).size == size


def test_time_before_1970_is_read():
    (one,) = read(header("a", tarfile.REGTYPE, 0, tarfile.GNU_FORMAT, mtime=-5))
    assert one.mtime == -5
    (one,) = read(extended(b"x", record(b"mtime", b"-5.5")) + header("a", tarfile.REGTYPE, 0))
    assert one.mtime == -5.5


def test_pax_records_replace_name_and_size():
    records = record(b"path", "ü/new.jpg".encode()) + record(b"size", b"5") + record(b"comment", b"x" * 600)
    one, other = read(
        extended(b"g", record(b"comment", b"0" * 40)) + extended(b"x", records)
        + header("old", tarfile.REGTYPE, 0) + b"12345".ljust(512, b"\0") + header("b", tarfile.REGTYPE, 0)
    )  # fmt: skip
    assert (one.name, one.size, other.name) == ("ü/new.jpg", 5, "b")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_have_no_content(kind):
    one, other = read(header("a", kind, 100) + header("b", tarfile.REGTYPE, 0))
    assert not one.is_plain and one.size == 0 and other.name == "b"


def test_sparse_files_are_skipped():
    old = bytearray(header("old.jpg", tarfile.GNUTYPE_SPARSE, 512))
    old[482] = 1
    more = bytearray(512)
    more[504] = 1
    new = extended(b"x", record(b"GNU.sparse.name", b"new.jpg") + record(b"GNU.sparse.major", b"1"))
    found = read(
        sealed(old) + more + bytes(512) + b"x" * 512 + new + header("GNUSparseFile.0/new.jpg", b"0", 512) + b"y" * 512
        + header("plain.jpg", b"0", 0)
    )  # fmt: skip
    assert [(one.name, one.is_plain) for one in found] == [
        ("old.jpg", False), ("new.jpg", False), ("plain.jpg", True)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (extended(b"x", b"5 a=b"), "damaged record"),
        (extended(b"x", b"2 " * 400), "damaged record"),  # each record would have the rest as its key
        (extended(b"x", b"1" * 5000), "damaged record"),
        (extended(b"x", record(b"size", b"-1")) + header("a", b"0", 0), "size that is no number"),
        (header("x", b"x", 2 << 20), "extended headers of more than 1048576 bytes"),
        (header("x", b"L", 7 << 30, tarfile.GNU_FORMAT), "extended headers of more than"),
        (extended(b"K", b"x") * 2000, "extended headers of more than"),
        (sealed(bytearray(header("a", b"0", 0).replace(b"00000000000", b"\xff" * 12, 1)[:512])), "below zero"),
        (header("a", b"0", 600), "0 bytes where a member"),
        (b"\1" * 512, "does not begin like a tar"),
    ],
    ids=range(10),
)
def test_damaged_headers_are_refused(data, message):
    with pytest.raises(errors.ReadError, match=message) as caught:
        read(data)
    assert caught.value.reason == "broken_archive"


def test_headers_are_not_read_beyond_limit():
    class Endless(io.BytesIO):
        """Records the largest read that was asked for."""

        asked = 0

        def read(self, count: int | None = -1, /) -> bytes:
            self.asked = max(self.asked, count or 0)
            return super().read(count)

    file = Endless(header("x", b"x", 1 << 30))
    with pytest.raises(errors.ReadError):
        list(tar_headers.read(file))
    assert file.asked <= 1 << 20


@pytest.mark.parametrize("kind", [b"\0", b"0", b"7"])
def test_all_kinds_of_regular_files_are_plain(kind):
    (one,) = read(header("a.jpg", kind, 3) + b"abc".ljust(512, b"\0"))
    assert one.is_plain and one.size == 3


def test_folders_of_incremental_backups_are_folders():
    one, two = read(header("p/", b"D", 4) + b"Ya\0\0".ljust(512, b"\0") + header("p/a.jpg", b"0", 0))
    assert one.is_folder and two.name == "p/a.jpg"


def test_label_of_an_archive_is_no_member():
    (one,) = read(header("1932", b"V", 0) + header("a.jpg", b"0", 0))
    assert one.name == "a.jpg"


def test_joined_archives_are_reported():
    found = tar_headers.read(io.BytesIO((header("a.jpg", b"0", 0) + bytes(10240)) * 2))
    assert next(found).name == "a.jpg"
    with pytest.raises(errors.ReadError, match="members after its end mark"):
        next(found)


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"\xff\xd8\xff" * 400, "does not begin like a tar"), (bytes(32768) + b"\1CD001" * 999, "begins with zeros")],
)
def test_content_of_other_kinds_is_no_tar(data, message):
    with pytest.raises(errors.ReadError, match=message):
        list(tar_headers.read(io.BytesIO(data)))


def test_bytes_after_the_end_mark_are_ignored():
    assert len(read(header("a.jpg", b"0", 0) + bytes(1024) + b"garbage" * 999)) == 1


@pytest.mark.parametrize("length", [1, 100, 147, 148, 155, 511])
def test_short_rest_is_no_header(length):
    found = list(tar_headers.read(io.BytesIO(header("a", tarfile.REGTYPE, 0) + bytes(1024) + b"\1" * length)))
    assert [one.name for one in found] == ["a"]
    with pytest.raises(errors.ReadError, match="does not begin like a tar"):
        list(tar_headers.read(io.BytesIO(b"\1" * length)))
