import os
import subprocess
import sys

import pytest

from photochrom import errors
from photochrom.storage import files


def test_file_appears_whole_or_never(tmp_path):
    path = tmp_path / "new" / "a.bin"
    with pytest.raises(RuntimeError), files.create(str(path)) as file:
        file.write(b"half")
        assert not path.exists()
        raise RuntimeError
    assert list(path.parent.iterdir()) == []
    files.write_bytes(str(path), b"whole")
    files.write_bytes(str(path), b"again")
    assert files.read_bytes(str(path)) == b"again"
    assert [p.name for p in path.parent.iterdir()] == ["a.bin"]


def test_listing_is_sorted_without_unfinished_files(tmp_path):
    for name in ("b", "a/2", "a/1", f"{files.TEMPORARY_MARK}x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"123")
    found = list(files.list_folder(str(tmp_path)))
    assert [info.path for info in found] == [f"{tmp_path}/b", f"{tmp_path}/a/1", f"{tmp_path}/a/2"]
    assert {info.size for info in found} == {3}


def test_missing_folder_is_empty(tmp_path):
    assert list(files.list_folder(str(tmp_path / "none"))) == []


def test_dangling_link_is_listed(tmp_path):
    (tmp_path / "link.jpg").symlink_to(tmp_path / "gone.jpg")
    (info,) = files.list_folder(str(tmp_path))
    assert info.size == -1
    with pytest.raises(FileNotFoundError):
        files.stat(str(tmp_path / "gone.jpg"))


def test_version_changes_with_file(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"1")
    before = files.stat(str(path)).version
    os.utime(path, ns=(1, 1))
    assert files.stat(str(path)).version != before


@pytest.mark.parametrize(
    ("path", "local"),
    [("a/b", True), ("/a", True), ("gs://bucket/a", False), ("s3://b", False), ("C:/a", True), ("a:b", True)],
)
def test_scheme_makes_a_path_remote(path, local):
    assert files.is_local(path) == local


def test_join():
    assert files.join("gs://bucket/", "a", "b") == "gs://bucket/a/b"
    assert files.join("/", "a") == "//a" or files.join("/", "a") == "/a"


def test_deleting_nothing_is_no_error(tmp_path):
    files.delete(str(tmp_path / "none"))
    (tmp_path / "a").write_bytes(b"")
    files.delete(str(tmp_path / "a"))
    assert not (tmp_path / "a").exists()


def test_unwritable_output_is_reported(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(errors.UsageError, match=r"--output .*/file/out is a file, or below one; expected a folder"):
        files.check_writable(str(tmp_path / "file/out"))


def test_writable_output_is_unchanged(tmp_path):
    files.check_writable(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_local_work_imports_no_beam(tmp_path):
    code = f"import sys; from photochrom.storage import files; list(files.list_folder({str(tmp_path)!r}))"
    subprocess.run([sys.executable, "-c", f"{code}; assert 'apache_beam' not in sys.modules"], check=True)
