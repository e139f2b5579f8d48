"""One run at a time in an output folder; what a run that did not come to its end has left there is removed.

SCRATCH/lock says who is at work: host, process, since when. A process on this host is looked up; of one elsewhere the
lock's age tells, which a living run renews every half minute. Locally and in gs:// one run alone can take the lock, and
only the very lock that was found dead is removed; in other buckets two runs that begin within the same second may both
go on. A run that others took for dead, because it gave no sign of life for so long, finds its lock gone, says so and
leaves theirs alone.
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
# Ten beats: workers may keep the interpreter busy, clocks may differ a little.
STALE_SECONDS = 300.0
_LEFTOVER = re.compile(re.escape(files.TEMPORARY_MARK) + r"(probe-)?[0-9a-f]{32}")
_log = logging.getLogger("photochrom")
# Tokens of the runs of this process.
_held: set[str] = set()


@dataclasses.dataclass(frozen=True)
class Holder:
    """Who holds a folder.

    Attributes:
        token: one for each run.
        host: name of the machine, and the namespace in which process numbers count.
        pid: its process.
        birth: when that process began, as the system counts it; tells it from a later one with the same number.
        started: when the run began, UTC, for people.
        beat: last sign of life, seconds since 1970.
    """

    token: str
    host: str
    pid: int
    birth: str
    started: str
    beat: float

    def is_alive(self) -> bool:
        """Says whether the run is at work, or may be."""
        if self.host == _host():
            birth = _birth(self.pid)
            return self.token in _held if self.pid == os.getpid() else birth is not None and birth == self.birth
        return time.time() - self.beat < STALE_SECONDS


@dataclasses.dataclass
class _Lock:
    """A lock that this run took: where, what it says, its version in a bucket, and whether another run took it away."""

    path: str
    holder: Holder
    version: str
    is_lost: bool = False


@contextlib.contextmanager
def held(output: str, scratch: str) -> Iterator[None]:
    """Holds an output folder while the body runs, and deletes its scratch folder when it comes to its end.

    Where the body fails, its threads may write on: the scratch folder stays, for the next run to look for leftovers.

    Args:
        output: the folder.
        scratch: the folder within it for what is under way.

    Raises:
        UsageError: another run holds it.
    """
    was_left = files.exists(scratch)
    lock = _take(files.join(scratch, "lock"), output)
    stop, is_through = threading.Event(), False
    beat = threading.Thread(target=_beat, args=(lock, stop), daemon=True)
    beat.start()
    try:
        with signals.at_once(lambda: _abandon(output, scratch)):
            if was_left:
                _remove_leftovers(output, scratch)
            yield
        is_through = True
    finally:
        stop.set()
        beat.join()
        if not lock.is_lost:
            _release(lock, scratch if is_through else "")
        _held.discard(lock.holder.token)


def _release(lock: _Lock, scratch: str) -> None:
    """Removes the lock, and what lies beside it, if a scratch folder is given."""
    if files.is_local(lock.path):
        files.delete(scratch or lock.path)
        return
    if scratch:
        _empty(scratch)
    files.delete_if(lock.path, lock.version)  # this one alone: the next run may have taken it


def _take(path: str, output: str) -> _Lock:
    holder = Holder(uuid.uuid4().hex, _host(), os.getpid(), _birth(os.getpid()) or "", _now(), time.time())
    _held.add(holder.token)
    while (version := _create(path, holder)) is None:
        other = _read(path)
        if other and other.is_alive():
            _held.discard(holder.token)
            raise errors.UsageError(
                f"--output {output}: another run is at work there since {other.started} (process {other.pid} on "
                f"{other.host.partition(' ')[0]}); wait until it is through, or choose another folder"
            )
        if other:
            _remove(path, other)
    return _Lock(path, holder, version)


def _create(path: str, holder: Holder) -> str | None:
    """Writes the lock unless there is one, and returns its version in a bucket; None if there is."""
    data = _encoded(holder)
    if not files.is_local(path):
        return files.write_if(path, data, "")
    target = pathlib.Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = open(target, "xb")  # noqa: SIM115
    except (FileExistsError, FileNotFoundError):  # the latter where a run ends just now, and its folder with it
        return None
    try:
        with file:
            file.write(data)
    except OSError:  # an empty one would be taken for somebody's
        target.unlink()
        raise
    return ""


def _encoded(holder: Holder) -> bytes:
    return json.dumps(dataclasses.asdict(holder)).encode()


def _read(path: str) -> Holder | None:
    """Returns who holds the lock; None if it is gone. One that cannot be read is somebody's who just begins."""
    try:
        beat = os.stat(path).st_mtime if files.is_local(path) else 0.0
        data = files.read_bytes(path)
    except OSError:
        return None
    try:
        found = Holder(**json.loads(data))
        return dataclasses.replace(found, beat=max(beat, float(found.beat)), pid=int(found.pid), host=str(found.host))
    except (ValueError, TypeError):
        return Holder("", "an unknown host", 0, "", "just now", beat)


def _remove(path: str, dead: Holder) -> None:
    """Removes the lock of a dead run, but no other's that took its place meanwhile."""
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


def _beat(lock: _Lock, stop: threading.Event) -> None:
    while not stop.wait(BEAT_SECONDS):
        with contextlib.suppress(Exception):  # a run does not fail for want of a sign of life
            if files.is_local(lock.path):
                os.utime(lock.path)
                continue
            beat = dataclasses.replace(lock.holder, beat=time.time())
            renewed = files.write_if(lock.path, _encoded(beat), lock.version)
            if renewed is None:
                lock.is_lost = True
                _log.warning("%s: another run took the folder over while this one gave no sign of life", lock.path)
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
    _log.info("%s: an earlier run did not come to its end; %d unfinished files removed", output, removed)


def _abandon(output: str, scratch: str) -> None:
    """Removes what this process has under way; the lock stays, to tell the next run to look for more.

    A job on a remote runner goes on without the process that started it, and keeps what lies in the bucket.
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
    """Returns when a process of this host began, "" if the system does not say; None if it is dead."""
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
