"""Lists the members of archives as sources, without unpacking them; archives are untrusted input.

A source is a few hundred bytes: shuffles carry it instead of the image. Members of a zip and of a plain tar are read in
place, by member_reader.py. A compressed tar can only be read in order: it is read once, and its members are written to
a plain spool file, in which they are found by offset.
"""

import errno
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import IO

from photochrom import errors
from photochrom.sources import tar_listing, zip_listing
from photochrom.sources.member_checks import ARCHIVE_ERRORS
from photochrom.sources.source import Source

ZIP_SUFFIXES = (".zip",)
TAR_SUFFIXES = (".tar",)
COMPRESSED_TAR_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


def is_archive(path: str) -> bool:
    """Whether a file, by its name, is an archive that can be listed."""
    return path.lower().endswith(ZIP_SUFFIXES + TAR_SUFFIXES + COMPRESSED_TAR_SUFFIXES)


def is_compressed_tar(path: str) -> bool:
    """Whether a file, by its name, is a tar that can only be read in order."""
    return path.lower().endswith(COMPRESSED_TAR_SUFFIXES)


def list_members(
    file: IO[bytes], path: str, key: str, spool: Callable[[], AbstractContextManager[tar_listing.Spool]]
) -> Iterator[Source]:
    """Yields a source for each member; folders are none, and an unreadable member is a failed source.

    Args:
        file: the opened archive, seekable.
        path: its path; its suffix is the kind.
        key: the archive's key.
        spool: opens the spool of a compressed tar.
    """
    if path.lower().endswith(ZIP_SUFFIXES):
        yield from _until_broken(zip_listing.list_zip(file, path, key), path, key)
    elif is_compressed_tar(path):
        with spool() as opened:  # kept where the archive breaks: earlier members can be read
            yield from _until_broken(tar_listing.spool_tar(file, path, key, opened), path, key)
    else:
        yield from _until_broken(tar_listing.list_tar(file, path, key), path, key)


def _until_broken(members: Iterator[Source], path: str, key: str) -> Iterator[Source]:
    try:
        yield from members
    except ARCHIVE_ERRORS as error:
        if is_of_the_output(error):
            raise
        broken = errors.ReadError(f"broken archive: {type(error).__name__}: {error}", "broken_archive")
        yield Source.failed(key, path, broken)


def is_of_the_output(error: BaseException) -> bool:
    """Whether an error is of the disk with the spool file, so that the archive is not to blame."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
