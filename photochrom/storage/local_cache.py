"""Copies on this machine's disk of remote folders that TensorFlow reads as files: bundles, datasets, weights.

TensorFlow's own access to buckets is not used. Several files are copied at a time; each appears whole or not at all,
with the size and, where the listing states it, the CRC-32C of the original. Files that are here already are not
copied again: so an interrupted copy continues.
"""

import base64
import concurrent.futures
import contextlib
import fcntl
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO

import google_crc32c

from photochrom import errors
from photochrom.storage import files
from photochrom.storage.names import check_name

# Each waits for the network most of the time, and holds a piece.
_THREADS = 8
_PIECE_BYTES = 16 << 20
_LOCK = ".lock"


def user_folder(kind: str) -> pathlib.Path:
    """Returns the default folder for this user's copies of a kind, which no other user may write to.

    Raises:
        UsageError: it is another user's.
    """
    folder = pathlib.Path(tempfile.gettempdir(), f"photochrom-{kind}-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise errors.UsageError(f"{folder} is another user's; remove it, or set TMPDIR to a folder of yours")
    return folder


@contextlib.contextmanager
def locked(folder: pathlib.Path) -> Iterator[None]:
    """Makes a folder, and admits one process at a time; unfinished files of one that died are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / _LOCK, "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in folder.rglob(f"{files.TEMPORARY_MARK}*"):
            leftover.unlink()
        yield


def missing(origin: str, infos: Iterable[files.FileInfo], folder: pathlib.Path) -> list[files.FileInfo]:
    """Returns the files below `origin` without a whole copy in `folder`; reads the existing copies.

    Raises:
        DataError: a name would leave the folder.
    """
    infos = list(infos)
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        there = pool.map(lambda info: _is_copy(_target(origin, info, folder), info), infos)
        return [info for info, is_there in zip(infos, there, strict=True) if not is_there]


def fetch(
    origin: str, infos: Iterable[files.FileInfo], folder: pathlib.Path, advance: Callable[[], None] = lambda: None
) -> None:
    """Copies files below `origin` to the same names below `folder`, and calls `advance` after each.

    Raises:
        DataError: a name would leave the folder.
        OSError: a file cannot be read or written, or has changed since it was listed.
    """
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        for _ in pool.map(lambda info: _copy(info, _target(origin, info, folder)), infos):
            advance()


def _target(origin: str, info: files.FileInfo, folder: pathlib.Path) -> pathlib.Path:
    return folder / check_name(info.path.removeprefix(origin.rstrip("/") + "/"))


def _copy(info: files.FileInfo, target: pathlib.Path) -> None:
    size, checksum = 0, google_crc32c.Checksum()
    with files.open_read(info.path) as opened, files.create(str(target)) as file:
        for piece in _pieces(opened):
            file.write(piece)
            size += len(piece)
            checksum.update(piece)
        if not _is_same(info, size, checksum):
            raise OSError(f"{info.path} was replaced while it was copied; the same command copies it again")


def _is_copy(path: pathlib.Path, info: files.FileInfo) -> bool:
    if not path.is_file() or path.stat().st_size != info.size:
        return False
    checksum = google_crc32c.Checksum()
    with open(path, "rb") as file:
        for piece in _pieces(file) if info.crc32c else ():
            checksum.update(piece)
    return _is_same(info, info.size, checksum)


def _is_same(info: files.FileInfo, size: int, checksum: google_crc32c.Checksum) -> bool:
    return size == info.size and info.crc32c in ("", base64.b64encode(checksum.digest()).decode())


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: file.read(_PIECE_BYTES), b"")
