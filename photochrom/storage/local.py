"""Files of this machine, by paths without a scheme."""

import contextlib
import errno
import glob
import os
import pathlib
import shutil
import uuid
from collections.abc import Iterator
from typing import IO

from photochrom.storage.store import TEMPORARY_MARK, CheckedFirst, FileInfo

_under_way: set[pathlib.Path] = set()


class LocalStore(CheckedFirst):
    """The file system of this machine."""

    def open_read(self, path: str) -> IO[bytes]:
        return open(path, "rb")

    def read_range(self, path: str, start: int, count: int) -> bytes:
        with open(path, "rb") as file:
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

    def list_folder(self, folder: str) -> Iterator[FileInfo]:
        """Yields all files below a folder in sorted order, one folder at a time in memory.

        A folder that may not be read is listed like a file: reading it raises the error. A missing one is empty.
        """
        unreadable: list[OSError] = []
        for parent, folders, names in os.walk(folder, onerror=unreadable.append):
            folders.sort()
            for name in sorted(names):
                yield _info(os.path.join(parent, name))
        for error in unreadable:
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                yield FileInfo(str(error.filename), -1, "")

    def list_glob(self, pattern: str) -> Iterator[FileInfo]:
        return (_info(path) for path in sorted(glob.iglob(pattern, recursive=True)) if os.path.isfile(path))

    def stat(self, path: str) -> FileInfo:
        os.stat(path)
        return _info(path)

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def is_folder(self, path: str) -> bool:
        return os.path.isdir(path)

    def delete(self, path: str) -> None:
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            pathlib.Path(path).unlink(missing_ok=True)


def abandon() -> None:
    """Deletes the unfinished files of this process, before it exits at once."""
    for temporary in list(_under_way):
        temporary.unlink(missing_ok=True)


def _info(path: str) -> FileInfo:
    try:
        status = os.stat(path)
    except OSError:  # a dangling link: reading it raises the error
        return FileInfo(path, -1, "")
    return FileInfo(path, status.st_size, f"mtime:{status.st_mtime_ns}")
