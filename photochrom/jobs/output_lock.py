"""Lock file with a heartbeat for an output folder; cleans up after crashed runs.

SCRATCH/lock names the owner: host, process, start. A process on this host is looked up; one elsewhere is judged by the
age of its lock, which a running job rewrites every half minute (the heartbeat). Both that time and the present are
taken from the clock of the file system or the store, by writing a file beside the lock: the hosts' clocks may differ.
Locally and in gs:// exactly one run can take the lock, and only the lock that was found stale is removed; in other
buckets two runs that start within the same second may both continue. A run whose lock was taken for stale, because its
heartbeat paused for so long, finds its lock replaced, logs a warning and leaves the new one alone.
"""

import contextlib
import dataclasses
import datetime
import json
import logging
import math
import os
import pathlib
import re
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from typing import IO

from photochrom import errors
from photochrom.jobs import signals
from photochrom.storage import files

BEAT_SECONDS = 30.0
# Ten heartbeats: workers may keep the interpreter busy.
STALE_SECONDS = 300.0
# The contents of a scratch folder, beside the lock: nothing else in it is removed.
_PROBES = "probes"
_SCRATCH = ("progress", "spool", "canary", "tft", _PROBES)
_LEFTOVER = re.compile(re.escape(files.TEMPORARY_MARK) + r"(probe-)?[0-9a-f]{32}")
_log = logging.getLogger("photochrom")
# Tokens of the runs of this process.
_held: set[str] = set()


@dataclasses.dataclass(frozen=True)
class Owner:
    """The run that holds a folder. The names of the fields are those of the lock file.

    Attributes:
        token: one for each run.
        host: name of the machine, and the namespace in which process numbers count.
        pid: its process.
        birth: start time of that process, in the system's units; a later process with the same number has another.
        started: start of the run, UTC, for people.
        beat: last heartbeat by the owner's clock, seconds since 1970, for people.
    """

    token: str
    host: str
    pid: int
    birth: str
    started: str
    beat: float

    def is_alive(self, path: str) -> bool:
        """Whether the run, whose lock this is, is active, or may be."""
        if self.host == _host():
            birth = _birth(self.pid)
            return self.token in _held if self.pid == os.getpid() else birth is not None and birth == self.birth
        return _seconds_since_beat(path) < STALE_SECONDS


@dataclasses.dataclass
class _Lock:
    """A lock that this run took.

    Attributes:
        path: of the lock.
        owner: this run.
        version: in a bucket, of the object.
        file: the opened lock, on this machine: written to, it never changes the lock of another run.
        is_lost: whether the lock was deleted, or another run has replaced it.
    """

    path: str
    owner: Owner
    version: str = ""
    file: IO[bytes] | None = None
    is_lost: bool = False


@contextlib.contextmanager
def held(output: str, scratch: str) -> Iterator[None]:
    """Holds an output folder while the body runs, and deletes its scratch folder when the body succeeds.

    After a failure its threads may still write: the scratch folder stays, so that the next run looks for leftovers.

    Args:
        output: the folder.
        scratch: the folder within it for unfinished work.

    Raises:
        UsageError: another run holds it, or the scratch folder is a link.
        PhotochromError: the folder, or the lock in it, was deleted while the body ran.
    """
    if files.is_local(scratch) and os.path.islink(scratch):
        raise errors.UsageError(f"{scratch} is a symbolic link; a run would write and delete there: remove the link")
    was_left = files.exists(scratch)
    lock = _take(files.join(scratch, "lock"), output)
    stop, is_done = threading.Event(), False
    beat = threading.Thread(target=_heartbeat, args=(lock, stop), daemon=True)
    beat.start()
    try:
        with signals.at_once(lambda: _abandon(output, scratch)):
            if was_left:
                _remove_leftovers(output, scratch)
            yield
            _check_exists(lock, output)
        is_done = True
    finally:
        stop.set()
        beat.join()
        lock.is_lost = lock.is_lost or not _is_in_place(lock)
        if lock.file:
            lock.file.close()  # an open file that is deleted stays in its folder on NFS
        if not lock.is_lost:
            _release(lock, output, scratch if is_done else "")
        _held.discard(lock.owner.token)


def _check_exists(lock: _Lock, output: str) -> None:
    """Raises PhotochromError if the folder of a run that has ended is no longer the one that it began with."""
    if not files.exists(lock.path):
        raise errors.PhotochromError(
            f"{output}, or {lock.path} in it, was deleted during the run, so earlier results may be lost; the same "
            "command again makes what is missing"
        )


def _release(lock: _Lock, output: str, scratch: str) -> None:
    """Removes the lock, and the scratch folder with it if one is given."""
    if scratch:
        _empty(scratch)
    if files.is_local(lock.path):
        files.delete(lock.path)
    else:
        files.delete_if(lock.path, lock.version)  # only this version: the next run may have taken it
    if scratch:
        files.remove_empty(output, scratch.rpartition("/")[2])


def _take(path: str, output: str) -> _Lock:
    owner = Owner(uuid.uuid4().hex, _host(), os.getpid(), _birth(os.getpid()) or "", _now(), time.time())
    _held.add(owner.token)
    while (lock := _create(path, owner)) is None:
        other = _read(path)
        if other and other.is_alive(path):
            _held.discard(owner.token)
            raise errors.UsageError(
                f"--output {output}: another run is active there since {other.started} (process {other.pid} on "
                f"{other.host.partition(' ')[0]}); wait until it ends, or choose another folder"
            )
        if other:
            _remove(path, other)
    return lock


