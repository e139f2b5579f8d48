"""Objects of gs:// buckets: listing page by page, whole objects, conditional writes, deletions.

An object appears whole or not at all. One of some MB goes up in one request with its CRC-32C, which the store checks,
on condition that the generation found before still exists (none, for a new name): so a request that is repeated,
because its answer was lost, never writes twice. The last of several writers wins, as with files; an object that
already has the same content is left unchanged.
"""

import base64
import concurrent.futures
import contextlib
import itertools
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import google_crc32c
from google.api_core import exceptions
from google.cloud import storage

from photochrom import errors
from photochrom.storage import gcs, gcs_retry, patterns

# The fields of a listing: the rest of an object's metadata is ten times as much.
_FIELDS = "items(name,size,generation,crc32c),nextPageToken"
_PAGE = 1000
# Tries of a writer, each of which another writer preceded.
_RACES = 8
_DELETING_THREADS = 16
# Number of objects whose last written generation a process remembers: its progress file, its lock.
_REMEMBERED = 256
# Plain bytes, so that no browser guesses.
CONTENT_TYPE = "application/octet-stream"


class Object(NamedTuple):
    """An object as a listing shows it; crc32c as base64 of its big-endian bytes, as the store writes it."""

    path: str
    size: int
    generation: int
    crc32c: str

    @property
    def version(self) -> str:
        """A text that changes with the content."""
        return f"generation:{self.generation} crc32c:{self.crc32c}"


_last_put: dict[str, Object] = {}


def _generation_of(version: str) -> int:
    """Returns the generation in an object's `version`, 0 for none."""
    return int(version.removeprefix("generation:").partition(" ")[0] or 0)


def blob(path: str, generation: int | None = None) -> storage.Blob:
    """Returns the library's handle of an object, or of that generation of it, without a request.

    Raises:
        FileNotFoundError: the path names a bucket alone.
    """
    bucket, name = gcs.split(path)
    if not name:
        raise FileNotFoundError(f"{path} is a bucket, expected an object in it")
    return gcs.client().bucket(bucket).blob(name, generation=generation)


def stat(path: str) -> Object:
    """Returns the row of one object.

    Raises:
        FileNotFoundError: it is missing.
    """
    return _object(_reloaded(path))


def modified(path: str) -> float:
    """Returns when an object was written, seconds since 1970 by the store's clock.

    Raises:
        FileNotFoundError: it is missing.
    """
    return _reloaded(path).updated.timestamp()


def _reloaded(path: str) -> storage.Blob:
    found = blob(path)
    with gcs.explained(path, gcs.READ):
        found.reload(retry=gcs_retry.RETRY, timeout=gcs_retry.TIMEOUT)
    return found


def exists(path: str) -> bool:
    """Whether there is an object of that name, or any below it."""
    try:
        stat(path)
        return True
    except errors.BucketError:
        raise
    except FileNotFoundError:
        return is_folder(path)


def is_folder(path: str) -> bool:
    """Whether any object is below a path, placeholders included."""
    return any(True for _ in _listed(path, _folder_prefix(path), max_results=1))


def list_folder(folder: str) -> Iterator[Object]:
    """Yields the objects below a folder in sorted order, one page in memory. Placeholders of folders are left out."""
    return (_object(found) for found in _listed(folder, _folder_prefix(folder)) if not found.name.endswith("/"))


def list_glob(pattern: str) -> Iterator[Object]:
    """Yields the objects that match a pattern, in sorted order; only names with its fixed start are listed."""
    _, name = gcs.split(pattern)
    for found in _listed(pattern, patterns.fixed_start(name)):
        if patterns.matches(name, found.name):
            yield _object(found)


def _folder_prefix(folder: str) -> str:
    _, name = gcs.split(folder.rstrip("/"))
    return f"{name}/" if name else ""


