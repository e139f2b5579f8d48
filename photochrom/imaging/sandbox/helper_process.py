"""One decoder helper, from the job: starts the process, sends a file, reads the answer by a deadline, ends it."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from typing import Any

from photochrom import errors
from photochrom.imaging.sandbox import protocol

_MODULE = "photochrom.imaging.sandbox.worker"
_START_SECONDS = 60.0
_TAIL_BYTES = 4096
# A picture of 256x256 px and its metadata.
_SCRATCH_BYTES = 256 << 10
# A pipe of 1 MiB takes a third fewer turns than the usual 64 KiB; Linux alone can set it.
_PIPE_BYTES = 1 << 20
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ
# There is a helper for each core: threads within one would compete for it. Arenas are address space.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
    "MALLOC_ARENA_MAX": "2",
    # glibc's own thresholds follow the first files: a helper either keeps freed memory, or returns it after each file
    # and spends 0.7 ms of system time on page faults in the next, a sixth of a record of 500x400. Bytes.
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
}


class HelperDied(Exception):
    """The helper ended, or gave an invalid answer, in the middle of a file.

    Attributes:
        status: its exit status, negative for a signal.
        last_words: the end of its standard error.
    """

    def __init__(self, status: int, last_words: str):
        super().__init__(f"ended with {status}: {last_words}")
        self.status = status
        self.last_words = last_words


class Helper:
    """A running helper. For one thread at a time.

    Attributes:
        answered: the number of files that it has answered for.
        retired: whether it asked to be replaced.
    """

    def __init__(self) -> None:
        """Starts it and waits until it is ready.

        Raises:
            PhotochromError: it does not start.
        """
        self.answered = 0
        self.retired = False
        self._tail = b""
        self._scratch = bytearray(_SCRATCH_BYTES)
        # The job's own search path, so that both import the same modules; -P: without the working folder.
        path = os.pathsep.join(os.path.abspath(one) for one in sys.path)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-W", "ignore", "-m", _MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": path},
            )
            self._open_pipes()
            self._receive(time.monotonic() + _START_SECONDS, max_pixels=0)
        except (OSError, HelperDied, TimeoutError, protocol.ProtocolError) as error:
            if hasattr(self, "_process"):
                self.close()
            raise errors.PhotochromError(f"the decoder helper does not start: {error}") from error

    def _open_pipes(self) -> None:
        process = self._process
        assert process.stdin and process.stdout and process.stderr
        self._requests, self._answers, self._errors = (
            p.fileno() for p in (process.stdin, process.stdout, process.stderr)
        )
        for descriptor in (self._requests, self._answers, self._errors):
            os.set_blocking(descriptor, False)
        if sys.platform == "linux":
            import fcntl

            for descriptor in (self._requests, self._answers):
                with contextlib.suppress(OSError):
                    fcntl.fcntl(descriptor, _SET_PIPE_SIZE, _PIPE_BYTES)

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def ask(self, request: protocol.Request, data: bytes) -> dict[str, Any]:
        """Sends a request and a file's bytes and returns the answer, its blocks as buffers.

        Raises:
            TimeoutError: no answer within the request's timeout. The helper is ended.
            HelperDied: it has ended, or gave an invalid answer and is ended.
        """
        deadline = time.monotonic() + request.timeout_seconds
        self._tail = b""
        try:
            self._write([*protocol.pack(request), memoryview(data)], deadline)
            answer = self._receive(deadline, request.max_pixels)
        except (TimeoutError, HelperDied):
            self.close()
            raise
        except protocol.ProtocolError as error:
            self.close()
            raise HelperDied(0, f"invalid answer of the decoder: {error}") from error
        self.answered += 1
        self.retired = bool(answer.pop("retire", False))
        return answer

    def _receive(self, deadline: float, max_pixels: int) -> dict[str, Any]:
        """Returns the next message; one read suffices for a small picture."""
        start = memoryview(self._scratch)[: self._read([memoryview(self._scratch)], deadline)]
        start, header_bytes = self._take(start, protocol.LENGTH_BYTES, deadline)
        size = int.from_bytes(header_bytes, "big")
        if size > protocol.MAX_HEADER_BYTES:
            raise protocol.ProtocolError(f"a header of {size} bytes")
        start, header = self._take(start, size, deadline)
        answer, buffers = protocol.allocate(protocol.parse(header), max_pixels)
        parts = [protocol.view(buffer) for buffer in buffers if len(buffer)]
        while parts:
            if start:
                count = min(len(start), len(parts[0]))
                parts[0][:count], start = start[:count], start[count:]
            else:
                count = self._read(parts, deadline)
            parts = protocol.rest(parts, count)
        if start:
            raise protocol.ProtocolError("more bytes than announced")
        return answer

    def _take(self, start: memoryview, size: int, deadline: float) -> tuple[memoryview, bytes]:
        """Returns the next `size` bytes, of `start` and then of the pipe, after the rest of `start`."""
        taken = bytearray(start[:size])
        while len(taken) < size:
            more = memoryview(bytearray(size - len(taken)))
            taken += more[: self._read([more], deadline)]
        return start[size:], bytes(taken)

    def _write(self, parts: list[memoryview], deadline: float) -> None:
        while parts:
            try:
                count = os.writev(self._requests, parts[: protocol.MAX_PARTS])
            except BlockingIOError:
                self._wait(self._requests, select.POLLOUT, deadline)
            except BrokenPipeError:
                raise self._death() from None
            else:
                parts = protocol.rest(parts, count)

    def _read(self, parts: list[memoryview], deadline: float) -> int:
        """Waits for bytes in the pipe and reads them into buffers; returns their number."""
        while True:
            try:
                count = os.readv(self._answers, parts[: protocol.MAX_PARTS])
            except BlockingIOError:
                self._wait(self._answers, select.POLLIN, deadline)
                continue
            if not count:
                raise self._death()
            return count

    def _wait(self, descriptor: int, event: int, deadline: float) -> None:
        """Waits until a pipe is ready or closed at the other end; meanwhile keeps the end of standard error."""
        poll = select.poll()
        poll.register(descriptor, event)
        poll.register(self._errors, select.POLLIN)
        while True:
            left = deadline - time.monotonic()
            ready = dict(poll.poll(max(0.0, left) * 1000))
            if ready.get(self._errors) and not self._keep_errors():
                poll.unregister(self._errors)
            if ready.get(descriptor):
                return
            if left <= 0:
                raise TimeoutError

    def _keep_errors(self) -> bool:
        """Keeps the end of standard error; returns whether more may come."""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._errors, 1 << 16):
                self._tail = (self._tail + chunk)[-_TAIL_BYTES:]
            return False
        return True

    def _death(self) -> HelperDied:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)  # its pipe is closed: it is ending
        self._end()
        self._keep_errors()
        lines = [line.strip() for line in self._tail.decode("utf-8", "replace").splitlines() if line.strip()]
        return HelperDied(self._process.returncode, " | ".join(lines[-3:]))

    def _end(self) -> None:
        if self.is_alive:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """Ends the process and closes its pipes."""
        self._end()
        self.close_pipes()

    def close_pipes(self) -> None:
        """Closes this process's ends of the pipes alone: for a forked child, whose parent still uses the helper."""
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()
