import dataclasses
import os
import zipfile

import pytest

from photochrom import errors
from photochrom.sources import member_reader
from photochrom.sources.source import Source

ONE = Source("a.zip!1", "gs://b/a.zip", "1", offset=100, size=50, extent=60, run=100)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"offset": 160}, True),
        ({"offset": 160 + member_reader._GAP_BYTES}, True),
        ({"offset": 161 + member_reader._GAP_BYTES}, False),
        ({"offset": 99}, False),  # out of order
        ({"offset": 160, "run": 160}, False),
        ({"offset": 160, "path": "gs://b/other.zip"}, False),
    ],
)
def test_neighbours_are_of_one_run_and_close(changes, expected):
    assert member_reader.are_neighbours(ONE, dataclasses.replace(ONE, key="a.zip!2", **changes)) is expected


def test_loose_files_are_no_neighbours():
    loose = Source("1.jpg", "gs://b/1.jpg")
    assert not member_reader.are_neighbours(loose, loose)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (ONE, "gs://b/a.zip@100"),
        (dataclasses.replace(ONE, path="/scans/a.zip"), "a.zip!1"),  # a local file needs no request
        (Source("1.jpg", "gs://b/1.jpg"), "1.jpg"),
    ],
)
def test_neighbourhood_is_a_run_in_a_bucket(source, expected):
    assert member_reader.neighbourhood(source) == expected


@pytest.mark.parametrize(
    ("changes", "reason"), [({"path": "missing.jpg"}, "not_found"), ({"size": 9, "version": "mtime:1"}, "unreadable")]
)
def test_read_names_missing_and_cut_files(changes, reason, tmp_path):
    (tmp_path / "1.jpg").write_bytes(b"1234567")
    path = str(tmp_path / changes.pop("path", "1.jpg"))
    with pytest.raises(errors.ReadError) as caught:
        member_reader.read(Source("1.jpg", path, **changes))
    assert caught.value.reason == reason


@pytest.mark.parametrize("kind", ["loose", "zip"])
def test_timeout_covers_reading(tmp_path, kind):
    path = tmp_path / "a"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.jpg", bytes(20 << 20))
            (info,) = archive.infolist()
            extent = archive.start_dir
        source = Source("a", str(path), "a.jpg", 0, 20 << 20, f"crc32:{info.CRC:08x}", extent=extent)
    else:
        path.write_bytes(bytes(20 << 20))
        source = Source("a", str(path))
    assert len(member_reader.read(source, 60)) == 20 << 20
    with pytest.raises(errors.ReadError, match=r"longer than 0 s, .* --image_timeout") as caught:
        member_reader.read(source, 0)
    assert caught.value.reason == "read_timeout"


def test_pipe_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    for read in (member_reader.read, lambda source: member_reader.read_start(source, 4)):
        with pytest.raises(errors.ReadError, match="is a pipe, a socket or a device") as caught:
            read(Source("a.jpg", str(tmp_path / "a.jpg")))
        assert caught.value.reason == "not_a_file"
