"""Lock file with a heartbeat for an output folder; cleans up after crashed runs.

SCRATCH/lock names the owner: host, process, start. A process on this host is looked up; one elsewhere is judged by the
age of its lock, which a running job renews every half minute (the heartbeat). Locally and in gs:// exactly one run can
take the lock, and only the lock that was found stale is removed; in other buckets two runs that start within the same
second may both continue. A run whose lock was taken for stale, because its heartbeat paused for so long, finds its lock
replaced, logs a warning and leaves the new one alone.
"""

import contextlib
import dataclasses
import datetime
import json
import logging
import os
import pathlib
import re
import socket
import threading
import time
import uuid
from collections.abc import Iterator

from photochrom import errors
from photochrom.jobs import signals
from photochrom.storage import files

BEAT_SECONDS = 30.0
# Ten heartbeats: workers may keep the interpreter busy, clocks may differ a little.
STALE_SECONDS = 300.0
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
        beat: last heartbeat, seconds since 1970.
    """

    token: str
    host: str
    pid: int
    birth: str
    started: str
    beat: float

    def is_alive(self) -> bool:
        """Whether the run is active, or may be."""
        if self.host == _host():
            birth = _birth(self.pid)
            return self.token in _held if self.pid == os.getpid() else birth is not None and birth == self.birth
        return time.time() - self.beat < STALE_SECONDS


@dataclasses.dataclass
class _Lock:
    """A lock that this run took: path, content, version in a bucket, and whether another run has replaced it."""

    path: str
    owner: Owner
    version: str
    is_lost: bool = False


@contextlib.contextmanager
def held(output: str, scratch: str) -> Iterator[None]:
    """Holds an output folder while the body runs, and deletes its scratch folder when the body succeeds.

    After a failure its threads may still write: the scratch folder stays, so that the next run looks for leftovers.

    Args:
        output: the folder.
        scratch: the folder within it for unfinished work.

    Raises:
        UsageError: another run holds it.
    """
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
        is_done = True
    finally:
        stop.set()
        beat.join()
        if not lock.is_lost:
            _release(lock, scratch if is_done else "")
        _held.discard(lock.owner.token)


def _release(lock: _Lock, scratch: str) -> None:
    """Removes the lock, or the scratch folder with it, if one is given."""
    if files.is_local(lock.path):
        files.delete(scratch or lock.path)
        return
    if scratch:
        _empty(scratch)
    files.delete_if(lock.path, lock.version)  # only this version: the next run may have taken it


def _take(path: str, output: str) -> _Lock:
    owner = Owner(uuid.uuid4().hex, _host(), os.getpid(), _birth(os.getpid()) or "", _now(), time.time())
    _held.add(owner.token)
    while (version := _create(path, owner)) is None:
        other = _read(path)
        if other and other.is_alive():
            _held.discard(owner.token)
            raise errors.UsageError(
                f"--output {output}: another run is active there since {other.started} (process {other.pid} on "
                f"{other.host.partition(' ')[0]}); wait until it ends, or choose another folder"
            )
        if other:
            _remove(path, other)
    return _Lock(path, owner, version)


def _create(path: str, owner: Owner) -> str | None:
    """Writes the lock unless there is one, and returns its version in a bucket; None if there is."""
    data = _encoded(owner)
    if not files.is_local(path):
        return files.write_if(path, data, "")
    target = pathlib.Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = open(target, "xb")  # noqa: SIM115
    except (FileExistsError, FileNotFoundError):  # the latter where a run is just deleting its folder
        return None
    try:
        with file:
            file.write(data)
    except OSError:  # an empty lock would count as another run's
        target.unlink()
        raise
    return ""


def _encoded(owner: Owner) -> bytes:
    return json.dumps(dataclasses.asdict(owner)).encode()


def _read(path: str) -> Owner | None:
    """Returns the owner of the lock; None if it is gone. An unreadable one belongs to a run that is just starting."""
    try:
        beat = os.stat(path).st_mtime if files.is_local(path) else 0.0
        data = files.read_bytes(path)
    except OSError:
        return None
    try:
        found = Owner(**json.loads(data))
        return dataclasses.replace(found, beat=max(beat, float(found.beat)), pid=int(found.pid), host=str(found.host))
    except (ValueError, TypeError):
        return Owner("", "an unknown host", 0, "", "just now", beat)


def _remove(path: str, dead: Owner) -> None:
    """Removes the lock of a dead run, but not one that has replaced it meanwhile."""
    if not files.is_local(path):
        with contextlib.suppress(FileNotFoundError):
            version = files.stat(path).version
            found = _read(path)
            if found and found.token == dead.token:
                files.delete_if(path, version)
        return
    aside = f"{path}-{uuid.uuid4().hex}"
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, aside)
        found = _read(aside)
        if found and found.token != dead.token:
            with contextlib.suppress(OSError):
                os.link(aside, path)
        os.unlink(aside)


def _heartbeat(lock: _Lock, stop: threading.Event) -> None:
    while not stop.wait(BEAT_SECONDS):
        with contextlib.suppress(Exception):  # a missed heartbeat does not fail the run
            if files.is_local(lock.path):
                os.utime(lock.path)
                continue
            beat = dataclasses.replace(lock.owner, beat=time.time())
            renewed = files.write_if(lock.path, _encoded(beat), lock.version)
            if renewed is None:
                lock.is_lost = True
                _log.warning("%s: another run took the folder over while this one had no heartbeat", lock.path)
                return
            lock.version = renewed


def sweep(output: str) -> int:
    """Removes the unfinished files of workers that died from a local output folder and returns how many there were."""
    removed = 0
    if files.is_local(output):
        for parent, _, names in os.walk(output):
            for name in filter(_LEFTOVER.fullmatch, names):
                pathlib.Path(parent, name).unlink(missing_ok=True)
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
    start = scratch.rstrip("/") + "/"
    if files.is_local(scratch):
        names = {path.name for path in pathlib.Path(scratch).iterdir()}
    else:
        names = {info.path.removeprefix(start).partition("/")[0] for info in files.list_all(scratch)}
    for name in sorted(names - {"lock"}):
        files.delete(start + name)


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