def _listed(path: str, prefix: str, **options: Any) -> Iterator[storage.Blob]:
    bucket, _ = gcs.split(path)
    with gcs.explained(path, gcs.LIST):
        yield from gcs.client().list_blobs(
            bucket,
            prefix=prefix,
            fields=_FIELDS,
            page_size=_PAGE,
            retry=gcs_retry.RETRY,
            timeout=gcs_retry.TIMEOUT,
            **options,
        )


def _object(found: storage.Blob) -> Object:
    path = f"{gcs.SCHEME}{found.bucket.name}/{found.name}"
    return Object(path, int(found.size or 0), int(found.generation or 0), found.crc32c or "")


def checksum(data: bytes) -> str:
    """Returns the CRC-32C as the store writes it."""
    return encode_checksum(google_crc32c.value(data))


def encode_checksum(value: int) -> str:
    """Returns a CRC-32C as the store writes it."""
    return base64.b64encode(value.to_bytes(4, "big")).decode()


def put(path: str, data: bytes, content_type: str = CONTENT_TYPE) -> None:
    """Writes an object, over any other.

    Raises:
        OSError: it cannot be written.
    """
    # Most names are new, or were last written by this process: a check before would cost a request each. For the same
    # bytes again no generation is assumed, so that the object is found and left unchanged.
    last = _last_put.get(path)
    expected = last.generation if last and not _is_of(last, data) else 0
    for _ in range(_RACES):
        if written := put_over(path, data, expected, content_type):
            with contextlib.suppress(RuntimeError, StopIteration):  # another thread changes it too; it is only a hint
                _last_put[path] = written
                while len(_last_put) > _REMEMBERED:
                    _last_put.pop(next(iter(_last_put)), None)
            return
        expected = generation(path)
    raise OSError(f"{path}: other writers replace it again and again")


def put_over(path: str, data: bytes, generation: int, content_type: str = CONTENT_TYPE) -> Object | None:
    """Writes an object if that generation of it still exists, 0 for none; returns its row, or None if not.

    An object with the same content counts as written: by a request whose answer was lost.
    """
    target = blob(path)
    try:
        with gcs.explained(path, gcs.WRITE), contextlib.suppress(exceptions.PreconditionFailed):
            target.upload_from_string(
                data,
                content_type,
                if_generation_match=generation,
                checksum="crc32c",
                retry=gcs_retry.RETRY,
                timeout=gcs_retry.TIMEOUT,
            )
            return _object(target)
        found = stat(path)
    except errors.BucketError:
        raise
    except FileNotFoundError:
        return None
    return found if _is_of(found, data) else None


def write_if(path: str, data: bytes, version: str) -> str | None:
    """Writes an object if its version is still that, "" for none; returns the new one, or None if not."""
    written = put_over(path, data, _generation_of(version))
    return written and written.version


def delete_if(path: str, version: str) -> None:
    """Deletes an object if its version is still that."""
    delete_generation(path, _generation_of(version))


def _is_of(found: Object, data: bytes) -> bool:
    return (found.size, found.crc32c) == (len(data), checksum(data))


def generation(path: str) -> int:
    """Returns the generation of an object, 0 if it is missing."""
    try:
        return stat(path).generation
    except errors.BucketError:
        raise
    except FileNotFoundError:
        return 0


def delete_all(paths: Iterable[str]) -> None:
    """Deletes objects, several at a time; no error if there is none."""
    remaining = iter(paths)
    with concurrent.futures.ThreadPoolExecutor(_DELETING_THREADS) as pool:
        while page := list(itertools.islice(remaining, _PAGE)):
            list(pool.map(delete_generation, page))


def delete_generation(path: str, generation: int | None = None) -> bool:
    """Deletes an object, or only that generation of it; returns whether it did, as far as known."""
    try:
        with gcs.explained(path, gcs.DELETE), contextlib.suppress(exceptions.PreconditionFailed):
            blob(path).delete(if_generation_match=generation, retry=gcs_retry.RETRY, timeout=gcs_retry.TIMEOUT)
            return True
    except errors.BucketError:
        raise
    except FileNotFoundError:
        pass
    return False
