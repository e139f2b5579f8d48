"""Files among the pictures that are none: hidden ones, those of operating systems, and archives that are not read."""

import contextlib
import re
from collections.abc import Iterator

from photochrom import errors

# Lower case. Explorer's and Media Center's; macOS's in zips, Windows', Synology's and NetApp's folders.
_SYSTEM_FILES = frozenset(("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini"))
_SYSTEM_FOLDERS = frozenset(("__macosx", "$recycle.bin", "system volume information", "@eadir", "~snapshot"))
# RFC 1740: the resource fork and the Finder's data of a file, which macOS stores beside it on foreign volumes.
_APPLE_DOUBLE = b"\0\5\x16\7"
_UNREAD_SUFFIX = re.compile(
    r"\.(rar|cbr|7z|cb7|cbz|cbt|zipx|z\d\d|t?lz|lzma|tlzma|zst|tzst|lz4|z|taz|tb2|gz|bz2|xz|lha|lzh|arj|ace|cab|cpio"
    r"|sitx?|iso|dmg)$",
    re.IGNORECASE,
)
_SIGNATURES = (
    (b"Rar!\x1a\7", "RAR"), (b"7z\xbc\xaf\x27\x1c", "7-Zip"), (b"\x1f\x8b\x08", "gzip"), (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "Zstandard"), (b"LZIP", "lzip"), (b"PK\3\4", "zip"),
    (b"\x04\x22\x4d\x18", "LZ4"), (b"\x5d\0\0", "LZMA"), (b"\x1f\x9d", "compress"), (b"MSCF\0\0\0\0", "cabinet"),
    (b"xar!", "xar"), (b"070701", "cpio"), (b"070702", "cpio"), (b"070707", "cpio"), (b"\xc7\x71", "cpio"),
)  # fmt: skip
# The first members of documents, which are zips as well: Office Open XML, OpenDocument, EPUB, JAR.
_DOCUMENTS = (b"[Content_Types].xml", b"mimetype", b"_rels/", b"docProps/", b"word/", b"xl/", b"ppt/", b"META-INF/")
SIGNATURE_BYTES = 512
_ADVICE = "unpack it and give the folder, or pack it as zip or tar.gz"


def ignored(name: str, dots: bool = True) -> errors.Ignored | None:
    """Returns why a file is left alone; None if it is not.

    Args:
        name: its path below the folder or the archive that is listed.
        dots: whether names that begin with a dot are hidden.
    """
    *folders, file = name.lower().split("/")
    if file in _SYSTEM_FILES or _SYSTEM_FOLDERS.intersection(folders):
        return errors.Ignored("a file of an operating system, no scan", "system_file")
    if dots and any(part.startswith(".") and part not in (".", "..") for part in (*folders, file)):
        return errors.Ignored("hidden, by the dot that its name or a folder's begins with; give it as --input itself")
    return None


def unread_archive(path: str) -> errors.ReadError | None:
    """Returns the error of a file whose name is that of an archive that is not read; None for others."""
    suffix = _UNREAD_SUFFIX.search(path)
    return _unread(f"archives with names in {suffix[0]} are not read") if suffix else None


def nested_archive() -> errors.ReadError:
    """Returns the error of an archive within an archive."""
    return _unread("archives within an archive are not read")


@contextlib.contextmanager
def recognized(data: bytes) -> Iterator[None]:
    """Raises a more specific error where the body finds that a file is no image, if the file's content allows it."""
    try:
        yield
    except errors.NotAnImage as error:
        if data.startswith(_APPLE_DOUBLE):
            raise errors.Ignored("macOS's data about a file (AppleDouble), no scan", "system_file") from error
        kind = archive_kind(data)
        if kind and not data.startswith(_DOCUMENTS, 30):
            raise misnamed(kind) from error
        raise


def archive_kind(start: bytes) -> str:
    """Returns the kind of archive that content begins like, by SIGNATURE_BYTES of it; "" for none."""
    if start.startswith(b"ustar", 257):
        return "tar"
    return next((kind for magic, kind in _SIGNATURES if start.startswith(magic)), "")


def misnamed(kind: str) -> errors.ReadError:
    """Returns the error of an archive of a kind that its name does not state."""
    return _unread(f"its content is an archive ({kind}), which its name does not say")


def _unread(text: str) -> errors.ReadError:
    return errors.ReadError(f"{text}; {_ADVICE}", "unsupported_format", "list")
