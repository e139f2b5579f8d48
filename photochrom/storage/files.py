"""Files, local and in buckets, alike: paths without a scheme by the system, gs:// by buckets.py, others by
beam_files.py.

What a scheme needs is imported when the first path with it turns up, so that local work does not wait for it.
"""

import contextlib
import dataclasses
import errno
import glob
import os
import pathlib
import re
import shutil
import uuid
from collections.abc import Iterator
from typing import IO, Any

from photochrom import errors
from photochrom.storage.names import check_name

_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://")
_GLOB = re.compile(r"[*?\[]")
# Names of files under way; whoever lists a folder passes over them.
TEMPORARY_MARK = ".photochrom-tmp-"
_under_way: set[pathlib.Path] = set()


@dataclasses.dataclass(frozen=True)
class FileInfo:
    """A file as a listing shows it. `version` changes with the content: time of modification, or generation and CRC."""

    path: str
    size: int
    version: str

    @property
    def crc32c(self) -> str:
        """The content's CRC-32C, as base64 of its big-endian bytes; "" where the listing states none."""
        return self.version.partition(" crc32c:")[2]

    @property
    def is_under_way(self) -> bool:
        """Whether it is a file that somebody is writing, or has left half-written."""
        return TEMPORARY_MARK in self.path.rpartition("/")[2]


def is_local(path: str) -> bool:
    """Says whether a path has no scheme."""
    return not _SCHEME.match(path)


def is_glob(path: str) -> bool:
    """Says whether a path has a wildcard in it, and no file or folder bears just that name."""
    return bool(_GLOB.search(path)) and not ((is_local(path) or _is_gs(path)) and exists(path))


def join(folder: str, *parts: str) -> str:
    """Joins parts of a path, with and without a scheme."""
    return "/".join([folder.rstrip("/") or "/", *parts])


def absolute(path: str) -> str:
    """Returns a local path from the root, without a slash at its end; one with a scheme as it is."""
    return os.path.abspath(path) if is_local(path) else path


def _is_gs(path: str) -> bool:
    return path.startswith("gs://")


def _store(path: str) -> Any:
    """Returns the module that lists and changes what lies under a path with a scheme."""
    if _is_gs(path):
        from photochrom.storage import gcs_objects

        return gcs_objects
    from photochrom.storage import s3

    return s3


def _content(path: str) -> Any:
    """Returns the module that reads and writes files with a scheme."""
    if _is_gs(path):
        from photochrom.storage import gcs_streams

        return gcs_streams
    return _store(path)


def open_read(path: str) -> IO[bytes]:
    """Opens a file for reading, seekable, its bytes as they are.

    Raises:
        OSError: it is missing or cannot be read (Beam's errors are OSErrors too).
    """
    if is_local(path):
        return open(path, "rb")
    return _content(path).open_read(path)


def read_bytes(path: str) -> bytes:
    """Returns a file's content."""
    with open_read(path) as file:
        return file.read()


def read_range(path: str, start: int, count: int) -> bytes:
    """Returns `count` bytes of a file from `start` on, fewer at its end."""
    if _is_gs(path):
        return bytes(_content(path).read_range(path, start, count))
    with open_read(path) as file:
        file.seek(start)
        return file.read(count)


def copy(source: str, target: str) -> None:
    """Copies a file to a path of any kind; it appears there whole or not at all."""
    with open_read(source) as opened, create(target) as file:
        shutil.copyfileobj(opened, file, 1 << 20)


def copy_folder(source: str, target: str) -> None:
    """Copies all files below a folder to a path of any kind.

    Raises:
        DataError: a name would lead out of the target.
    """
    start = source.rstrip("/") + "/"
    for info in list_folder(source):
        name = info.path.removeprefix(start)
        check_name(name)
        copy(info.path, join(target, name))


@contextlib.contextmanager
def create(path: str) -> Iterator[IO[bytes]]:
    """Writes a file that appears whole or not at all: a temporary name and a rename, or one object upload."""
    if not is_local(path):
        with _content(path).create(path) as file:
            yield file
        return
    target = pathlib.Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{TEMPORARY_MARK}{uuid.uuid4().hex}")
    _under_way.add(temporary)
    try:
        with open(temporary, "xb") as file:
            yield file
        os.replace(temporary, target)
    except BaseException as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            error.filename = error.filename or path  # writing to an open file does not say which
        temporary.unlink(missing_ok=True)
        raise
    finally:
        _under_way.discard(temporary)


