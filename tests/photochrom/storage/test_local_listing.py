import inspect
import os
import socket
import sys
import threading

import pytest

from photochrom.storage import files, local_listing
from photochrom.storage.store import LinkLoop, NotRegular


@pytest.fixture
def tree(tmp_path):
    for name in ("in/a.jpg", "in/sub/b.jpg", "outside/c.jpg", "outside/deep/d.jpg", "out/e.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "in/linked").symlink_to(tmp_path / "outside")
    return tmp_path


def names(found, folder) -> list[str]:
    return [f"{info.path.removeprefix(f'{folder}/')}{':' if info.problem else ''}" for info in found]


def test_links_to_folders_are_followed_in_inputs_alone(tree):
    own = ["a.jpg", "sub/b.jpg"]
    assert names(files.list_folder(str(tree / "in")), tree / "in") == own
    expected = ["a.jpg", "linked/c.jpg", "linked/deep/d.jpg", "sub/b.jpg"]
    assert names(files.list_input(str(tree / "in")), tree / "in") == expected


@pytest.mark.parametrize("target", [".", ".."])
def test_loop_of_links_is_reported_once(tree, target):
    (tree / "in/sub/loop").symlink_to(target)
    (found,) = [info for info in files.list_input(str(tree / "in")) if info.problem]
    assert found.path == f"{tree}/in/sub/loop" and isinstance(found.problem, LinkLoop)


def test_folders_that_link_to_each_other_end(tree):
    (tree / "outside/back").symlink_to(tree / "in")
    (tree / "in/sub/over").symlink_to(tree / "outside/deep")
    (tree / "outside/deep/over").symlink_to(tree / "in/sub")
    expected = ["a.jpg", "linked/back:", "linked/c.jpg", "linked/deep/d.jpg", "linked/deep/over/b.jpg",
                "linked/deep/over/over:", "sub/b.jpg", "sub/over/d.jpg", "sub/over/over:"]  # fmt: skip
    assert names(files.list_input(str(tree / "in")), tree / "in") == expected


def test_many_folders_that_link_to_each_other_end(tmp_path):
    """Twelve of them would have 12! paths."""
    for name in "abcdefghijkl":
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(b"")
        for other in set("abcdefghijkl") - {name}:
            (tmp_path / name / f"to-{other}").symlink_to(f"../{other}")
    found = list(local_listing.walk(str(tmp_path), follow=True))
    assert {f"{tmp_path}/{name}/1.jpg" for name in "abcdefghijkl"} < {one.path for one in found if not one.problem}
    assert len(found) < 12**3


def test_link_to_output_is_not_followed(tree):
    for name, target in (("to_output", "out"), ("above", "."), ("beside", "outside")):
        (tree / "in" / name).symlink_to(tree / target)
    (tree / "in/linked").unlink()
    found = names(files.list_input(str(tree / "in"), avoid=str(tree / "out")), tree / "in")
    assert found == ["a.jpg", "above:", "to_output:", "beside/c.jpg", "beside/deep/d.jpg", "sub/b.jpg"]


@pytest.mark.skipif(os.getuid() == 0, reason="root may list every folder")
def test_folder_without_right_has_problem(tree):
    (tree / "in/sub").chmod(0)
    assert names(files.list_input(str(tree / "in")), tree / "in")[-1] == "sub:"


def test_deep_folders_are_listed_without_recursion(tmp_path):
    path = tmp_path.joinpath(*"d" * 120, "a.jpg")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 60)
    try:
        found = list(local_listing.walk(str(tmp_path)))
    finally:
        sys.setrecursionlimit(limit)
    assert [info.path for info in found] == [str(path)]


def test_pattern_of_any_depth_ends_in_loops(tree):
    (tree / "in/loop").symlink_to(".")
    found = files.list_glob(f"{tree}/in/**/*.jpg")
    assert names(found, tree / "in") == ["a.jpg", "linked/c.jpg", "linked/deep/d.jpg", "loop:", "sub/b.jpg"]


def test_pattern_lists_pipes_and_dangling_links(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "gone.jpg").symlink_to("nowhere")
    (tmp_path / "folder.jpg").mkdir()
    assert names(files.list_glob(f"{tmp_path}/*.jpg"), tmp_path) == ["gone.jpg", "pipe.jpg"]


@pytest.mark.parametrize("kind", ["pipe", "link", "device", "socket", "folder"])
def test_only_regular_files_are_opened(tmp_path, kind):
    path = tmp_path / "a.jpg"
    opened = socket.socket(socket.AF_UNIX)
    if kind in ("pipe", "link"):
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to("pipe")
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "socket":
        opened.bind(str(path))
    else:
        path.mkdir()
    raised = []

    def read():
        try:
            files.read_bytes(str(path))
        except OSError as error:
            raised.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(5)
    assert isinstance(raised[0], NotRegular)
    opened.close()
