"""What files.py does, on paths with a scheme other than gs://: by Beam's FileSystems."""

import glob
from collections.abc import Iterator
from typing import IO, Any

from apache_beam.io.filesystems import FileSystems

from photochrom.files import FileInfo

# Beam would undo the compression of a .gz by itself.
_AS_IT_IS: dict[str, Any] = {"mime_type": "application/octet-stream", "compression_type": "uncompressed"}


def open_read(path: str) -> IO[bytes]:
    """Opens a file for reading, seekable."""
    return FileSystems.open(path, **_AS_IT_IS)


def create(path: str) -> Any:
    """Writes a file by one upload; a context manager."""
    return FileSystems.create(path, **_AS_IT_IS)


def write_if(path: str, data: bytes, version: str) -> str | None:
    """Writes a file if its version is still that; somebody may come between, within a second."""
    if _version(path) != version:
        return None
    with create(path) as file:
        file.write(data)
    return _version(path)


def delete_if(path: str, version: str) -> None:
    """Deletes a file if its version is still that, as certain as `write_if`."""
    if _version(path) == version:
        delete(path)


def _version(path: str) -> str:
    try:
        return stat(path).version
    except FileNotFoundError:
        return ""


def exists(path: str) -> bool:
    """Says whether there is a file of that name, or any below it."""
    return FileSystems.exists(path) or is_folder(path)


def is_folder(path: str) -> bool:
    """Says whether any file that is not under way lies below a path."""
    return any(not info.is_under_way for info in list_folder(path))


def list_folder(folder: str) -> Iterator[FileInfo]:
    """Yields the files below a folder, sorted."""
    return list_glob(f"{glob.escape(folder).rstrip('/')}/**")


def list_glob(pattern: str) -> Iterator[FileInfo]:
    """Yields the files that match a pattern, sorted."""
    for result in FileSystems.match([pattern]):
        for metadata in sorted(result.metadata_list, key=lambda m: m.path):
            yield FileInfo(metadata.path, metadata.size_in_bytes, f"mtime:{metadata.last_updated_in_seconds}")


def stat(path: str) -> FileInfo:
    """Returns the row of one file.

    Raises:
        FileNotFoundError: it is missing.
    """
    for info in list_glob(glob.escape(path)):
        return info
    raise FileNotFoundError(path)


def delete(path: str) -> None:
    """Deletes a file and all below that name; none there is no error."""
    if exists(path):
        FileSystems.delete([path, *(info.path for info in list_folder(path) if not info.is_under_way)])
