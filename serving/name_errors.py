"""Paths at which the file system refuses a copy: bad data, which costs that input alone; a full disk is not."""

import contextlib
import errno
import os
from collections.abc import Iterator

from photochrom import errors
from photochrom.sources import inputs
from photochrom.storage import files

_NAME_ERRORS = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)


@contextlib.contextmanager
def as_data_errors(output: str, path: str) -> Iterator[None]:
    """Raises a DataError where the body fails for the name of the file that it writes.

    Args:
        output: the output folder.
        path: of the file, below it. If a link on the way leads out of the output folder, the body does not run.
    """
    target = files.join(output, path)
    if files.is_local(output) and not inputs.inside(os.path.dirname(target), output):
        raise errors.DataError(
            f"{path} leads out of {output} by a symbolic link; remove the link", "unwritable_name", "write"
        )
    try:
        yield
    except OSError as error:
        if error.errno in _NAME_ERRORS:
            text = f"cannot be written as {path}: {os.strerror(error.errno)}; rename the scan"
            raise errors.DataError(text, "unwritable_name", "write") from error
        raise
