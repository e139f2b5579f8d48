import contextlib
import gzip
import io
import pathlib
import struct
import tarfile
import zipfile

import pytest

from photochrom import errors
from photochrom.sources import archive_listing, member_reader, tar_listing
from photochrom.sources.source import Source


def pack_zip(members: list[tuple[str, bytes]], **options) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def pack_tar(members: list[tuple[str, bytes]], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


TWO = [("p/1.jpg", b"first" * 400), ("ü 2.jpg", b"second")]
PACKED = {
    "box.zip": pack_zip(TWO),
    "deflated.zip": pack_zip(TWO, compression=zipfile.ZIP_DEFLATED),
    "box.tar": pack_tar(TWO),
    "box.tar.gz": pack_tar(TWO, "w:gz"),
    "box.tgz": pack_tar(TWO, "w:gz"),
    "box.tar.bz2": pack_tar(TWO, "w:bz2"),
    "box.tar.xz": pack_tar(TWO, "w:xz"),
}


def listed(data: bytes, folder: pathlib.Path, name: str, limit: int = 1 << 20) -> list[Source]:
    path, spool_path = folder / name, folder / f"{name}.spool"
    path.write_bytes(data)

    @contextlib.contextmanager
    def spool():
        with open(spool_path, "wb") as file:
            yield tar_listing.Spool(str(spool_path), file, limit)

    with open(path, "rb") as file:
        return list(archive_listing.list_members(file, str(path), name, spool))


def read(source: Source) -> bytes:
    return member_reader.read(source)


def reasons(sources: list[Source]) -> list[str]:
    return [source.failure.reason if source.failure else "" for source in sources]


@pytest.mark.parametrize("name", PACKED)
def test_members_are_read_in_any_order(tmp_path, name):
    sources = listed(PACKED[name], tmp_path, name)
    assert [source.key for source in sources] == [f"{name}!p/1.jpg", f"{name}!ü 2.jpg"]
    assert [source.size for source in sources] == [2000, 6]
    assert [member_reader.read(source) for source in reversed(sources)] == [b"second", b"first" * 400]
    assert [member_reader.read_start(source, 7) for source in sources] == [b"firstfi", b"second"]


def test_start_of_loose_file_is_read(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0rest")
    assert member_reader.read_start(Source("a", str(tmp_path / "a.tif")), 4) == b"II*\0"
    with pytest.raises(errors.ReadError) as caught:
        member_reader.read_start(Source("b", str(tmp_path / "b.tif")), 4)
    assert caught.value.reason == "not_found"


@pytest.mark.parametrize("name", ["box.zip", "box.tar", "box.tar.gz"])
@pytest.mark.parametrize(
    ("member", "reason"),
    [("../../evil.jpg", "unsafe_name"), ("/etc/passwd", "unsafe_name"), ("a\\..\\b", "unsafe_name"),
     ("C:/x.jpg", "unsafe_name"), ("a/./../b", "unsafe_name")],
)  # fmt: skip
def test_unsafe_name_fails_that_member_alone(tmp_path, name, member, reason):
    pack = pack_zip if name.endswith(".zip") else pack_tar
    data = pack([(member, b"evil"), ("fine.jpg", b"fine")])
    data = gzip.compress(data) if name.endswith(".gz") else data
    sources = listed(data, tmp_path, name)
    assert reasons(sources) == [reason, ""]
    assert read(sources[1]) == b"fine"


@pytest.mark.parametrize("name", ["box.zip", "box.tar", "box.tar.gz"])
def test_names_are_normalized_and_first_counts(tmp_path, name):
    pack = pack_zip if name.endswith(".zip") else pack_tar
    data = pack([("./a.jpg", b"1"), ("p/./y.jpg", b"2"), ("p//y.jpg", b"3"), ("a.jpg", b"4"), ("a.jpg/b.jpg", b"5")])
    sources = listed(gzip.compress(data) if name.endswith(".gz") else data, tmp_path, name)
    keys = ["a.jpg", "p/y.jpg", "p/y.jpg#2", "a.jpg#2", "a.jpg/b.jpg"]
    assert [source.key for source in sources] == [f"{name}!{key}" for key in keys]
    assert reasons(sources) == ["", "", "duplicate_name", "duplicate_name", ""]
    assert [read(source) for source in sources if not source.failure] == [b"1", b"2", b"5"]


@pytest.mark.parametrize(
    ("packed", "name"), [("box.tar.gz", "box.tar"), ("box.tar.xz", "box.tgz"), ("box.tar", "box.zip.tar"),
                         ("box.zip", "box.tar"), ("box.tar.bz2", "box.zip"), ("box.tar.bz2", "box.tbz")],
)  # fmt: skip
def test_content_decides_over_the_name(tmp_path, packed, name):
    sources = listed(PACKED[packed], tmp_path, name)
    assert [read(source) for source in sources] == [b"first" * 400, b"second"]


@pytest.mark.parametrize("name", ["empty.zip", "empty.tar", "empty.tar.gz"])
def test_archive_of_nothing_has_no_member(tmp_path, name):
    data = pack_zip([]) if name.endswith(".zip") else pack_tar([])
    assert listed(gzip.compress(data) if name.endswith(".gz") else data, tmp_path, name) == []


def test_nul_in_name_is_refused(tmp_path):
    data = pack_zip([("a_.jpg", b"x")]).replace(b"a_.jpg", b"a\0.jpg")
    (source,) = listed(data, tmp_path, "box.zip")
    assert source.failure.reason == "unsafe_name" and "has a NUL" in source.failure.message


@pytest.mark.parametrize("name", ["box.zip", "box.tar", "box.tar.gz"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_first_member_of_a_name_counts(tmp_path, name):
    pack = pack_zip if name.endswith(".zip") else pack_tar
    data = pack([("a.jpg", b"first"), ("a.jpg", b"second"), ("a.jpg", b"third"), ("a.jpg#2", b"other")])
    sources = listed(gzip.compress(data) if name.endswith(".gz") else data, tmp_path, name)
    assert reasons(sources) == ["", "duplicate_name", "duplicate_name", "duplicate_name"]
    assert len({source.key for source in sources}) == 4
    assert read(sources[0]) == b"first"


@pytest.mark.parametrize("name", ["box.tar", "box.tar.gz"])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_no_files(tmp_path, name, kind):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        link = tarfile.TarInfo("link.jpg")
        link.type, link.linkname = kind, "/etc/passwd"
        archive.addfile(link)
        archive.addfile(tarfile.TarInfo("empty.jpg"))
    data = buffer.getvalue()
    assert reasons(listed(gzip.compress(data) if name.endswith(".gz") else data, tmp_path, name)) == ["not_a_file", ""]


def test_folders_are_no_members(tmp_path):
    assert [s.key for s in listed(pack_zip([("p/", b""), ("p/1", b"x")]), tmp_path, "a.zip")] == ["a.zip!p/1"]


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.44])
def test_truncated_archive_gives_members_and_reason(tmp_path, name, share):
    data = PACKED[name]
    sources = listed(data[: int(len(data) * share)], tmp_path, name)
    assert sources[-1].failure is not None and sources[-1].failure.reason == "broken_archive"
    for source in sources[:-1]:
        with contextlib.suppress(errors.ReadError):  # the last member may be cut off
            assert read(source) in (b"first" * 400, b"second")


@pytest.mark.parametrize("name", ["box.tar", "box.tar.gz"])
def test_damaged_tar_header_is_an_error(tmp_path, name):
    data = bytearray(pack_tar([("1.jpg", b"x" * 512), ("2.jpg", b"y" * 512)]))
    data[1024 + 148 : 1024 + 156] = b"99999999"  # the checksum of the second header
    packed = gzip.compress(bytes(data)) if name.endswith(".gz") else bytes(data)
    assert reasons(listed(packed, tmp_path, name)) == ["", "broken_archive"]


def test_multi_member_gzip_is_read_whole(tmp_path):
    data = pack_tar(TWO)
    sources = listed(gzip.compress(data[:1000]) + gzip.compress(data[1000:]), tmp_path, "box.tar.gz")
    assert reasons(sources) == ["", ""]
    assert [read(source) for source in sources] == [b"first" * 400, b"second"]


def test_wrong_gzip_checksum_is_reported(tmp_path):
    data = bytearray(PACKED["box.tar.gz"])
    data[-8] ^= 255
    assert reasons(listed(bytes(data), tmp_path, "box.tar.gz"))[-1] == "broken_archive"


def test_uncompressed_tar_named_gz_is_read(tmp_path):
    assert reasons(listed(PACKED["box.tar"], tmp_path, "box.tar.gz")) == ["", ""]


def test_decompression_bomb_is_stopped(tmp_path):
    data = pack_tar([("small.jpg", b"x"), ("big.jpg", bytes(1 << 20)), ("after.jpg", b"x")], "w:gz")
    sources = listed(data, tmp_path, "bomb.tar.gz", limit=1 << 16)
    assert reasons(sources) == ["", "too_large"]
    assert "unpacks to more than 65536 bytes" in sources[1].failure.message
    assert (tmp_path / "bomb.tar.gz.spool").stat().st_size == 1
    assert tar_listing.spool_limit(100) == 1 << 30 and tar_listing.spool_limit(1 << 30) == 200 << 30


@pytest.mark.parametrize(("claim", "reason"), [(500 << 20, ""), (600 << 20, "too_large"), (0xFFFFFFFE, "too_large")])
def test_oversized_zip_member_is_refused_unread(tmp_path, claim, reason):
    data = bytearray(pack_zip([("a.jpg", b"x")]))
    entry = data.index(b"PK\1\2")
    data[entry + 24 : entry + 28] = struct.pack("<I", claim)
    (source,) = listed(bytes(data), tmp_path, "box.zip")
    assert reasons([source]) == [reason]
    if not reason:  # a blank page may unpack to that
        with pytest.raises(errors.ReadError, match="1 bytes of 524288000; truncated"):
            read(source)


def test_oversized_member_of_compressed_tar_is_refused(tmp_path):
    header = tarfile.TarInfo("a.jpg")
    header.size = 600 << 20
    data = gzip.compress(header.tobuf() + bytes(1 << 20))
    sources = listed(data, tmp_path, "box.tgz", limit=1 << 30)
    assert reasons(sources) == ["too_large", "broken_archive"]
    assert "unpacks from" in sources[0].failure.message


def test_wrong_zip_checksum_is_refused(tmp_path):
    data = PACKED["box.zip"].replace(b"second", b"SECOND")
    sources = listed(data, tmp_path, "box.zip")
    with pytest.raises(errors.ReadError, match="Bad CRC-32"):
        read(sources[1])
    assert read(sources[0]) == b"first" * 400


def test_encrypted_member_is_refused(tmp_path):
    data = bytearray(pack_zip([("a.jpg", b"x")]))
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(mark) + place] |= 1
    (source,) = listed(bytes(data), tmp_path, "box.zip")
    with pytest.raises(errors.ReadError, match="encrypted"):
        read(source)


@pytest.mark.parametrize("name", ["box.zip", "box.tar", "box.tar.gz"])
def test_broken_archive_is_one_row(tmp_path, name):
    (source,) = listed(b"not an archive" * 100, tmp_path, name)
    assert source.key == name and source.failure.reason == "broken_archive"


def test_loose_files(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"whole")
    assert read(Source("a.jpg", str(path))) == b"whole"
    with pytest.raises(errors.ReadError, match="5 bytes of 9; truncated or changed"):
        read(Source("a.jpg", str(path), size=9, version="mtime:1"))
    with pytest.raises(errors.ReadError) as caught:
        read(Source("b.jpg", str(tmp_path / "b.jpg")))
    assert caught.value.reason == "not_found"


def test_member_beyond_end_of_tar_is_refused(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(PACKED["box.tar"][:1600])
    with pytest.raises(errors.ReadError, match="1088 bytes of 2000; truncated"):
        read(Source("a.tar!x", str(path), offset=512, size=2000, version="mtime:0"))


def test_tar_named_zip_is_read(tmp_path):
    assert [source.failure for source in listed(PACKED["box.tar"], tmp_path, "a.zip")] == [None, None]


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz"])
@pytest.mark.parametrize(
    ("start", "kind"), [(b"7z\xbc\xaf\x27\x1c", "7-Zip"), (b"Rar!\x1a\7", "RAR"), (b"070701", "cpio")]
)
def test_other_archives_are_named_by_content(start, kind, name, tmp_path):
    (source,) = listed(start + bytes(3000), tmp_path, name)
    assert source.failure.reason == "unsupported_format" and f"archive ({kind})" in source.failure.message
