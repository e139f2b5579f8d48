"""Fixity check of an output folder: which files are missing, which changed, which no row of the manifest names.

The rows are read twice, file by file: first all are checked and the digests of their names kept, then each file that
they name is read. A name costs 8 bytes, sorted, 8 MB for a million: enough to find, while the folder is walked, the
files that no row names. The chance that a file which no row names has the 64-bit digest of one that a row names, and
passes, is 1 in 18 million for a million files of each.
"""

import array
import collections
import concurrent.futures
import dataclasses
import itertools
import os
from collections.abc import Iterator

import numpy as np

from photochrom.jobs import progress
from photochrom.sources import keys
from photochrom.storage import files
from photochrom.storage.names import folded, printable
from serving.manifest import digests, layout, reader
from serving.manifest.audit import Audit

MISSING, CHANGED, UNREADABLE = "missing", "changed", "unreadable"
FOREIGN, TEMPORARY, MANIFEST = "foreign", "temporary", "manifest"
KINDS = (MISSING, CHANGED, UNREADABLE, FOREIGN, TEMPORARY, MANIFEST)
_AHEAD = 64  # files handed to the threads before the first result is awaited


@dataclasses.dataclass(frozen=True)
class Finding:
    """A difference between the folder and its manifest.

    Attributes:
        kind: one of KINDS.
        path: below the output folder, printable.
        detail: the rest of the sentence that begins with the path.
    """

    kind: str
    path: str
    detail: str


@dataclasses.dataclass(frozen=True)
class Named:
    """The files that the rows name.

    Attributes:
        digests: [N] uint64, sorted, each once: digests of the names of all files that rows name.
        problems: lines about rows that do not add up, or about a run that did not finish.
        ignores_case: whether the folder lists files in another case, or another form of Unicode, than they were named.
    """

    digests: np.ndarray
    problems: tuple[str, ...]
    ignores_case: bool = False

    def __contains__(self, name: str) -> bool:
        digest = np.uint64(_digest(name, self.ignores_case))
        at = np.searchsorted(self.digests, digest)
        return bool(at < len(self.digests) and self.digests[at] == digest)


@dataclasses.dataclass
class Read:
    """Files and bytes that were read."""

    files: int = 0
    bytes: int = 0


def survey(folder: str, progress_folder: str) -> Named:
    """Checks all rows and returns the files that they name; opens nothing but the manifest.

    Raises:
        UsageError: there is no manifest, or it is broken.
    """
    account = reader.read(folder)
    audit = Audit(account)
    found = array.array("Q")
    ignores_case = files.is_local(folder) and files.exists(files.join(folder, layout.SUMMARY.upper()))
    for _, row in itertools.chain(audit.watch(reader.read_rows(folder)), reader.read_gone(folder)):
        for name in row.paths:
            found.append(_digest(name, ignores_case))
            progress.Tally.add(progress_folder, "listed")
    problems = [*audit.problems(), *filter(None, [audit.unfinished()])]
    return Named(np.unique(np.frombuffer(found, np.uint64)), tuple(problems), ignores_case)


def _digest(name: str, ignores_case: bool) -> int:
    return keys.digest(folded(name) if ignores_case else name)


def check_named(folder: str, read: Read, progress_folder: str) -> Iterator[Finding]:
    """Reads each file that a row names, on all cores, and yields the differences, in the order of the rows.

    Args:
        folder: the output folder.
        read: is added to.
        progress_folder: the folder that `progress.shown` reads.
    """
    waiting: collections.deque[tuple[str, str, concurrent.futures.Future]] = collections.deque()
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
    try:
        for name, sha256 in _named_files(folder, progress_folder):
            waiting.append((name, sha256, pool.submit(digests.read, folder, name)))
            if len(waiting) == _AHEAD:
                yield from _compare(*waiting.popleft(), read, progress_folder)
        while waiting:
            yield from _compare(*waiting.popleft(), read, progress_folder)
    finally:
        pool.shutdown(cancel_futures=True)


def _named_files(folder: str, progress_folder: str) -> Iterator[tuple[str, str]]:
    """Yields path and SHA-256 of each file; one that several rows name, as pages of a TIFF do, once a file of rows.

    The names of one file of the manifest are in memory, up to 10,000.
    """
    file, seen = "", set[tuple[str, str]]()
    for now, row in itertools.chain(reader.read_rows(folder), reader.read_gone(folder)):
        if now != file:
            file, seen = now, set()
        for named in row.files:
            if named in seen:
                progress.Tally.add(progress_folder, "done")
            else:
                seen.add(named)
                yield named


def _compare(
    name: str, sha256: str, future: concurrent.futures.Future, read: Read, progress_folder: str
) -> Iterator[Finding]:
    problem, actual, size = future.result()
    progress.Tally.add(progress_folder, "done")
    read.bytes += size
    read.files += actual != ""
    if problem:
        yield Finding(MISSING if problem == digests.MISSING else UNREADABLE, name, problem)
    elif actual != sha256:
        yield Finding(CHANGED, name, f"has SHA-256 {actual}, its row says {sha256}")


def check_foreign(folder: str, named: Named) -> Iterator[Finding]:
    """Walks the folder and yields the files that no row names, except those of a run under way."""
    start = folder.rstrip("/") + "/"
    for info in files.list_all(folder):
        name = info.path.removeprefix(start)
        shown = printable(name)
        if layout.is_apart(name) or layout.is_listing(name) or name in named:
            continue
        if files.TEMPORARY_MARK in name.rpartition("/")[2]:
            yield Finding(TEMPORARY, shown, "was left by an interrupted write, or is under way")
        elif info.size < 0 and files.is_local(folder) and os.path.isdir(info.path):
            yield Finding(UNREADABLE, shown, "is a folder that cannot be listed")
        else:
            yield Finding(FOREIGN, shown, "is in no row of the manifest")
