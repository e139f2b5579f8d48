import zipfile

import pytest

from photochrom import errors
from photochrom.sources import keys, member_reader
from photochrom.sources.source import Source
from photochrom.storage.names import printable
from serving.iiif import scans
from serving.manifest.rows import Row


def found(tmp_path, *rows: Row) -> list[bytes | str]:
    """Returns the bytes of the scans of rows that share a place, or why there are none."""
    (place,) = {scans.place(row) for row in rows}
    located = list(scans.locate((place, rows), str(tmp_path / "spool")))
    return [one.failure.message if one.failure else member_reader.read(one) for _, one in located]


@pytest.mark.parametrize("name", ["a.jpg", "new\nline.jpg", "\\x0a.jpg", "\udce9.jpg", "x.zip!b.jpg"])
def test_loose_file_is_found_by_its_row(tmp_path, name):
    path = str(tmp_path / name)
    with open(path, "wb") as file:
        file.write(b"scan")
    assert found(tmp_path, Row.of(Source(keys.of_path(name), path))) == [b"scan"]


def test_members_of_an_archive_are_found_together(tmp_path):
    names = ("p/1.jpg", "new\nline.jpg", "\u202e.jpg")
    with zipfile.ZipFile(tmp_path / "box.zip", "w") as archive:
        for name in names:
            archive.writestr(name, name)
    rows = [Row.of(Source(keys.of_member("in/box.zip", name), str(tmp_path / "box.zip"))) for name in names]
    assert found(tmp_path, *rows) == [name.encode() for name in names]
    missing = Row.of(Source("in/box.zip!none.jpg", str(tmp_path / "box.zip")))
    assert found(tmp_path, missing) == ["the archive holds no such member"]


def test_page_is_that_of_the_key(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"scan")
    source = Source("a.tif#page=0003", str(tmp_path / "a.tif"), page=2, page_count=3)
    row = Row.of(source)
    ((_, one),) = scans.locate((scans.place(row), [row]), "")
    assert (one.page, one.path) == (2, source.path)


@pytest.mark.parametrize("key", ["a.tif#page=0009", "a.tif#page=0000", "a.tif#page=", "a.tif"])
def test_untrusted_page_is_bounded(key):
    assert scans.page(Row(key, "done", pages=3)) == 0


@pytest.mark.parametrize("path", ["/no/such", "a\0b", "ftp://host/a.jpg", "", printable("a\0b"), "\\ud800"])
def test_untrusted_path_costs_only_its_row(tmp_path, path):
    row = Row("a.jpg", "done", source=path)
    ((_, one),) = scans.locate((scans.place(row), [row]), str(tmp_path))
    with pytest.raises(errors.DataError):
        raise one.failure.to_error() if one.failure else _error(one)


def _error(source: Source) -> Exception:
    with pytest.raises(errors.DataError) as caught:
        member_reader.read(source)
    return caught.value
