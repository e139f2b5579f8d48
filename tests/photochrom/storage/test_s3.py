"""Beam's FileSystems by the same names as files.py, on its own local file system: the one that needs no server."""

import pytest

from photochrom.storage import s3


@pytest.fixture
def folder(tmp_path) -> str:
    for name in ("b", "a/2", "a/1", "a/.photochrom-tmp-x"):
        with s3.create(f"{tmp_path}/in/{name}") as file:
            file.write(name.encode())
    return f"{tmp_path}/in"


def test_what_is_written_is_listed_in_order_and_read(folder):
    found = [info for info in s3.list_folder(folder) if not info.is_under_way]
    assert [info.path.removeprefix(f"{folder}/") for info in found] == ["a/1", "a/2", "b"]
    assert [info.size for info in found] == [3, 3, 1]
    with s3.open_read(f"{folder}/a/2") as file:
        file.seek(1)
        assert file.read() == b"/2"
    assert s3.stat(f"{folder}/b").path == f"{folder}/b"
    assert s3.is_folder(folder) and s3.exists(f"{folder}/b") and not s3.exists(f"{folder}/c")
    with pytest.raises(FileNotFoundError):
        s3.stat(f"{folder}/c")


def test_a_file_is_written_and_deleted_only_in_the_state_that_is_named(folder):
    path = f"{folder}/lock"
    version = s3.write_if(path, b"first", "")
    assert version and s3.write_if(path, b"second", "") is None
    s3.delete_if(path, "mtime:0")
    assert s3.exists(path)
    s3.delete_if(path, version)
    assert not s3.exists(path)


def test_nothing_is_deleted_without_an_error(folder):
    s3.delete(f"{folder}/none")
    s3.delete(f"{folder}/b")
    assert not s3.exists(f"{folder}/b")
