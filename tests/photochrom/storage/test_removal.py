"""Deletion below a folder: nothing outside it, nothing through a link."""

import os

import pytest

from photochrom import errors
from photochrom.storage import files


@pytest.fixture
def tree(tmp_path):
    """OUT with a file, links to a folder and a file outside, a folder; OTHER with a file."""
    (tmp_path / "out/images/box").mkdir(parents=True)
    (tmp_path / "other/folder").mkdir(parents=True)
    for name in ("out/images/box/a.jpg", "out/images/b.jpg", "other/a.jpg", "other/folder/x"):
        (tmp_path / name).write_bytes(b"1")
    (tmp_path / "out/images/link").symlink_to(tmp_path / "other")
    (tmp_path / "out/images/inner").symlink_to("box")
    (tmp_path / "out/images/file.jpg").symlink_to(tmp_path / "other/a.jpg")
    return tmp_path


def snapshot(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize(
    "name",
    [
        "../other/a.jpg", "images/../../other/a.jpg", "images/link/a.jpg", "images/inner/a.jpg", "images/file.jpg",
        "images/link", "images/box", "images/link/folder", "images/box/..", "images/", "images/.", ".", "..", "",
        "images//b.jpg", "images/b.jpg\0", "images/b.jpg/x",
    ],
)  # fmt: skip
def test_delete_within_refuses_links_folders_and_outside(tree, name):
    before = snapshot(tree)
    with pytest.raises(errors.PhotochromError, match=r"no regular file but a symbolic link|leads out of its folder"):
        files.delete_within(str(tree / "out"), [name])
    assert snapshot(tree) == before


def test_delete_within_refuses_absolute_path(tree):
    with pytest.raises(errors.PhotochromError, match="leads out of its folder"):
        files.delete_within(str(tree / "out"), [str(tree / "other/a.jpg")])
    assert (tree / "other/a.jpg").exists()


def test_delete_within_deletes_files_alone(tree):
    (tree / "link to out").symlink_to("out")  # the folder itself is the user's own choice
    files.delete_within(str(tree / "link to out"), ["images/./box/a.jpg", "images/none", "none/none", "images/b.jpg"])
    assert os.listdir(tree / "out/images/box") == [] and not (tree / "out/images/b.jpg").exists()
    files.delete_within(str(tree / "no folder"), ["a"])


def test_remove_empty_keeps_folders_with_content(tree):
    files.remove_empty(str(tree / "out"), "images/box")
    assert (tree / "out/images/box/a.jpg").exists()
    files.delete_within(str(tree / "out"), ["images/box/a.jpg"])
    files.remove_empty(str(tree / "out"), "images/box")
    files.remove_empty(str(tree / "out"), "images/box")
    assert not (tree / "out/images/box").exists()


def test_clear_removes_links_and_never_follows_them(tree):
    scratch = tree / "out/.job"
    (scratch / "spool/deep").mkdir(parents=True)
    (scratch / "spool/deep/link").symlink_to(tree / "other")
    (scratch / "canary").symlink_to(tree / "other")
    files.clear(str(tree / "out"), [".job/spool", ".job/canary", ".job/none"])
    assert os.listdir(scratch) == [] and (tree / "other/folder/x").exists()
    with pytest.raises(errors.PhotochromError, match="symbolic link"):
        files.clear(str(tree / "out"), ["images/link/folder"])
    assert (tree / "other/folder/x").exists()


def test_delete_of_a_folder_fails(tree):
    with pytest.raises(OSError):
        files.delete(str(tree / "out"))
    assert (tree / "out/images/b.jpg").exists()
