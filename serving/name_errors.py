"""File names that the output's file system refuses: bad data, which costs that input alone; a full disk is not."""

import contextlib
import errno
from collections.abc import Iterator

from photochrom import errors

_NAME_ERRORS = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENOTDIR, errno.EISDIR)


@contextlib.contextmanager
def as_data_errors() -> Iterator[None]:
    """Raises a DataError where the body fails for the name of the file that it writes."""
    try:
        yield
    except OSError as error:
        if error.errno in _NAME_ERRORS:
            raise errors.DataError(f"cannot be written under its name: {error}", "unwritable_name", "write") from error
        raise
