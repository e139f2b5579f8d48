"""Keys of inputs: stable names from which splits, shards, output names and messages are made.

A file's key is its path from the folder that holds the input, as `cp -r` would name it: `--input /data/scans`
gives `scans/box1/001.tif`. A member of an archive is `ARCHIVE!MEMBER`: `scans/box2.zip!p/002.jpg`. Where each page of a
file is an input of its own, a page has the key `KEY#page=0002`, counted from 1. A file of one page keeps its
key, unless that ends like a page's: so no two inputs have one key.
"""

import hashlib
import re

SEPARATOR = "!"
_PAGE = re.compile(r"#page=\d{4,}$")
_ARCHIVE_BORDER = re.compile(r"(\.(?:zip|tar|tar\.\w+|t[gbx]z2?))!", re.IGNORECASE)


def digest(key: str, seed: int = 0) -> int:
    """Returns a stable 64-bit digest: the same on every machine, runner and Python."""
    text = f"{seed}\0{key}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def fraction(key: str, seed: int = 0) -> float:
    """Returns a stable, uniformly spread number in [0, 1)."""
    return digest(key, seed) / 2**64


def of_page(key: str, page: int, count: int) -> str:
    """Returns the key of a page, counted from 0, of a file that has `count` of them."""
    return f"{key}#page={page + 1:04d}" if count > 1 or _PAGE.search(key) else key


def of_file(key: str) -> str:
    """Returns the key of the file of which a key that `of_page` made is a page."""
    return _PAGE.sub("", key, count=1)


def to_path(key: str) -> str:
    """Returns the relative path that stands for a key: `scans/box.zip!p/1.jpg` -> `scans/box.zip/p/1.jpg`."""
    return _ARCHIVE_BORDER.sub(r"\1/", key, count=1)


def split_member(text: str) -> tuple[str, str]:
    """Returns the archive's path and the member's name in a row of a manifest; ("PATH", "") for a loose file."""
    border = _ARCHIVE_BORDER.search(text)
    return (text[: border.end() - 1], text[border.end() :]) if border else (text, "")
