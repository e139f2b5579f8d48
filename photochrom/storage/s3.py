"""What files.py does, on paths with a scheme other than gs://: by Beam's FileSystems.

Before the first call for a bucket of s3:// it is asked whether it serves, for Beam tries for half a minute what cannot
work, and then says so in a trace. Credentials, region and endpoint (AWS_ENDPOINT_URL) are found as boto3 does.
"""

import contextlib
import copy
import functools
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from apache_beam.io.aws.clients.s3 import boto3_client
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from photochrom import errors
from photochrom.storage.files import FileInfo

_S3 = "s3://"
# Seconds to connect, and tries, of the first question.
_CONNECT_SECONDS, _TRIES = 5, 2
# What is written is held in memory up to so many bytes, then on the disk.
_SPOOL_BYTES = 8 << 20
_BeamsClient = boto3_client.Client

# Beam would undo the compression of a .gz by itself.
_AS_IT_IS: dict[str, Any] = {"mime_type": "application/octet-stream", "compression_type": "uncompressed"}


def open_read(path: str) -> IO[bytes]:
    """Opens a file for reading, seekable."""
    _prepare(path)
    return FileSystems.open(path, **_AS_IT_IS)


@contextlib.contextmanager
def create(path: str) -> Iterator[IO[bytes]]:
    """Writes a file by one upload, which begins when the body is through.

    Beam's writers finish what failed, too; that to s3:// takes three requests for each file, and cannot write an empty
    one.
    """
    _prepare(path)
    with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as held:
        yield held  # type: ignore[misc]
        held.seek(0)
        if path.startswith(_S3):
            bucket, _, name = path.removeprefix(_S3).partition("/")
            _s3_client(os.getpid(), bucket).upload_fileobj(held, bucket, name)
            return
        with FileSystems.create(path, **_AS_IT_IS) as file:
            shutil.copyfileobj(held, file, 1 << 20)


def _prepare(path: str) -> None:
    """Makes FileSystems usable before a pipeline is, and asks an s3:// bucket whether it serves, once a process."""
    if FileSystems._pipeline_options is None:
        FileSystems.set_options(PipelineOptions([]))
    if path.startswith(_S3):
        boto3_client.Client = _shared_client  # type: ignore[misc, assignment]
        _s3_client(os.getpid(), path.removeprefix(_S3).partition("/")[0])


@functools.cache
def _s3_client(process: int, bucket: str) -> Any:
    """Returns a process's client for a bucket that was found to serve.

    Raises:
        UsageError: it does not.
    """
    try:
        import boto3
        from botocore import config, exceptions
    except ImportError as error:
        raise errors.UsageError(
            f"{_S3}{bucket} needs boto3, which is not installed: pip install 'photochrom[s3]'"
        ) from error
    patience = config.Config(connect_timeout=_CONNECT_SECONDS, retries={"total_max_attempts": _TRIES})
    session = boto3.session.Session()
    try:
        session.client("s3", config=patience).list_objects_v2(Bucket=bucket, MaxKeys=1)
        return session.client("s3")
    except exceptions.ClientError as error:
        raise _refused(bucket, error) from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        raise errors.NoCredentials(
            f"no AWS credentials found for {_S3}{bucket}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, run "
            "`aws configure`, or use a machine with a role"
        ) from error
    except exceptions.BotoCoreError as error:
        raise errors.BucketError(f"{_S3}{bucket} cannot be reached: {error}") from error


def _shared_client(options: PipelineOptions) -> Any:
    """Returns what Beam's file system makes for each file: with a connection of its process, not one of its own.

    Beam's way takes 0.2 s of a core a file.
    """
    return copy.copy(_connect(os.getpid(), options))


@functools.cache
def _connect(process: int, options: PipelineOptions) -> Any:
    """Returns a process's first of these, through which nothing is read."""
    return _BeamsClient(options)


def _refused(bucket: str, error: Any) -> errors.BucketError:
    code = error.response.get("Error", {}).get("Code", "")
    if code == "NoSuchBucket":
        return errors.NoBucket(f"there is no bucket {_S3}{bucket}; check its name, or create it")
    if code in ("AccessDenied", "AllAccessDisabled"):
        return errors.Denied(f"access to {_S3}{bucket} is denied: s3:ListBucket is needed; have it granted")
    return errors.NoCredentials(f"{_S3}{bucket} does not accept the credentials: {error}")


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
    _prepare(path)
    return FileSystems.exists(path) or is_folder(path)


def is_folder(path: str) -> bool:
    """Says whether any file that is not under way lies below a path."""
    return any(not info.is_under_way for info in list_folder(path))


def list_folder(folder: str) -> Iterator[FileInfo]:
    """Yields the files below a folder, sorted."""
    return list_glob(f"{glob.escape(folder).rstrip('/')}/**")


def list_glob(pattern: str) -> Iterator[FileInfo]:
    """Yields the files that match a pattern, sorted."""
    _prepare(pattern)
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
