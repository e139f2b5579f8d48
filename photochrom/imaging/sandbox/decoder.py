"""Decodes images in a helper process: a hostile or broken file costs that file, never the job.

`images.decode` calls native code (libjpeg, libtiff, libwebp, openjpeg ...) on bytes from anywhere. In the job's own
process a segmentation fault would end the job, a loop without end would stop it, and a bomb would take the machine's
memory. So all decoding goes through `Decoder`, and what kills, stalls or bloats the helper is a DecodeError:

    decoder_crashed   the helper ended by a signal, or answered nonsense
    decode_timeout    no answer in time; the helper was killed
    out_of_memory     more memory than a picture of its claimed size may take (see worker.py)

Helpers are few and live long: at most one for each core, started when first needed, lent to a thread for a file, and
replaced when they end. A helper that has worked for other files before may have been damaged or filled by those: what
crashes it or runs out of memory in it is tried once more, in a new one. So the answer does not depend on which files
came before. Helpers end with the process that started them; a forked child starts its own.

Cost, against images.decode in the same process, on two cores that are busy otherwise: CONTRIBUTING.md has the table. A
plain pipe was kept: memory shared between the two would save one of two copies.
"""

import atexit
import contextlib
import dataclasses
import os
import re
import signal
import threading
from collections.abc import Iterator
from typing import Any

from photochrom import errors
from photochrom.imaging.picture import Picture
from photochrom.imaging.sandbox import protocol
from photochrom.imaging.sandbox.helper_process import Helper, HelperDied

# Seconds that one file may take.
DEFAULT_TIMEOUT = 120
# A larger picture is refused by its header, px.
DEFAULT_MAX_PIXELS = 300_000_000
_MAX_MESSAGE = 2000
_REASON = re.compile(r"[a-z_]{1,40}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]+")
_KINDS = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.DataError)
}
_MEMORY_WORDS = ("bad_alloc", "memoryerror", "out of memory", "cannot allocate")


@dataclasses.dataclass(frozen=True)
class Decoder:
    """`images.decode` in a helper process. Holds settings alone, so that it can be pickled and shared by threads.

    Attributes:
        max_pixels: the most pixels of a picture.
        timeout_seconds: how long one file may take.
    """

    max_pixels: int
    timeout_seconds: float = DEFAULT_TIMEOUT

    def decode(self, data: bytes, *, draft_size: int = 0, page: int = 0) -> Picture:
        """Decodes an image file as images.decode does.

        Raises:
            DataError: whatever images.decode raises, and DecodeError with the reasons above.
            PhotochromError: no helper can be started.
        """
        request = {"task": "decode", "max_pixels": self.max_pixels, "draft_size": draft_size, "page": page}
        return self._ask(request, data)

    def count_pages(self, data: bytes) -> int:
        """Counts the pages of a file as images.count_pages does.

        Raises:
            DataError: as `decode`.
        """
        return self._ask({"task": "count_pages"}, data)

    def _ask(self, request: dict[str, Any], data: bytes) -> Any:
        error, had_others = self._try(request, data, fresh=False)
        if had_others and _is_fault(error):
            error, _ = self._try(request, data, fresh=True)
        if isinstance(error, errors.DataError):
            raise error
        return error

    def _try(self, request: dict[str, Any], data: bytes, fresh: bool) -> tuple[Any, bool]:
        """Returns the result or the error, and whether the helper had worked for other files before."""
        with _pool.lend(fresh) as helper:
            had_others = helper.answered > 0
            try:
                answer = helper.ask(request, data, self.timeout_seconds, self.max_pixels)
                result = _result(answer, request["task"])
                if had_others and _is_fault(result):
                    helper.close()
                return result, had_others
            except TimeoutError:
                return self._timeout(), had_others
            except HelperDied as death:
                return self._timeout() if death.status == -signal.SIGALRM else _to_error(death), had_others
            except protocol.ProtocolError as error:
                helper.close()
                return _crashed(f"nonsense from the decoder: {error}"), had_others

    def _timeout(self) -> errors.DecodeError:
        text = f"decoding took longer than {self.timeout_seconds:g} s, which is the limit"
        text += "; prepare and colorize set it by --image_timeout"
        return errors.DecodeError(text, "decode_timeout")


