"""Lists folders of this machine, with and without following links, and the matches of patterns."""

import errno
import glob
import os
from collections.abc import Iterator

from photochrom.storage import patterns
from photochrom.storage.store import FileInfo, LinkLoop

_LISTED = "the link, itself behind a link, leads to a folder that is listed already"
_Identities = tuple[tuple[int, int], "_Identities | None"]  # of a folder and of those above it: device and inode


def walk(folder: str, follow: bool = False, avoid: str = "") -> Iterator[FileInfo]:
    """Yields all files below a folder in sorted order, one folder at a time in memory.

    A folder that cannot be listed has a `problem`; a missing one is empty.

    Args:
        folder: its path.
        follow: whether links to folders are followed, but for loops, and for links behind links to a folder that is
            listed already: else n folders that link to each other would have n! paths. Without it they are left out.
        avoid: links to this folder, to one in it or to one above it have a `problem`.
    """
    pending: list[tuple[str, _Identities | None, int]] = [(folder, None, 0)]
    listed: set[tuple[int, int]] = set()
    while pending:
        path, parents, links = pending.pop()
        try:
            status = os.stat(path)
            with os.scandir(path) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            yield FileInfo(path, -1, "", error)
            continue
        identities = (status.st_dev, status.st_ino), parents
        if links > 1 and os.path.islink(path) and identities[0] in listed:
            yield FileInfo(path, -1, "", LinkLoop(errno.ELOOP, _LISTED))
            continue
        listed.add(identities[0])
        below = []
        for entry in entries:
            if not _is_folder(entry):
                yield info(entry.path)
            elif not entry.is_symlink():
                below.append((entry.path, identities, links))
            elif follow:
                problem = _problem(entry.path, identities, avoid)
                if problem:
                    yield FileInfo(entry.path, -1, "", problem)
                else:
                    below.append((entry.path, identities, links + 1))
        pending.extend(reversed(below))


def matches(pattern: str, avoid: str = "") -> Iterator[FileInfo]:
    """Yields the files that match a pattern, in sorted order; links to folders are followed as by `walk`."""
    if "**" not in pattern.split("/"):
        return (info(path) for path in sorted(glob.iglob(pattern)) if not os.path.isdir(path))
    start, wanted = patterns.split(pattern)
    found = (
        one
        for one in walk(start or ".", True, avoid)
        if one.problem or patterns.matches(wanted, one.path.removeprefix(start))
    )
    return iter(sorted(found, key=lambda one: one.path))


def info(path: str) -> FileInfo:
    """Returns the listing's row of one file, without size and version for a dangling link."""
    try:
        status = os.stat(path)
    except OSError:  # reading it raises the error
        return FileInfo(path, -1, "")
    return FileInfo(path, status.st_size, f"mtime:{status.st_mtime_ns}")


def holds(folder: str, path: str) -> bool:
    """Whether a path is in a folder, or is it; links are resolved."""
    path, folder = os.path.realpath(path), os.path.realpath(folder)
    return f"{path}/".startswith(folder.rstrip("/") + "/")


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _problem(link: str, identities: _Identities, avoid: str) -> OSError | None:
    """Returns the reason why a link to a folder is not followed."""
    try:
        status = os.stat(link)
    except OSError as error:
        return error
    above: _Identities | None = identities
    while above:
        if above[0] == (status.st_dev, status.st_ino):
            return LinkLoop(errno.ELOOP, "the link leads to a folder that holds it, which is listed already")
        above = above[1]
    if avoid and (holds(avoid, link) or holds(link, avoid)):
        text = "the link leads to the output folder or to one that holds it; choose an output folder elsewhere"
        return OSError(errno.ELOOP, text)
    return None
