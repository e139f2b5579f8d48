"""The interface of a store of files: one class implements it for each scheme, files.store chooses by path."""

import dataclasses
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import IO, Protocol

# In the names of unfinished files; listings of inputs and outputs leave them out.
TEMPORARY_MARK = ".photochrom-tmp-"


class NotRegular(OSError):
    """A folder, a pipe, a socket or a device where a file is expected."""


class LinkLoop(OSError):
    """A link to a folder that holds it: all in there is listed already."""


@dataclasses.dataclass(frozen=True)
class FileInfo:
    """A file as a listing shows it.

    Attributes:
        path: its path.
        size: bytes, -1 if unknown.
        version: changes with the content: time of modification, or generation and CRC.
        problem: set for a folder that cannot be listed.
    """

    path: str
    size: int
    version: str
    problem: OSError | None = None

    @property
    def crc32c(self) -> str:
        """The content's CRC-32C, as base64 of its big-endian bytes; "" where the listing states none."""
        return self.version.partition(" crc32c:")[2]

    @property
    def is_under_way(self) -> bool:
        """Whether it is an unfinished file: being written, or left behind by a writer that died."""
        return TEMPORARY_MARK in self.path.rpartition("/")[2]


class Store(Protocol):
    """Files of one scheme. Errors are OSErrors, those of a bucket as a whole BucketErrors."""

    def open_read(self, path: str) -> IO[bytes]:
        """Opens a file for reading, seekable, without decompression."""

    def read_range(self, path: str, start: int, count: int) -> bytes:
        """Returns `count` bytes from `start` on, fewer at the end of the file."""

    def create(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """Writes a file that appears whole or not at all."""

    def write_typed(self, path: str, data: bytes, content_type: str) -> None:
        """Writes a file; in a bucket, with a content type."""

    def list_folder(self, folder: str) -> Iterator[FileInfo]:
        """Yields all files below a folder in sorted order, unfinished ones included; none if it is missing."""

    def list_glob(self, pattern: str) -> Iterator[FileInfo]:
        """Yields the files that match a pattern, in sorted order."""

    def stat(self, path: str) -> FileInfo:
        """Returns the listing's row of one file, or raises FileNotFoundError."""

    def modified(self, path: str) -> float:
        """Returns when a file was last written, seconds since 1970 by the store's own clock."""

    def exists(self, path: str) -> bool:
        """Whether there is a file or a folder."""

    def is_folder(self, path: str) -> bool:
        """Whether a path is a folder; in a bucket, whether any file is below it."""

    def delete(self, path: str) -> None:
        """Deletes one file; no error if there is none."""

    def delete_within(self, folder: str, names: Iterable[str]) -> None:
        """Deletes files by paths relative to a folder, none of which leaves it; no error if there is none."""

    def remove_empty(self, folder: str, name: str) -> None:
        """Removes a folder below a folder if it is empty; buckets have none."""

    def clear(self, folder: str, names: Iterable[str]) -> None:
        """Removes folders of scratch below a folder with all that is in them; no error if there is none."""

    def write_if(self, path: str, data: bytes, version: str) -> str | None:
        """Writes a file if its version is still that ("" for no file); returns the new version, or None if not."""

    def delete_if(self, path: str, version: str) -> None:
        """Deletes a file if its version is still that."""


class CheckedFirst:
    """Conditional writes for stores without them: the version is checked first, so another writer may intervene."""

    def write_if(self: Store, path: str, data: bytes, version: str) -> str | None:
        if _version(self, path) != version:
            return None
        with self.create(path) as file:
            file.write(data)
        return _version(self, path)

    def delete_if(self: Store, path: str, version: str) -> None:
        if _version(self, path) == version:
            self.delete(path)


def _version(store: Store, path: str) -> str:
    try:
        return store.stat(path).version
    except FileNotFoundError:
        return ""
