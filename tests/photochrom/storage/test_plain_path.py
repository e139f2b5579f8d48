import os

import pytest

from photochrom.storage import plain_path


@pytest.mark.parametrize("name", ["a [b]", "a*", "a?", "a{b}", "a\\b"])
def test_plain_path_has_no_wildcards(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    with plain_path.plain(str(folder)) as path:
        assert not set("*?[]{}\\") & set(path)
        with open(f"{path}/file", "w") as file:
            file.write("there")
    assert (folder / "file").read_text() == "there"
    assert not os.path.exists(path)


def test_plain_path_without_wildcards_is_unchanged(tmp_path):
    with plain_path.plain(str(tmp_path / "a % b")) as path:
        assert path == str(tmp_path / "a % b")


def test_missing_folder_raises(tmp_path):
    with pytest.raises(FileNotFoundError), plain_path.plain(str(tmp_path / "[none]")):
        pass
