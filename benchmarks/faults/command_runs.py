"""Runs of the real command, to be disturbed: started, watched, killed with all that they started; and small disks."""

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
# Nobody's run may do what the superuser may: read what is closed, write where it is forbidden.
_AS_ANYONE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
_POLL_SECONDS = 0.002
_LIMIT_SECONDS = 3600
# What stands in the table of mounts; without it mount looks there for options, and finds some that it may not give.
_SOURCE = "photochrom"


class Run:
    """The command `photochrom` under way, with what it says in a file."""

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
        """Returns the processes of this run, or those whose command line contains `name`; orphans too."""
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"{_TOKEN}={self._token}".encode() in (path / "environ").read_bytes():
                    found += [int(path.name)] if name in (path / "cmdline").read_bytes() else []
        return found

    def waits_until(self, is_so: Callable[[], bool], seconds: float = 0.0) -> bool:
        """Waits for something, and some seconds more; says whether the run is still under way."""
        deadline = time.monotonic() + _LIMIT_SECONDS
        while self.is_under_way and not is_so():
            if time.monotonic() > deadline:
                self.kill()
                raise TimeoutError(f"nothing happened within {_LIMIT_SECONDS} s; see {self.log}")
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
        """Ends all processes of the run on the spot (kill -9)."""
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
        """Returns the last line that it said."""
        lines = self.log.read_text(errors="replace").splitlines()
        return lines[-1] if lines else ""


def as_anyone() -> tuple[str, ...]:
    """Returns what has to stand before a command so that permissions hold for it; for the superuser they do not."""
    return _AS_ANYONE if os.getuid() == 0 and shutil.which("setpriv") else ()


def permissions_hold() -> bool:
    """Says whether a command can be run for which permissions hold."""
    return os.getuid() != 0 or bool(as_anyone())


class Disk:
    """A small file system in memory that only its own commands see; it goes when the body ends."""

    def __init__(self, folder: pathlib.Path, holder: subprocess.Popen):
        self.folder = folder
        self._holder = holder

    @property
    def prefix(self) -> tuple[str, ...]:
        """Returns what has to stand before a command so that it sees the disk."""
        user = () if os.getuid() == 0 else ("--user", "--preserve-credentials")
        return ("nsenter", "--target", str(self._holder.pid), "--mount", *user, f"--wd={ROOT}")

    @property
    def seen(self) -> pathlib.Path:
        """Returns the path by which others see it."""
        return pathlib.Path(f"/proc/{self._holder.pid}/root{self.folder}")

    def remount(self, options: str, seconds: float = 60) -> None:
        """Changes size or access, as soon as no file stands in the way."""
        deadline = time.monotonic() + seconds
        command = [*self.prefix, "mount", "-o", f"remount,{options}", _SOURCE, str(self.folder)]
        while subprocess.run(command, capture_output=True, check=False).returncode:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.folder} cannot be remounted with {options}")


@contextlib.contextmanager
def disk(folder: pathlib.Path, size: int) -> Iterator[Disk | None]:
    """Mounts a disk of `size` bytes; None where that is not allowed."""
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
