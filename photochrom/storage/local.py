"""Files of this machine, by paths without a scheme."""

import contextlib
import errno
import os
import pathlib
import stat
import uuid
from collections.abc import Iterable, Iterator
from typing import IO

from photochrom.storage import local_listing, removal
from photochrom.storage.store import TEMPORARY_MARK, CheckedFirst, FileInfo, NotRegular

_under_way: set[pathlib.Path] = set()


class LocalStore(CheckedFirst):
    """The file system of this machine."""

    def open_read(self, path: str) -> IO[bytes]:
        return open(path, "rb", opener=_open_regular)

    def read_range(self, path: str, start: int, count: int) -> bytes:
        with self.open_read(path) as file:
            file.seek(start)
            return file.read(count)

    @contextlib.contextmanager
    def create(self, path: str) -> Iterator[IO[bytes]]:
        """Writes a file under a temporary name in the same folder, and renames it."""
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
                error.filename = error.filename or path  # an error of writing to an open file does not name it
            temporary.unlink(missing_ok=True)
            raise
        finally:
            _under_way.discard(temporary)

    def write_typed(self, path: str, data: bytes, content_type: str) -> None:
        with self.create(path) as file:
            file.write(data)

    def list_folder(self, folder: str) -> Iterator[FileInfo]:
        return local_listing.walk(folder)

    def list_glob(self, pattern: str) -> Iterator[FileInfo]:
        return local_listing.matches(pattern)

    def stat(self, path: str) -> FileInfo:
        os.stat(path)
        return local_listing.info(path)

    def modified(self, path: str) -> float:
        return os.stat(path).st_mtime

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def is_folder(self, path: str) -> bool:
        return os.path.isdir(path)

    def delete(self, path: str) -> None:
        pathlib.Path(path).unlink(missing_ok=True)

    def delete_within(self, folder: str, names: Iterable[str]) -> None:
        for name in names:
            removal.delete_file(folder, name)

    def remove_empty(self, folder: str, name: str) -> None:
        removal.remove_empty(folder, name)

    def clear(self, folder: str, names: Iterable[str]) -> None:
        for name in names:
            removal.clear(folder, name)


def abandon() -> None:
    """Deletes the unfinished files of this process, before it exits at once."""
    for temporary in list(_under_way):
        temporary.unlink(missing_ok=True)


def _open_regular(path: str, flags: int) -> int:
    """Opens a regular file alone: a pipe would block, a device has no end, and opening one can have effects."""
    _check_regular(os.stat(path), path)
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    try:
        _check_regular(os.fstat(descriptor), path)  # it may have been replaced in between
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check_regular(status: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, a socket or a device"
        raise NotRegular(errno.EINVAL, f"is {kind}, expected a regular file", path)
