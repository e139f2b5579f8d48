"""Reports unexpected errors: one line with advice for the user, the full trace in a file.

A worker's error reaches the launcher as text: the local runner wraps it with its trace into a RuntimeError, in threads
as in processes. So the cause is searched along the chain of exceptions, and then in the text of the last one.
"""

import collections
import dataclasses
import errno
import itertools
import logging
import os
import pathlib
import re
import tempfile
import traceback
from collections.abc import Sequence

from photochrom import errors
from photochrom.storage import files

# One line of a worker's trace: the class, the message, and the step in which it was raised.
_LINE = re.compile(r"^(?:RuntimeError: )*([A-Za-z_][\w.]*): (.*?)(?: \[while running '([^']+)'.*)?$")
_ERRNO = re.compile(r"\[Errno (\d+)\]")
_FILE = re.compile(r": ['\"](.+?)['\"](?: -> ['\"].+['\"])?$")
# A worker process's log record, as the launcher repeats it.
_WORKER = re.compile(r"^Worker: severity: .*? message: \"(.*?)(?:\\n|\"$|\" )")
# Beam's messages about a worker process that has ended.
_WORKER_DIED = ("Channel closed prematurely", "Worker subprocess exited")
# Words of errors that have no errno: of the dynamic linker, Python, NumPy and gRPC.
_NO_MEMORY = re.compile(
    "failed to map segment|annot allocate memory|can't start new thread|nable to allocate|bad_alloc|not enough memory"
)
_NO_FILES = re.compile("[Tt]oo many open files")
_MAX_MESSAGE = 300
_MAX_RECORDS = 200


@dataclasses.dataclass(frozen=True)
class Cause:
    """The root cause of an error.

    Attributes:
        kind: class of the exception, without its module.
        message: its text.
        number: errno, 0 if it is not an OSError.
        path: the file that it names, or "".
        step: the step of the pipeline, or "".
    """

    kind: str
    message: str
    number: int = 0
    path: str = ""
    step: str = ""


def cause_of(error: BaseException) -> Cause:
    """Returns the root cause of an error, from the chain of exceptions and the text that a worker sent."""
    chain: list[BaseException] = []
    while error not in chain:
        chain.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__) or error
    for one in reversed(chain):
        if isinstance(one, OSError) and one.errno:
            return Cause(type(one).__name__, str(one), one.errno, os.fsdecode(one.filename or ""))
    for one in chain:
        found = _in_text(str(one)) if isinstance(one, RuntimeError) else None
        if found:
            return found
    return Cause(type(chain[0]).__name__, str(chain[0]))


