r"""Keys of inputs: stable names from which splits, shards, output names and messages are made.

A file's key is its path from the folder that holds the input, as `cp -r` would name it: `--input /data/scans`
gives `scans/box1/001.tif`. A member of an archive is `ARCHIVE!MEMBER`: `scans/box2.zip!p/002.jpg`. Where each page of a
file is an input of its own, a page has the key `KEY#page=0002`, counted from 1. A file of one page keeps its
key, unless that ends like a page's.

No two names have one key. A hidden character is escaped (a line break is `\x0a`); so is a backslash that begins such an
escape in the name itself (`\x5cx0a`), and a `!` in a file's own path that would look like an archive's (`a.zip\x21b`).
"""

import hashlib
import re

from photochrom.storage.names import printable

SEPARATOR = "!"
_PAGE = re.compile(r"#page=\d{4,}$")
# The end of the name of an archive, where a member may follow.
ARCHIVE_SUFFIX = r"\.(?:zip|tar|tar\.\w+|t[gbx]z2?)"
_ARCHIVE_BORDER = re.compile(f"({ARCHIVE_SUFFIX}){SEPARATOR}", re.IGNORECASE)
_LIKE_AN_ESCAPE = re.compile(r"\\(?=x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
# A longer name is refused, and need not be in its key as a whole.
_MAX_NAME = 4096


def digest(key: str, seed: int = 0) -> int:
    """Returns a stable 64-bit digest: the same on every machine, runner and Python."""
    text = f"{seed}\0{key}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def fraction(key: str, seed: int = 0) -> float:
    """Returns a stable, uniformly spread number in [0, 1)."""
    return digest(key, seed) / 2**64


def of_path(path: str) -> str:
    """Returns the key of a loose file or an archive, by its path from the folder of the input."""
    return _ARCHIVE_BORDER.sub(r"\1\\x21", _escaped(path))


def of_member(archive: str, name: str) -> str:
    """Returns the key of a member, by the key of its archive and its normalized name."""
    if len(name) > _MAX_NAME:
        name = f"{name[:100]}...{digest(printable(name)):016x}"
    return f"{archive}{SEPARATOR}{_escaped(name)}"


def of_line(manifest: str, number: int) -> str:
    """Returns the key of a line, counted from 1, that names no file, by the key of its manifest."""
    return f"{manifest}#line={number}"


def _escaped(text: str) -> str:
    return printable(_LIKE_AN_ESCAPE.sub(r"\\x5c", text))


def of_page(key: str, page: int, count: int) -> str:
    """Returns the key of a page, counted from 0, of a file that has `count` of them."""
    return f"{key}#page={page + 1:04d}" if count > 1 or _PAGE.search(key) else key


def of_file(key: str) -> str:
    """Returns the key of the file of which a key that `of_page` made is a page."""
    return _PAGE.sub("", key, count=1)


def split_member(text: str) -> tuple[str, str]:
    """Returns the archive's path and the member's name in a row of a manifest; ("PATH", "") for a loose file."""
    border = _ARCHIVE_BORDER.search(text)
    return (text[: border.end() - 1], text[border.end() :]) if border else (text, "")


def with_normal_member(key: str) -> str:
    """Returns a key, or a glob for keys, as older versions stated it, with the member's name normalized."""
    archive, member = split_member(key)
    end = "/" if member.endswith("/") else ""
    return f"{archive}{SEPARATOR}{normalized(member)}{end}" if member else key


def normalized(name: str) -> str:
    """Returns a member's name without empty parts and `.`: `./p//1.jpg` and `p/1.jpg` are one file. `..` stays."""
    start = "/" if name.startswith("/") else ""
    return start + "/".join(part for part in name.split("/") if part not in ("", "."))
