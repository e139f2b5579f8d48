"""Holds the files of an output folder against its manifest: which are missing, which changed, which no row names.

The rows are read twice, file by file: first all are checked and the digests of their names kept, then each file that
they name is read. Of a name 8 bytes are kept, sorted, 8 MB for a million: enough to tell, while the folder is walked,
which files no row names. That a file which no row names has the 64-bit digest of one that a row names, and passes, has
for a million of the one and a million of the other a chance of 1 in 18 million.
"""

import array
import collections
import concurrent.futures
import dataclasses
import hashlib
import itertools
import os
from collections.abc import Iterator

import numpy as np

from photochrom import errors
from photochrom.jobs import progress
from photochrom.sources import keys
from photochrom.storage import files
from photochrom.storage.names import printable
from serving import config
from serving.manifest import manifest, reader
from serving.manifest.audit import Audit

MISSING, CHANGED, UNREADABLE = "missing", "changed", "unreadable"
FOREIGN, TEMPORARY, MANIFEST = "foreign", "temporary", "manifest"
KINDS = (MISSING, CHANGED, UNREADABLE, FOREIGN, TEMPORARY, MANIFEST)
_PIECE_BYTES = 1 << 20
_AHEAD = 64  # files handed to the threads before the first of them is waited for


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that is not as the manifest says.

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
    """What the rows name.

    Attributes:
        digests: [N] uint64, sorted, each once: of the names of all files that rows name.
        problems: lines about rows that do not add up, or of a run that did not finish.
    """

    digests: np.ndarray
    problems: tuple[str, ...]

    def __contains__(self, name: str) -> bool:
        digest = np.uint64(keys.digest(name))
        at = np.searchsorted(self.digests, digest)
        return bool(at < len(self.digests) and self.digests[at] == digest)


@dataclasses.dataclass
class Read:
    """Files and bytes that were read."""

    files: int = 0
    bytes: int = 0


def survey(folder: str, progress_folder: str) -> Named:
    """Checks all rows and returns what they name; opens nothing but the manifest.

    Raises:
        UsageError: there is no manifest, or it is none that colorize writes.
    """
    account = reader.read(folder)
    audit = Audit(account)
    digests = array.array("Q")
    for file, row in itertools.chain(audit.watch(reader.read_rows(folder)), reader.read_gone(folder)):
        for name, sha256 in manifest.files_of(row):
            problem = reader.problem_of_name(row["key"], name, sha256)
            if problem:
                raise errors.UsageError(f"{folder}/manifest/{file} is broken: {printable(name)[:300]}: {problem}")
            digests.append(keys.digest(name))
            progress.Tally.add(progress_folder, "listed")
    told = [*audit.problems(), *filter(None, [audit.unfinished()])]
    return Named(np.unique(np.frombuffer(digests, np.uint64)), tuple(told))


def check_named(folder: str, read: Read, progress_folder: str) -> Iterator[Finding]:
    """Reads each file that a row names, on all cores, and yields what is wrong, in the order of the rows.

    Args:
        folder: the output folder.
        read: is added to.
        progress_folder: where `progress.shown` looks.
    """
    waiting: collections.deque[tuple[str, str, concurrent.futures.Future]] = collections.deque()
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
    try:
        for name, sha256 in _named_files(folder, progress_folder):
            waiting.append((name, sha256, pool.submit(_digest, folder, name)))
            if len(waiting) == _AHEAD:
                yield from _judge(*waiting.popleft(), read, progress_folder)
        while waiting:
            yield from _judge(*waiting.popleft(), read, progress_folder)
    finally:
        pool.shutdown(cancel_futures=True)


def _named_files(folder: str, progress_folder: str) -> Iterator[tuple[str, str]]:
    """Yields path and SHA-256 of each file; one that several rows name, as pages of a TIFF do, once for a file of rows.

    The names of one file of the manifest are in memory, up to 10,000.
    """
    file, seen = "", set[tuple[str, str]]()
    for now, row in itertools.chain(reader.read_rows(folder), reader.read_gone(folder)):
        if now != file:
            file, seen = now, set()
        for named in manifest.files_of(row):
            if named in seen:
                progress.Tally.add(progress_folder, "done")
            elif not reader.problem_of_name(row["key"], *named):  # the manifest may have changed since the survey
                seen.add(named)
                yield named


def _judge(
    name: str, sha256: str, future: concurrent.futures.Future, read: Read, progress_folder: str
) -> Iterator[Finding]:
    problem, actual, size = future.result()
    progress.Tally.add(progress_folder, "done")
    read.bytes += size
    read.files += actual != ""
    if problem:
        yield Finding(MISSING if problem == "is missing" else UNREADABLE, name, problem)
    elif actual != sha256:
        yield Finding(CHANGED, name, f"has SHA-256 {actual}, its row says {sha256}")


def _digest(folder: str, name: str) -> tuple[str, str, int]:
    """Returns (problem, SHA-256, bytes) of a file; one of the first two is ""."""
    problem = reader.problem_of_file(folder, name)
    if problem:
        return problem, "", 0
    path, digest, size = files.join(folder, name), hashlib.sha256(), 0
    try:
        with files.open_read(path) as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
                size += len(piece)
    except OSError as error:
        missing = not files.exists(path)
        return "is missing" if missing else f"cannot be read: {printable(str(error))[:200]}", "", size
    return "", digest.hexdigest(), size


def check_foreign(folder: str, named: Named) -> Iterator[Finding]:
    """Walks the folder and yields the files that no row names; those of a run under way are its own."""
    start = folder.rstrip("/") + "/"
    for info in files.list_all(folder):
        name = info.path.removeprefix(start)
        shown = printable(name)
        if name.startswith(f"{config.SCRATCH}/") or reader.is_listing(name) or name in named:
            continue
        if files.TEMPORARY_MARK in name.rpartition("/")[2]:
            yield Finding(TEMPORARY, shown, "was left by a write that was cut off, or is under way")
        elif info.size < 0 and files.is_local(folder) and os.path.isdir(info.path):
            yield Finding(UNREADABLE, shown, "is a folder that cannot be listed")
        else:
            yield Finding(FOREIGN, shown, "is in no row of the manifest")


def is_whole(folder: str, name: str, sha256: str) -> bool:
    """Says whether a file below an output folder is there and has that digest."""
    return _digest(folder, name)[1] == sha256