def _is_fault(result: Any) -> bool:
    """Says whether it may be the fault of files before."""
    return isinstance(result, errors.DecodeError) and result.reason in ("decoder_crashed", "out_of_memory")


def _result(answer: dict[str, Any], task: str) -> Any:
    """Returns the picture, the count or the error that an answer holds."""
    if "error" in answer:
        return _data_error(answer["error"])
    if task == "decode":
        return protocol.to_picture(answer.get("picture"))
    pages = answer.get("pages")
    if type(pages) is not int or pages < 1:
        raise protocol.ProtocolError(f"{pages!r:.100} pages")
    return pages


def _data_error(said: Any) -> errors.DataError:
    if not isinstance(said, dict) or not all(isinstance(value, str) for value in said.values()):
        raise protocol.ProtocolError(f"an error {said!r:.100}")
    codes = said.get("reason", ""), said.get("stage", "")
    if not all(_REASON.fullmatch(code) for code in codes) or said.get("kind") not in _KINDS:
        raise protocol.ProtocolError(f"an error {said!r:.100}")
    return _KINDS[said["kind"]](said.get("message", "")[:_MAX_MESSAGE], *codes)


def _to_error(death: HelperDied) -> errors.DecodeError:
    if any(word in death.last_words.lower() for word in _MEMORY_WORDS):
        text = f"decoding took more memory than a picture of its size may: {_stable(death.last_words)}"
        return errors.DecodeError(text, "out_of_memory")
    how = signal.Signals(-death.status).name if death.status < 0 else f"exit status {death.status}"
    return _crashed(f"{how} {death.last_words}".strip())


def _crashed(text: str) -> errors.DecodeError:
    return errors.DecodeError(f"the decoder crashed on it: {_stable(text)}", "decoder_crashed")


def _stable(text: str) -> str:
    """Returns a text without addresses, which differ from run to run."""
    return _ADDRESS.sub("0x...", text)[:_MAX_MESSAGE]


class _Pool:
    """The helpers of this process."""

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(os.cpu_count() or 1)
        self._lock = threading.Lock()
        self._idle: list[Helper] = []
        self._all: set[Helper] = set()

    @contextlib.contextmanager
    def lend(self, fresh: bool) -> Iterator[Helper]:
        """Lends an idle helper, or a new one; waits while there is one at work for each core."""
        with self._slots:
            helper = self._take(fresh)
            try:
                yield helper
            except BaseException:  # an interrupt: it is in the middle of an answer
                helper.close()
                raise
            finally:
                self._put(helper)

    def _take(self, fresh: bool) -> Helper:
        with self._lock:
            helper = self._idle.pop() if self._idle and not fresh else None
        if helper and not helper.is_alive:
            self._drop(helper)
            helper = None
        if helper is None:
            helper = Helper()
            with self._lock:
                self._all.add(helper)
        return helper

    def _put(self, helper: Helper) -> None:
        if helper.is_alive and not helper.retired:
            with self._lock:
                self._idle.append(helper)
        else:
            self._drop(helper)

    def _drop(self, helper: Helper) -> None:
        helper.close()
        with self._lock:
            self._all.discard(helper)

    def close(self) -> None:
        """Ends the helpers that are idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for helper in idle:
            self._drop(helper)

    def forget(self) -> None:
        """Closes a forked child's copies of the pipes, which would keep the helpers alive after their parent."""
        for helper in self._all:
            helper.close_pipes()


_pool = _Pool()


def end_helpers() -> None:
    """Ends the helpers of this process that are idle; the next file starts new ones."""
    _pool.close()


def helper_pids() -> list[int]:
    """Returns the processes of the helpers, for those who measure them."""
    return sorted(helper.pid for helper in list(_pool._all))


def _after_fork() -> None:
    global _pool  # noqa: PLW0603
    _pool.forget()
    _pool = _Pool()


atexit.register(end_helpers)
os.register_at_fork(after_in_child=_after_fork)
