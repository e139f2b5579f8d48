"""Files, local and in buckets, alike: paths without a scheme by the system, gs:// by buckets.py, others by Beam.

What other schemes need is imported when the first path with one turns up, so that local work does not wait for it.
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

from photochrom import errors, keys

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


def _buckets() -> Any:
    from photochrom import buckets

    return buckets


def _beam() -> Any:
    from apache_beam.io.filesystems import FileSystems

    return FileSystems


def open_read(path: str) -> IO[bytes]:
    """Opens a file for reading, seekable, its bytes as they are.

    Raises:
        OSError: it is missing or cannot be read (Beam's errors are OSErrors too).
    """
    if is_local(path):
        return open(path, "rb")
    if _is_gs(path):
        from photochrom import bucket_io

        return bucket_io.BucketReader(path)  # type: ignore[return-value]
    # Beam would undo the compression of a .gz by itself.
    return _beam().open(path, mime_type="application/octet-stream", compression_type="uncompressed")


def read_bytes(path: str) -> bytes:
    """Returns a file's content."""
    with open_read(path) as file:
        return file.read()


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
        keys.check_name(name)
        copy(info.path, join(target, name))


@contextlib.contextmanager
def create(path: str) -> Iterator[IO[bytes]]:
    """Writes a file that appears whole or not at all: a temporary name and a rename, or one object upload."""
    if _is_gs(path):
        from photochrom import bucket_io

        with bucket_io.create(path) as file:
            yield file
        return
    if not is_local(path):
        with _beam().create(path, mime_type="application/octet-stream", compression_type="uncompressed") as file:
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
    if _is_gs(path):
        written = _buckets().put_over(path, data, _buckets().generation_of(version))
        return written and written.version
    if _version(path) != version:
        return None
    write_bytes(path, data)
    return _version(path)


def delete_if(path: str, version: str) -> None:
    """Deletes a file with a scheme if its version is still that, as certain as `write_if`."""
    if _is_gs(path):
        _buckets().delete_generation(path, _buckets().generation_of(version))
    elif _version(path) == version:
        delete(path)


def _version(path: str) -> str:
    try:
        return stat(path).version
    except FileNotFoundError:
        return ""


def exists(path: str) -> bool:
    """Says whether a file or a folder is there."""
    if is_local(path):
        return os.path.exists(path)
    if _is_gs(path):
        return _buckets().exists(path)
    return _beam().exists(path) or is_folder(path)


def is_folder(path: str) -> bool:
    """Says whether a path is a folder; in a bucket, whether anything lies below it."""
    if is_local(path):
        return os.path.isdir(path)
    return _buckets().is_folder(path) if _is_gs(path) else any(True for _ in list_folder(path))


def list_folder(folder: str) -> Iterator[FileInfo]:
    """Yields all files below a folder in sorted order, one local folder or page of a gs:// listing at a time in memory.

    A local folder that may not be read is listed as if it were a file: reading it will say so. A missing one is empty.
    """
    return (info for info in list_all(folder) if TEMPORARY_MARK not in info.path.rpartition("/")[2])


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
    elif _is_gs(folder):
        yield from map(_bucket_info, _buckets().list_folder(folder))
    else:
        yield from _match(join(glob.escape(folder), "**"))


def list_glob(pattern: str) -> Iterator[FileInfo]:
    """Yields the files that match a pattern (*, ?, [...], ** for any depth), in sorted order."""
    if is_local(pattern):
        for path in sorted(glob.iglob(pattern, recursive=True)):
            if os.path.isfile(path):
                yield _local_info(path)
    elif _is_gs(pattern):
        yield from map(_bucket_info, _buckets().list_glob(pattern))
    else:
        yield from _match(pattern)


def stat(path: str) -> FileInfo:
    """Returns the listing's row of one file.

    Raises:
        FileNotFoundError: it is missing.
    """
    if is_local(path):
        os.stat(path)
        return _local_info(path)
    if _is_gs(path):
        return _bucket_info(_buckets().stat(path))
    for info in _match(glob.escape(path)):
        return info
    raise FileNotFoundError(path)


def _local_info(path: str) -> FileInfo:
    try:
        status = os.stat(path)
    except OSError:  # a dangling link: reading it will say so
        return FileInfo(path, -1, "")
    return FileInfo(path, status.st_size, f"mtime:{status.st_mtime_ns}")


def _bucket_info(found: Any) -> FileInfo:
    return FileInfo(found.path, found.size, found.version)


def _match(pattern: str) -> Iterator[FileInfo]:
    for result in _beam().match([pattern]):
        for metadata in sorted(result.metadata_list, key=lambda m: m.path):
            yield FileInfo(metadata.path, metadata.size_in_bytes, f"mtime:{metadata.last_updated_in_seconds}")


def delete(path: str) -> None:
    """Deletes a file or a folder with all that is in it; no error if it is not there."""
    if is_local(path):
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            pathlib.Path(path).unlink(missing_ok=True)
    elif _is_gs(path):
        _buckets().delete(path)
    elif exists(path):
        _beam().delete([path, *(info.path for info in list_folder(path))])


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
