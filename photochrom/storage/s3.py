"""s3:// by boto3, which finds credentials, region and endpoint (AWS_ENDPOINT_URL) by itself.

A bucket is checked once a process before its first use: an unusable one is one line within seconds.
"""

import contextlib
import functools
import io
import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, Any

from photochrom import errors
from photochrom.storage import patterns
from photochrom.storage.names import join_below
from photochrom.storage.store import CheckedFirst, FileInfo

_S3 = "s3://"
# Seconds to connect, and tries, of the first request.
_CONNECT_SECONDS, _TRIES = 5, 2
# Tries of the others, with botocore's exponential backoff: connections, throttling, 5xx.
_RETRIES = {"mode": "standard", "total_max_attempts": 10}
# Threads of a process that may hold a connection.
_CONNECTIONS = 64
# Tries of an answer whose body breaks off, which botocore does not repeat.
_BODY_TRIES = 4
# Files are written from memory up to this size, from the disk above it.
_SPOOL_BYTES = 8 << 20
# Bytes that are fetched at a time where smaller pieces are read.
_WINDOW_BYTES = 8 << 20
_DELETED_AT_ONCE = 1000  # the most that S3 takes


class S3Store(CheckedFirst):
    """Amazon S3, or a store with its interface. Two conditional writes within a second may both succeed."""

    def open_read(self, path: str) -> IO[bytes]:
        return io.BufferedReader(_Reader(path), _WINDOW_BYTES)  # type: ignore[return-value]

    def read_range(self, path: str, start: int, count: int) -> bytes:
        return _get(path, start, count) if count else b""

    @contextlib.contextmanager
    def create(self, path: str) -> Iterator[IO[bytes]]:
        """Writes a file by one upload, which starts when the body has ended without an error."""
        _client(path)
        with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as held:
            yield held  # type: ignore[misc]
            held.seek(0)
            with _explained(path):
                _client(path).upload_fileobj(held, *_split(path))

    def write_typed(self, path: str, data: bytes, content_type: str) -> None:
        with _explained(path):
            _client(path).upload_fileobj(io.BytesIO(data), *_split(path), ExtraArgs={"ContentType": content_type})

    def list_folder(self, folder: str) -> Iterator[FileInfo]:
        """Yields the files below a folder in sorted order, one page in memory; placeholders of folders are none."""
        return (info for info in _listed(folder, _folder_prefix(folder)) if not info.path.endswith("/"))

    def list_glob(self, pattern: str) -> Iterator[FileInfo]:
        bucket, wanted = _split(pattern)
        start = len(f"{_S3}{bucket}/")
        for info in _listed(pattern, patterns.fixed_start(wanted)):
            if patterns.matches(wanted, info.path[start:]):
                yield info

    def stat(self, path: str) -> FileInfo:
        """Returns a file's row of the listing: a HEAD request states the time of modification less exactly."""
        for info in _listed(path, _split(path)[1], MaxKeys=1):
            if info.path == path:
                return info
            break
        raise FileNotFoundError(path)

    def modified(self, path: str) -> float:
        return float(self.stat(path).version.removeprefix("mtime:"))

    def exists(self, path: str) -> bool:
        with contextlib.suppress(FileNotFoundError):
            self.stat(path)
            return True
        return self.is_folder(path)

    def is_folder(self, path: str) -> bool:
        """Whether any finished file is below a path."""
        return any(not info.is_under_way for info in self.list_folder(path))

    def delete(self, path: str) -> None:
        _delete_all(path, [path])

    def delete_within(self, folder: str, names: Iterable[str]) -> None:
        _delete_all(folder, (join_below(folder, name) for name in names))

    def remove_empty(self, folder: str, name: str) -> None:
        pass

    def clear(self, folder: str, names: Iterable[str]) -> None:
        for name in names:
            _delete_all(folder, (info.path for info in self.list_folder(join_below(folder, name))))


def _delete_all(bucket_path: str, paths: Iterable[str]) -> None:
    """Deletes files of one bucket, many by one request; no error if there is none."""
    bucket, keys = _split(bucket_path)[0], (_split(path)[1] for path in paths)
    while batch := [{"Key": key} for key in itertools.islice(keys, _DELETED_AT_ONCE)]:
        with _explained(bucket_path):
            answer = _client(bucket_path).delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
        for refused in answer.get("Errors", ()):
            raise OSError(f"{_S3}{bucket}/{refused['Key']} is not deleted: {refused['Message']}")