def _create(path: str, owner: Owner) -> _Lock | None:
    """Writes the lock unless there is one; None if there is."""
    if not files.is_local(path):
        version = files.write_if(path, _encoded(owner), "")
        return None if version is None else _Lock(path, owner, version)
    target = pathlib.Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = open(target, "xb", buffering=0)  # noqa: SIM115
    except (FileExistsError, FileNotFoundError):  # the latter where a run is just deleting its folder
        return None
    try:
        file.write(_encoded(owner))
    except OSError:  # an empty lock would count as another run's
        file.close()
        target.unlink()
        raise
    return _Lock(path, owner, file=file)


def _encoded(owner: Owner) -> bytes:
    return json.dumps(dataclasses.asdict(owner)).encode()


def _read(path: str) -> Owner | None:
    """Returns the owner of the lock; None if it is gone. A broken one belongs to a run that is just starting.

    Raises:
        UsageError: it is a link, no regular file, or cannot be read.
    """
    try:
        found = Owner(**json.loads(files.read_bytes(path)))
        return dataclasses.replace(found, pid=int(found.pid), host=str(found.host))
    except FileNotFoundError:
        if files.is_local(path) and os.path.islink(path):
            raise errors.UsageError(f"{path} is a symbolic link to nothing, expected a file; remove the link") from None
        return None
    except OSError as error:
        if not files.is_local(path):
            raise
        reason = error.strerror or str(error)
        raise errors.UsageError(
            f"{path}, the lock of runs, cannot be read ({reason}); if no run is active, remove it"
        ) from error
    except (ValueError, TypeError):
        return Owner("", "unknown", 0, "", "just now", 0.0)


def _seconds_since_beat(path: str) -> float:
    """Returns the age of a lock by the clock of its store, which dates a file that is written for this purpose."""
    probe = _beside(path)
    files.write_bytes(probe, b"now")
    try:
        return files.modified(probe) - files.modified(path)
    except FileNotFoundError:  # the run has just ended
        return math.inf
    finally:
        files.delete(probe)


def _beside(path: str) -> str:
    """Returns a new path in the scratch folder of a lock."""
    return files.join(path.rpartition("/")[0], _PROBES, uuid.uuid4().hex)


def _remove(path: str, dead: Owner) -> None:
    """Removes the lock of a dead run, but not one that has replaced it meanwhile."""
    if not files.is_local(path):
        with contextlib.suppress(FileNotFoundError):
            version = files.stat(path).version
            found = _read(path)
            if found and found.token == dead.token:
                files.delete_if(path, version)
        return
    aside = _beside(path)
    with contextlib.suppress(FileNotFoundError):
        os.makedirs(os.path.dirname(aside), exist_ok=True)
        os.rename(path, aside)
        found = _read(aside)
        if found and found.token != dead.token:
            with contextlib.suppress(OSError):
                os.link(aside, path)
        os.unlink(aside)


def _heartbeat(lock: _Lock, stop: threading.Event) -> None:
    while not (lock.is_lost or stop.wait(BEAT_SECONDS)):
        with contextlib.suppress(Exception):  # a missed heartbeat does not fail the run
            _renew(lock)
            if lock.is_lost and files.exists(lock.path):
                _log.warning("%s: another run took the folder over while this one had no heartbeat", lock.path)
            elif lock.is_lost:
                _log.warning("%s: deleted while the run was active", lock.path)


def _renew(lock: _Lock) -> None:
    """Rewrites the lock, so that the store dates it; notices that it is lost."""
    if lock.file:
        lock.file.seek(0)
        lock.file.write(_encoded(lock.owner))
        os.fsync(lock.file.fileno())
        lock.is_lost = not _is_in_place(lock)
        return
    beat = dataclasses.replace(lock.owner, beat=time.time())
    renewed = files.write_if(lock.path, _encoded(beat), lock.version)
    lock.version, lock.is_lost = renewed or lock.version, renewed is None


def _is_in_place(lock: _Lock) -> bool:
    """Whether the local lock is still the one that this run took; a bucket checks that by the version."""
    try:
        return lock.file is None or os.path.samestat(os.stat(lock.path), os.fstat(lock.file.fileno()))
    except FileNotFoundError:
        return False


def sweep(output: str) -> int:
    """Removes the unfinished files of workers that died from a local output folder and returns how many there were."""
    removed = 0
    if files.is_local(output) and os.path.isdir(output):
        for _, _, names, folder in os.fwalk(os.path.realpath(output)):  # follows no link below it
            for name in filter(_LEFTOVER.fullmatch, names):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)
                removed += 1
    return removed


def _remove_leftovers(output: str, scratch: str) -> None:
    removed = sweep(output)
    _empty(scratch)
    _log.info("%s: an earlier run did not finish; %d unfinished files removed", output, removed)


def _abandon(output: str, scratch: str) -> None:
    """Removes the unfinished work of this process; the lock stays, so that the next run looks for more.

    A job on a remote runner continues without the process that started it, and keeps its files in the bucket.
    """
    if files.is_local(output):
        files.abandon()
        _empty(scratch)


def _empty(scratch: str) -> None:
    """Removes unfinished work, not the lock, nor anything that no run puts there."""
    output, _, name = scratch.rpartition("/")
    files.clear(output, [f"{name}/{part}" for part in _SCRATCH])


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _host() -> str:
    """Returns the host's name and the namespace of its process numbers: containers may share one and not the other."""
    with contextlib.suppress(OSError):
        return f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"
    return socket.gethostname()


def _birth(pid: int) -> str | None:
    """Returns the start time of a process of this host, "" if unknown; None if it is dead."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return None
    except PermissionError:
        pass
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return None if fields[0] in "ZX" else fields[19]  # state; start time in ticks since boot, proc(5)
