import pytest

from photochrom import errors
from photochrom.sources import foreign


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.jpg", ""),
        ("p/..jpg/a", "hidden"),
        (".a.jpg", "hidden"),
        ("../../etc/a.jpg", ""),  # refused elsewhere
        ("p/._a.jpg", "hidden"),
        (".git/a.jpg", "hidden"),
        ("__MACOSX/p/._a.jpg", "system_file"),
        ("p/THUMBS.DB", "system_file"),
        ("p/desktop.ini", "system_file"),
        ("$RECYCLE.BIN/a.jpg", "system_file"),
        ("p/@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg", "system_file"),
        ("thumbs.db/a.jpg", ""),
    ],
)
def test_ignored_finds_files_of_systems(name, reason):
    found = foreign.ignored(name)
    assert (found.reason if found else "") == reason


@pytest.mark.parametrize(
    ("path", "is_unread"),
    [("a.rar", True), ("a.7Z", True), ("a.tar.zst", True), ("a.z01", True), ("a.tif.gz", True), ("a.zip", False),
     ("a.jpg", False), ("a.docx", False), ("rar", False), ("a.001", False)],
)  # fmt: skip
def test_unread_archives_are_known_by_name(path, is_unread):
    assert (foreign.unread_archive(path) is not None) is is_unread


@pytest.mark.parametrize(
    ("data", "kind", "reason"),
    [
        (b"\0\5\x16\7" + bytes(80), errors.Ignored, "system_file"),
        (b"Rar!\x1a\7\1\0", errors.ReadError, "unsupported_format"),
        (b"7z\xbc\xaf\x27\x1c", errors.ReadError, "unsupported_format"),
        (b"PK\3\4" + bytes(26) + b"a.jpg", errors.ReadError, "unsupported_format"),
        (bytes(257) + b"ustar\0", errors.ReadError, "unsupported_format"),
        (b"PK\3\4" + bytes(26) + b"[Content_Types].xml", errors.NotAnImage, "not_an_image"),
        (b"PK\3\4" + bytes(26) + b"mimetypeapplication/epub+zip", errors.NotAnImage, "not_an_image"),
        (b"some text", errors.NotAnImage, "not_an_image"),
    ],
    ids=range(8),
)
def test_content_that_is_no_image_is_recognized(data, kind, reason):
    with pytest.raises(kind) as caught, foreign.recognized(data):
        raise errors.NotAnImage("no image")
    assert caught.value.reason == reason


def test_images_and_other_errors_are_not_looked_at():
    with foreign.recognized(b"Rar!\x1a\7"):
        pass
    with pytest.raises(errors.DecodeError), foreign.recognized(b"Rar!\x1a\7"):
        raise errors.DecodeError("broken")
