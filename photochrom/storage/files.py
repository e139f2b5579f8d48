"""Files by path, local and in buckets alike: each function calls the store of the path's scheme.

A store is imported when the first path of its scheme is used, so that local work does not wait for it.
"""

import functools
import os
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import IO

from photochrom import errors
from photochrom.storage import local, local_listing, patterns
from photochrom.storage.names import check_name
from photochrom.storage.store import TEMPORARY_MARK, FileInfo, Store

_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://")


def store(path: str) -> Store:
    """Returns the store of a path.

    Raises:
        UsageError: no store has its scheme.
    """
    scheme = _SCHEME.match(path)
    return _store(scheme[0] if scheme else "")


@functools.cache
def _store(scheme: str) -> Store:
    if scheme == "":
        return local.LocalStore()
    if scheme == "gs://":
        from photochrom.storage import gcs_store

        return gcs_store.GcsStore()
    if scheme == "s3://":
        from photochrom.storage import s3

        return s3.S3Store()
    raise errors.UsageError(f"paths with {scheme} are not supported; expected gs://, s3:// or a path of this machine")


def is_local(path: str) -> bool:
    """Whether a path has no scheme."""
    return not _SCHEME.match(path)


def is_glob(path: str) -> bool:
    """Whether a path has a wildcard, and is not itself the name of a file or folder."""
    return patterns.is_pattern(path) and not exists(path)


def join(folder: str, *parts: str) -> str:
    """Joins parts of a path, with and without a scheme."""
    return "/".join([folder.rstrip("/") or "/", *parts])


def absolute(path: str) -> str:
    """Returns a local path from the root, without a slash at its end; a path with a scheme unchanged."""
    return os.path.abspath(path) if is_local(path) else path


def open_read(path: str) -> IO[bytes]:
    """Opens a file for reading, seekable, without decompression.

    Raises:
        OSError: it is missing or cannot be read.
    """
    return store(path).open_read(path)


def read_bytes(path: str) -> bytes:
    """Returns a file's content."""
    with open_read(path) as file:
        return file.read()


def read_range(path: str, start: int, count: int) -> bytes:
    """Returns `count` bytes of a file from `start` on, fewer at its end."""
    return bytes(store(path).read_range(path, start, count))


def copy(source: str, target: str) -> None:
    """Copies a file to a path of any scheme; it appears there whole or not at all."""
    with open_read(source) as opened, create(target) as file:
        shutil.copyfileobj(opened, file, 1 << 20)


def copy_folder(source: str, target: str) -> None:
    """Copies all files below a folder to a path of any scheme.

    Raises:
        DataError: a name would leave the target.
    """
    start = source.rstrip("/") + "/"
    for info in list_folder(source):
        name = info.path.removeprefix(start)
        check_name(name)
        copy(info.path, join(target, name))


def create(path: str) -> AbstractContextManager[IO[bytes]]:
    """Writes a file that appears whole or not at all: a temporary name and a rename, or one object upload."""
    return store(path).create(path)


def abandon() -> None:
    """Deletes the unfinished local files of this process, before it exits at once."""
    local.abandon()


def write_bytes(path: str, data: bytes) -> None:
    """Writes a file that appears whole or not at all."""
    with create(path) as file:
        file.write(data)


def write_typed(path: str, data: bytes, content_type: str) -> None:
    """Writes a file of this program's own that browsers are to show; in a bucket it gets the content type.

    All other files are plain bytes there: by their names, which are the archive's, a browser might run them.
    """
    store(path).write_typed(path, data, content_type)


def write_if(path: str, data: bytes, version: str) -> str | None:
    """Writes a file if its version is still that, "" for none; returns the new one, or None if it is not.

    In gs:// this is atomic; elsewhere another writer can intervene, within a second.
    """
    return store(path).write_if(path, data, version)


def delete_if(path: str, version: str) -> None:
    """Deletes a file if its version is still that, as atomically as `write_if`."""
    store(path).delete_if(path, version)


def exists(path: str) -> bool:
    """Whether there is a file or a folder."""
    return store(path).exists(path)


def is_folder(path: str) -> bool:
    """Whether a path is a folder; in a bucket, whether any file is below it."""
    return store(path).is_folder(path)


def list_folder(folder: str) -> Iterator[FileInfo]:
    """Yields all finished files below a folder in sorted order, one local folder or page of a bucket in memory.

    A local folder that cannot be listed has a `problem`. A missing one is empty.
    """
    return (info for info in list_all(folder) if not info.is_under_way)


def list_all(folder: str) -> Iterator[FileInfo]:
    """Yields all files below a folder as `list_folder` does, and the unfinished ones as well."""
    return store(folder).list_folder(folder)


def list_input(folder: str, avoid: str = "") -> Iterator[FileInfo]:
    """Yields what `list_folder` does, and what is behind links to folders, but for loops and links to `avoid`."""
    found = local_listing.walk(folder, True, avoid) if is_local(folder) else store(folder).list_folder(folder)
    return (info for info in found if not info.is_under_way)


def list_glob(pattern: str, avoid: str = "") -> Iterator[FileInfo]:
    """Yields the files that match a pattern (*, ?, [...], ** for any depth), in sorted order; links as `list_input`."""
    return local_listing.matches(pattern, avoid) if is_local(pattern) else store(pattern).list_glob(pattern)


def stat(path: str) -> FileInfo:
    """Returns the listing's row of one file.

    Raises:
        FileNotFoundError: it is missing.
    """
    return store(path).stat(path)


def modified(path: str) -> float:
    """Returns when a file was last written, seconds since 1970, by the clock of its store or file system.

    Raises:
        FileNotFoundError: it is missing.
    """
    return store(path).modified(path)


def delete(path: str) -> None:
    """Deletes one file that this program has just made or named itself; no error if there is none."""
    store(path).delete(path)


def delete_within(folder: str, names: Iterable[str]) -> None:
    """Deletes files of an output folder by untrusted paths relative to it; no error if there is none.

    Raises:
        PhotochromError: a path leaves the folder, or is or passes through a symbolic link or a folder; it is not
            deleted.
    """
    store(folder).delete_within(folder, names)


def remove_empty(folder: str, name: str) -> None:
    """Removes a folder, by its path relative to another one, if it is empty; buckets have no folders."""
    store(folder).remove_empty(folder, name)


def clear(folder: str, names: Iterable[str]) -> None:
    """Removes scratch that a job has made itself, by paths relative to a folder, with its content.

    Links in it are removed, and never followed.

    Raises:
        PhotochromError: a path leaves the folder, or passes through a symbolic link.
    """
    store(folder).clear(folder, names)


def check_writable(folder: str, flag: str = "--output") -> None:
    """Writes and deletes a small file, so that a job fails at its start, not at its end.

    Raises:
        UsageError: nothing can be written there.
    """
    probe = join(folder, f"{TEMPORARY_MARK}probe-{uuid.uuid4().hex}")
    try:
        write_bytes(probe, b"photochrom")
        delete(probe)
    except (FileExistsError, NotADirectoryError) as error:
        raise errors.UsageError(f"{flag} {folder} is a file, or below one; expected a folder") from error
    except Exception as error:  # of any class: the advice is the same
        raise errors.UsageError(
            f"{flag} {folder} cannot be written: {error}; choose another folder or give yourself the right to write"
        ) from error
