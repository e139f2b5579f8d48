"""Deletes below a folder of this machine: nothing outside it, and nothing through a symbolic link.

Each folder on the way is opened from the one above it, and none of them may be a link. So a link that takes the place
of a folder meanwhile is not followed either.
"""

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator, Sequence

from photochrom import errors
from photochrom.storage.names import parts_below

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def delete_file(folder: str, name: str) -> None:
    """Deletes a file; no error if there is none.

    Args:
        folder: any folder, which may be a link.
        name: of the file, relative to the folder.

    Raises:
        PhotochromError: `name` leaves the folder, is no regular file, or leads through a link.
    """
    *parents, last = parts_below(name)
    with _opened(folder, parents) as parent:
        mode = _mode(parent, last)
        if mode and not stat.S_ISREG(mode):
            raise _refused(folder, name)
        if mode:
            _unlink(parent, last)


def remove_empty(folder: str, name: str) -> None:
    """Removes a folder below a folder if it has become empty."""
    *parents, last = parts_below(name)
    with _opened(folder, parents) as parent, contextlib.suppress(OSError):
        if parent is not None:
            os.rmdir(last, dir_fd=parent)


def clear(folder: str, name: str) -> None:
    """Removes scratch: a folder that this job has made itself, with its content. Links go, their targets stay."""
    *parents, last = parts_below(name)
    with _opened(folder, parents) as parent:
        mode = _mode(parent, last)
        if stat.S_ISDIR(mode):
            shutil.rmtree(last, ignore_errors=True, dir_fd=parent)
        elif mode:
            _unlink(parent, last)


@contextlib.contextmanager
def _opened(folder: str, parents: Sequence[str]) -> Iterator[int | None]:
    """Opens the folder that has a file; None if it is missing."""
    with contextlib.ExitStack() as stack:
        try:
            opened = _open(stack, folder, os.O_RDONLY | os.O_DIRECTORY)
            for part in parents:
                opened = _open(stack, part, _FOLDER, opened)
        except FileNotFoundError:
            yield None
            return
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):  # either is that of a link, by the system
                raise _refused(folder, "/".join(parents)) from error
            raise
        yield opened


def _open(stack: contextlib.ExitStack, path: str, flags: int, parent: int | None = None) -> int:
    opened = os.open(path, flags, dir_fd=parent)
    stack.callback(os.close, opened)
    return opened


def _mode(parent: int | None, name: str) -> int:
    """Returns the type and permissions of a file, of a link its own; 0 if there is none."""
    with contextlib.suppress(FileNotFoundError):
        return 0 if parent is None else os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    return 0


def _unlink(parent: int | None, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=parent)


def _refused(folder: str, name: str) -> errors.PhotochromError:
    return errors.PhotochromError(
        f"{folder}/{name} is not deleted, because it is no regular file but a symbolic link or a folder; correct the "
        "link, or the row that names it, and run the same command again"
    )