def abandon() -> None:
    """Deletes the local files that this process has under way, before it ends on the spot."""
    for temporary in list(_under_way):
        temporary.unlink(missing_ok=True)


def write_bytes(path: str, data: bytes) -> None:
    """Writes a file that appears whole or not at all."""
    with create(path) as file:
        file.write(data)


def write_if(path: str, data: bytes, version: str) -> str | None:
    """Writes a file with a scheme if its version is still that, "" for none; returns the new one, or None if it is not.

    In gs:// nobody else can come between; elsewhere somebody can, within a second.
    """
    return _store(path).write_if(path, data, version)


def delete_if(path: str, version: str) -> None:
    """Deletes a file with a scheme if its version is still that, as certain as `write_if`."""
    _store(path).delete_if(path, version)


def exists(path: str) -> bool:
    """Says whether a file or a folder is there."""
    return os.path.exists(path) if is_local(path) else _store(path).exists(path)


def is_folder(path: str) -> bool:
    """Says whether a path is a folder; in a bucket, whether anything lies below it."""
    return os.path.isdir(path) if is_local(path) else _store(path).is_folder(path)


def list_folder(folder: str) -> Iterator[FileInfo]:
    """Yields all files below a folder in sorted order, one local folder or page of a gs:// listing at a time in memory.

    A local folder that may not be read is listed as if it were a file: reading it will say so. A missing one is empty.
    """
    return (info for info in list_all(folder) if not info.is_under_way)


def list_all(folder: str) -> Iterator[FileInfo]:
    """Yields all files below a folder as `list_folder` does, and those under way as well."""
    if is_local(folder):
        unreadable: list[OSError] = []
        for parent, folders, names in os.walk(folder, onerror=unreadable.append):
            folders.sort()
            for name in sorted(names):
                yield _local_info(os.path.join(parent, name))
        for error in unreadable:
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                yield FileInfo(str(error.filename), -1, "")
    else:
        yield from map(_info, _store(folder).list_folder(folder))


def list_glob(pattern: str) -> Iterator[FileInfo]:
    """Yields the files that match a pattern (*, ?, [...], ** for any depth), in sorted order."""
    if is_local(pattern):
        for path in sorted(glob.iglob(pattern, recursive=True)):
            if os.path.isfile(path):
                yield _local_info(path)
    else:
        yield from map(_info, _store(pattern).list_glob(pattern))


def stat(path: str) -> FileInfo:
    """Returns the listing's row of one file.

    Raises:
        FileNotFoundError: it is missing.
    """
    if not is_local(path):
        return _info(_store(path).stat(path))
    os.stat(path)
    return _local_info(path)


def _local_info(path: str) -> FileInfo:
    try:
        status = os.stat(path)
    except OSError:  # a dangling link: reading it will say so
        return FileInfo(path, -1, "")
    return FileInfo(path, status.st_size, f"mtime:{status.st_mtime_ns}")


def _info(found: Any) -> FileInfo:
    """Returns what a store's listing shows, which may be more, as a FileInfo."""
    return FileInfo(found.path, found.size, found.version)


def delete(path: str) -> None:
    """Deletes a file or a folder with all that is in it; no error if it is not there."""
    if is_local(path):
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            pathlib.Path(path).unlink(missing_ok=True)
    else:
        _store(path).delete(path)


def check_writable(folder: str, flag: str = "--output") -> None:
    """Writes and deletes a small file, so that a job does not find out at its end.

    Raises:
        UsageError: nothing can be written there.
    """
    probe = join(folder, f"{TEMPORARY_MARK}probe-{uuid.uuid4().hex}")
    try:
        write_bytes(probe, b"photochrom")
        delete(probe)
    except Exception as error:  # whatever a file system raises, the answer is the same
        raise errors.UsageError(
            f"{flag} {folder} cannot be written: {error}; choose another folder or give yourself the right to write"
        ) from error
