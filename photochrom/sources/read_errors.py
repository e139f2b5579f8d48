"""Errors of reading as DataErrors, in words that are for people."""

import errno

from photochrom import errors
from photochrom.storage.store import LinkLoop, NotRegular


def explained(error: OSError | ValueError | MemoryError) -> errors.DataError:
    """Returns the error of a source, for one that its reading raised."""
    if isinstance(error, LinkLoop):
        return errors.Ignored(error.strerror or "", "link_loop")
    if isinstance(error, NotRegular):
        return errors.ReadError(f"{error.strerror}; it was not opened", "not_a_file")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return errors.ReadError("cannot be read: there is no such file", "not_found")
    if isinstance(error, MemoryError):
        return errors.ReadError("cannot be read: there is not enough memory for it", "out_of_memory")
    text = error.strerror if isinstance(error, OSError) and error.errno in errno.errorcode else ""
    return errors.ReadError(f"cannot be read: {text or error}")
