"""Subprocess runs of the real command, which can be watched and killed with all their processes; and small disks."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence

ROOT = pathlib.Path(__file__).parents[2]
_TOKEN = "PHOTOCHROM_FAULTS_RUN"
# Runs give up the superuser's capabilities to read and write against file permissions.
_AS_ANYONE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
_POLL_SECONDS = 0.002
_LIMIT_SECONDS = 3600
# Source name in the table of mounts; without it, mount takes options from that table, some of which are not permitted.
_SOURCE = "photochrom"


class Run:
    """The command `photochrom` in a process of its own, with its output in a file."""

    def __init__(self, argv: Sequence[str], log: pathlib.Path, prefix: Sequence[str] = ()):
        self._token = uuid.uuid4().hex
        self.log = log
        self.began = time.monotonic()
        script = "import sys; from photochrom.cli import main; sys.argv[0] = 'photochrom'; sys.exit(main())"
        with open(log, "wb") as file:
            self._process = subprocess.Popen(
                [*prefix, *as_anyone(), sys.executable, "-c", script, *argv],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(ROOT), _TOKEN: self._token},
            )

    @property
    def is_under_way(self) -> bool:
        return self._process.poll() is None

    def pids(self, name: bytes = b"") -> list[int]:
        """Returns the processes of this run whose command line contains `name`, orphans included."""
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"{_TOKEN}={self._token}".encode() in (path / "environ").read_bytes():
                    found += [int(path.name)] if name in (path / "cmdline").read_bytes() else []
        return found

    def waits_until(self, is_so: Callable[[], bool], seconds: float = 0.0) -> bool:
        """Waits for a condition, and some seconds more; returns whether the run is still active."""
        deadline = time.monotonic() + _LIMIT_SECONDS
        while self.is_under_way and not is_so():
            if time.monotonic() > deadline:
                self.kill()
                raise TimeoutError(f"the condition did not hold within {_LIMIT_SECONDS} s; see {self.log}")
            time.sleep(_POLL_SECONDS)
        until = time.monotonic() + seconds
        while self.is_under_way and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
        return self.is_under_way

    def send(self, number: int = signal.SIGTERM) -> None:
        """Sends a signal to the command itself."""
        for pid in self.pids(b"photochrom.cli"):
            os.kill(pid, number)

    def kill(self) -> None:
        """Kills all processes of the run (kill -9)."""
        while pids := self.pids():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.poll()
        self._process.wait()

    def ends(self) -> int:
        """Waits for the end and returns the exit status."""
        try:
            return self._process.wait(_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def last_line(self) -> str:
        """Returns the last line of the output."""
        lines = self.log.read_text(errors="replace").splitlines()
        return lines[-1] if lines else ""


def as_anyone() -> tuple[str, ...]:
    """Returns the command prefix under which file permissions hold, which the superuser needs."""
    return _AS_ANYONE if os.getuid() == 0 and shutil.which("setpriv") else ()


def permissions_hold() -> bool:
    """Whether a command can run under file permissions."""
    return os.getuid() != 0 or bool(as_anyone())


class Disk:
    """A small file system in memory, visible only to commands with its prefix, until the body ends."""

    def __init__(self, folder: pathlib.Path, holder: subprocess.Popen):
        self.folder = folder
        self._holder = holder

    @property
    def prefix(self) -> tuple[str, ...]:
        """Returns the command prefix under which the disk is visible."""
        user = () if os.getuid() == 0 else ("--user", "--preserve-credentials")
        return ("nsenter", "--target", str(self._holder.pid), "--mount", *user, f"--wd={ROOT}")

    @property
    def seen(self) -> pathlib.Path:
        """Returns the path under which other processes see the disk."""
        return pathlib.Path(f"/proc/{self._holder.pid}/root{self.folder}")

    def remount(self, options: str, seconds: float = 60) -> None:
        """Changes size or access, and retries while open files prevent it."""
        deadline = time.monotonic() + seconds
        command = [*self.prefix, "mount", "-o", f"remount,{options}", _SOURCE, str(self.folder)]
        while subprocess.run(command, capture_output=True, check=False).returncode:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.folder} cannot be remounted with {options}")


@contextlib.contextmanager
def disk(folder: pathlib.Path, size: int) -> Iterator[Disk | None]:
    """Mounts a disk of `size` bytes; None if that is not permitted."""
    folder.mkdir(parents=True, exist_ok=True)
    user = () if os.getuid() == 0 else ("--user", "--map-root-user")
    mount = f'mount -t tmpfs -o size={size} {_SOURCE} "$0" && echo mounted && exec cat'
    with subprocess.Popen(
        ["unshare", *user, "--mount", "sh", "-c", mount, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as holder:
        assert holder.stdin and holder.stdout
        try:
            yield Disk(folder, holder) if holder.stdout.readline() else None
        finally:
            holder.stdin.close()