class _Reader(io.RawIOBase):
    """One version of a file, by ranges."""

    def __init__(self, path: str):
        bucket, name = _split(path)
        with _explained(path):
            head = _client(path).head_object(Bucket=bucket, Key=name)
        self._path, self._position = path, 0
        self._size, self._tag = head["ContentLength"], head["ETag"]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        return self._read(self._size)

    def _read(self, count: int) -> bytes:
        count = min(count, self._size - self._position)
        data = _get(self._path, self._position, count, IfMatch=self._tag) if count > 0 else b""
        self._position += len(data)
        return data


def _get(path: str, start: int, count: int, **condition: str) -> bytes:
    """Returns bytes of a file, fewer at its end."""
    from botocore import exceptions

    bucket, name = _split(path)
    for left in reversed(range(_BODY_TRIES)):
        try:
            with _explained(path):
                span = f"bytes={start}-{start + count - 1}"
                return _client(path).get_object(Bucket=bucket, Key=name, Range=span, **condition)["Body"].read()
        except OSError as error:
            cause = error.__cause__
            if isinstance(cause, exceptions.ClientError) and _code(cause) == "InvalidRange":  # starts at the end
                return b""
            if not left or isinstance(cause, exceptions.ClientError):
                raise
    raise AssertionError("unreachable")


def _listed(path: str, prefix: str, **options: Any) -> Iterator[FileInfo]:
    bucket, _ = _split(path)
    with _explained(path):
        for page in _client(path).get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **options):
            for found in page.get("Contents", ()):
                version = f"mtime:{found['LastModified'].timestamp()}"
                yield FileInfo(f"{_S3}{bucket}/{found['Key']}", found["Size"], version)


def _split(path: str) -> tuple[str, str]:
    """Returns bucket and name of s3://BUCKET/NAME; the name may be empty."""
    bucket, _, name = path.removeprefix(_S3).partition("/")
    return bucket, name


def _folder_prefix(folder: str) -> str:
    name = _split(folder.rstrip("/"))[1]
    return f"{name}/" if name else ""


def _client(path: str) -> Any:
    return _client_of(os.getpid(), _split(path)[0])


@functools.cache
def _client_of(process: int, bucket: str) -> Any:
    """Returns a process's client for a bucket, which has answered.

    Raises:
        BucketError: the bucket does not serve.
        UsageError: boto3 is not installed.
    """
    try:
        import boto3
        from botocore import config, exceptions
    except ImportError as error:
        raise errors.UsageError(
            f"{_S3}{bucket} needs boto3, which is not installed: pip install 'photochrom[s3]'"
        ) from error
    first = config.Config(connect_timeout=_CONNECT_SECONDS, retries={"total_max_attempts": _TRIES})
    session = boto3.session.Session()
    try:
        session.client("s3", config=first).list_objects_v2(Bucket=bucket, MaxKeys=1)
        return session.client("s3", config=config.Config(retries=_RETRIES, max_pool_connections=_CONNECTIONS))
    except exceptions.ClientError as error:
        raise _refused(bucket, error) from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        raise errors.NoCredentials(
            f"no AWS credentials found for {_S3}{bucket}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, run "
            "`aws configure`, or use a machine with a role"
        ) from error
    except exceptions.BotoCoreError as error:
        raise errors.BucketError(f"{_S3}{bucket} cannot be reached: {error}") from error


def _refused(bucket: str, error: Any) -> errors.BucketError:
    code = _code(error)
    if code == "NoSuchBucket":
        return errors.NoBucket(f"there is no bucket {_S3}{bucket}; check its name, or create it")
    if code in ("AccessDenied", "AllAccessDisabled"):
        return errors.Denied(f"access to {_S3}{bucket} is denied: s3:ListBucket is needed; have it granted")
    return errors.NoCredentials(f"{_S3}{bucket} does not accept the credentials: {error}")


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@contextlib.contextmanager
def _explained(path: str) -> Iterator[None]:
    """Turns what boto3 raises into OSErrors.

    Raises:
        FileNotFoundError: there is no such file.
        PermissionError: the credentials do not give the right.
        OSError: anything else, after all tries.
    """
    _client(path)
    from boto3 import exceptions as upload_exceptions
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        kinds = {"404": FileNotFoundError, "NoSuchKey": FileNotFoundError, "403": PermissionError}
        kinds["AccessDenied"] = PermissionError
        raise kinds.get(_code(error), OSError)(f"{path}: {error}") from error
    except (exceptions.BotoCoreError, upload_exceptions.Boto3Error) as error:
        raise OSError(f"{path}: {type(error).__name__}: {error}") from error
