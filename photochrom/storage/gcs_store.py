"""gs:// as a store: objects and streams of Google Cloud Storage behind the interface of all stores."""

from collections.abc import Iterable, Iterator
from typing import IO

from photochrom.storage import gcs_objects, gcs_streams
from photochrom.storage.names import join_below
from photochrom.storage.store import FileInfo


class GcsStore:
    """Google Cloud Storage. Conditional writes are atomic: a generation is replaced or deleted, or nothing is."""

    read_range = staticmethod(gcs_streams.read_range)
    create = staticmethod(gcs_streams.create)
    modified = staticmethod(gcs_objects.modified)
    exists = staticmethod(gcs_objects.exists)
    is_folder = staticmethod(gcs_objects.is_folder)
    write_if = staticmethod(gcs_objects.write_if)
    delete_if = staticmethod(gcs_objects.delete_if)

    def delete(self, path: str) -> None:
        gcs_objects.delete_generation(path)

    def delete_within(self, folder: str, names: Iterable[str]) -> None:
        gcs_objects.delete_all(join_below(folder, name) for name in names)

    def remove_empty(self, folder: str, name: str) -> None:
        pass

    def clear(self, folder: str, names: Iterable[str]) -> None:
        for name in names:
            gcs_objects.delete_all(found.path for found in gcs_objects.list_folder(join_below(folder, name)))

    def write_typed(self, path: str, data: bytes, content_type: str) -> None:
        gcs_objects.put(path, data, content_type)

    def open_read(self, path: str) -> IO[bytes]:
        return gcs_streams.open_read(path)  # type: ignore[return-value]

    def list_folder(self, folder: str) -> Iterator[FileInfo]:
        """Yields the objects below a folder in sorted order, one page in memory."""
        return map(_info, gcs_objects.list_folder(folder))

    def list_glob(self, pattern: str) -> Iterator[FileInfo]:
        return map(_info, gcs_objects.list_glob(pattern))

    def stat(self, path: str) -> FileInfo:
        return _info(gcs_objects.stat(path))


def _info(found: gcs_objects.Object) -> FileInfo:
    return FileInfo(found.path, found.size, found.version)
