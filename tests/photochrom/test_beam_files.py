"""Beam's FileSystems by the same names as files.py, on its own local file system: the one that needs no server."""

import pytest

from photochrom import beam_files


@pytest.fixture
def folder(tmp_path) -> str:
    for name in ("b", "a/2", "a/1", "a/.photochrom-tmp-x"):
        with beam_files.create(f"{tmp_path}/in/{name}") as file:
            file.write(name.encode())
    return f"{tmp_path}/in"


def test_what_is_written_is_listed_in_order_and_read(folder):
    found = [info for info in beam_files.list_folder(folder) if not info.is_under_way]
    assert [info.path.removeprefix(f"{folder}/") for info in found] == ["a/1", "a/2", "b"]
    assert [info.size for info in found] == [3, 3, 1]
    with beam_files.open_read(f"{folder}/a/2") as file:
        file.seek(1)
        assert file.read() == b"/2"
    assert beam_files.stat(f"{folder}/b").path == f"{folder}/b"
    assert beam_files.is_folder(folder) and beam_files.exists(f"{folder}/b") and not beam_files.exists(f"{folder}/c")
    with pytest.raises(FileNotFoundError):
        beam_files.stat(f"{folder}/c")


def test_a_file_is_written_and_deleted_only_in_the_state_that_is_named(folder):
    path = f"{folder}/lock"
    version = beam_files.write_if(path, b"first", "")
    assert version and beam_files.write_if(path, b"second", "") is None
    beam_files.delete_if(path, "mtime:0")
    assert beam_files.exists(path)
    beam_files.delete_if(path, version)
    assert not beam_files.exists(path)


def test_nothing_is_deleted_without_an_error(folder):
    beam_files.delete(f"{folder}/none")
    beam_files.delete(f"{folder}/b")
    assert not beam_files.exists(f"{folder}/b")
