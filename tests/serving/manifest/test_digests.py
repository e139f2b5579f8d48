import hashlib
import os

from serving.manifest import digests


def test_whole_is_a_regular_file_with_that_digest(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a").write_bytes(b"copy")
    sha256 = hashlib.sha256(b"copy").hexdigest()
    os.mkfifo(tmp_path / "images/pipe")  # opening one would wait for ever
    (tmp_path / "images/link").symlink_to("/etc/hostname")
    assert digests.is_whole(str(tmp_path), "images/a", sha256)
    assert not digests.is_whole(str(tmp_path), "images/a", "0" * 64)
    found = {name: digests.read(str(tmp_path), f"images/{name}") for name in ("a", "b", "pipe", "link")}
    assert found == {
        "a": ("", sha256, 4),
        "b": ("is missing", "", 0),
        "pipe": ("is no regular file", "", 0),
        "link": ("leads out of the folder by a link; it was not read", "", 0),
    }