def _in_text(text: str) -> Cause | None:
    """Returns the cause that the last line of a worker's trace names; None if it is no trace."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in reversed(lines):
        match = _LINE.match(line)
        if match and (match[3] or len(lines) > 1):
            number, path = _ERRNO.search(match[2]), _FILE.search(match[2])
            kind = match[1].rpartition(".")[2]
            return Cause(kind, match[2], int(number[1]) if number else 0, path[1] if path else "", match[3] or "")
    return None


def report(
    error: BaseException, argv: Sequence[str], logged: Sequence[str] = (), is_resumable: bool = False
) -> tuple[str, int]:
    """Writes the trace to a file; returns the line to show, without `photochrom: ` before it, and the exit status.

    Args:
        error: raised by the job.
        argv: the job's flags.
        logged: earlier log records, in full.
        is_resumable: whether the same command continues the job.
    """
    cause = cause_of(error)
    log = _write_log([*logged, "".join(traceback.format_exception(error))])
    output = _flag(argv, "--output") or _flag(argv, "--model_dir")
    return f"{_line(cause, output, is_resumable)}; {log}", _FORESEEN.get(cause.kind, 1)


def _line(cause: Cause, output: str, is_resumable: bool) -> str:
    again = "run the same command again" + ("; what is done is kept" if is_resumable else "")
    if cause.kind in _FORESEEN:
        return _short(cause.message)
    where = _place(cause, output)
    system = {
        **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), f"no space left on {where}: free some and {again}"),
        errno.EROFS: f"{where} cannot be written any more, it is read-only: make it writable and {again}",
        **dict.fromkeys(
            (errno.EACCES, errno.EPERM),
            f"{cause.path or where}: permission denied: give yourself the right to it and {again}",
        ),
        **dict.fromkeys(
            (errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENODEV),
            f"{cause.path or where}: {os.strerror(cause.number)}: check the disk or the network mount, "
            f"and {again}",
        ),
        **dict.fromkeys(
            (errno.EMFILE, errno.ENFILE), f"too many open files: raise the limit (ulimit -n 4096) and {again}"
        ),
    }  # fmt: skip
    number = errno.EMFILE if _NO_FILES.search(cause.message) else cause.number
    if number in system:
        return system[number]
    if number == errno.ENOMEM or cause.kind == "MemoryError" or _NO_MEMORY.search(cause.message):
        return (
            "out of memory: give fewer workers (--direct_num_workers=1) or more memory (ulimit -v and -u limit it "
            f"too), and {again}"
        )
    if any(words in cause.message for words in _WORKER_DIED):
        return (
            "a worker process was killed (perhaps out of memory): if it happens again, give fewer "
            f"workers (--direct_num_workers=1); {again}"
        )
    step = f" in {cause.step}" if cause.step else ""
    return f"unexpected error{step}: {cause.kind}: {_short(cause.message)}"


# Errors that a step raises on purpose have advice in their message; class -> exit status.
_FORESEEN = {
    name: kind.exit_status
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.PhotochromError) and not issubclass(kind, errors.DataError)
}


def _place(cause: Cause, output: str) -> str:
    """Returns the folder that an error is about, with its free space."""
    temporary = tempfile.gettempdir()
    places = [place for place in (output, temporary) if place and files.is_local(place) and os.path.exists(place)]
    inside = [place for place in places if cause.path and _is_inside(cause.path, place)]
    if inside:
        folder = max(inside, key=lambda place: len(os.path.abspath(place)))
    elif cause.path:
        folder = os.path.dirname(cause.path)
    else:  # an error of writing to an open file has no name: the fuller folder
        folder = min(places, key=_free_bytes, default=output)
    hint = ", the folder for temporary files (TMPDIR names another)" if folder == temporary != output else ""
    return f"{folder}{hint} ({_free(folder)})"


def _is_inside(path: str, folder: str) -> bool:
    return f"{os.path.abspath(path)}/".startswith(os.path.abspath(folder).rstrip("/") + "/")


def _free_bytes(folder: str) -> int:
    try:
        status = os.statvfs(folder)
    except OSError:
        return 0
    return 0 if status.f_files and not status.f_favail else status.f_bavail * status.f_frsize


# So few that they were probably used up: the temporary files of the run are deleted by now.
_FEW_INODES = 1000


def _free(folder: str) -> str:
    try:
        status = os.statvfs(folder)
    except OSError:
        return "free space unknown"
    if status.f_files and not status.f_favail:
        return "no inodes free: it holds too many files"
    few = f" and {status.f_favail} inodes" if status.f_files and status.f_favail < _FEW_INODES else ""
    return f"{status.f_bavail * status.f_frsize} bytes{few} free"


def _flag(argv: Sequence[str], name: str) -> str:
    """Returns the last value of a flag, in either spelling; "" without."""
    value = ""
    for one, following in itertools.zip_longest(argv, argv[1:], fillvalue=""):
        value = following if one == name else one.partition("=")[2] if one.startswith(f"{name}=") else value
    return value


def _write_log(texts: Sequence[str]) -> str:
    """Writes the trace to the first folder with space; returns its place as the end of a sentence."""
    data = "\n".join(texts).encode("utf-8", "backslashreplace")
    refused: object = ""
    for folder in (tempfile.gettempdir(), os.path.expanduser("~"), os.getcwd()):
        path = ""
        try:
            number, path = tempfile.mkstemp(".log", "photochrom-", folder)
            with open(number, "wb") as file:
                file.write(data)
            return f"the full trace is in {path}"
        except OSError as error:
            refused = error
            if path:
                pathlib.Path(path).unlink(missing_ok=True)
    return f"the full trace could not be written ({refused})"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_MESSAGE else f"{line[:_MAX_MESSAGE]}..."


def _first_line(text: str) -> str:
    of_worker = _WORKER.search(text)
    return _short((of_worker[1].replace("\\'", "'") if of_worker else text).strip().partition("\n")[0])


class OneLine(logging.Handler):
    """Shows each record of other libraries as one line, once; keeps the last ones in full, for the log.

    Beam logs a worker's trace three times before the job ends by it.
    """

    def __init__(self, shown: logging.Handler):
        super().__init__()
        self._shown = shown
        self._seen: set[str] = set()
        self.kept: collections.deque[str] = collections.deque(maxlen=_MAX_RECORDS)

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.split(".")[0] == "photochrom":
            self._shown.handle(record)
            return
        self.kept.append(self.format(record))
        line = _first_line(record.getMessage())
        if line in self._seen:
            return
        self._seen.add(line)
        self._shown.handle(
            logging.LogRecord(record.name, record.levelno, record.pathname, record.lineno, "%s", (line,), None)
        )
