"""Decodes images in a helper process: a hostile or broken file costs that file, never the job.

`decoding.decode` calls native code (libjpeg, libtiff, libwebp, openjpeg ...) on untrusted bytes. In the job's own
process a segmentation fault would end the job, an endless loop would stop it, and a decompression bomb would take the
machine's memory. So all decoding goes through `Decoder`, and a file that kills, stalls or bloats the helper is a
DecodeError:

    decoder_crashed   the helper ended by a signal, or gave an invalid answer
    decode_timeout    no answer in time; the helper was killed
    out_of_memory     more memory than a picture of its claimed size may take (see worker.py)

Helpers are few and live long (see pool.py). Earlier files may have damaged or filled a used helper: a file that crashes
it or runs out of memory in it is tried once more, in a new one. So the answer does not depend on the files before.

Cost, against decoding.decode in the same process, on two cores with other load: CONTRIBUTING.md has the table. A plain
pipe was kept: memory shared between the two processes would save one of two copies.
"""

import dataclasses
import re
import signal
import time
from typing import Any

from photochrom import errors
from photochrom.imaging.picture import Picture
from photochrom.imaging.sandbox import pool, protocol
from photochrom.imaging.sandbox.helper_process import Helper, HelperDied
from photochrom.imaging.sandbox.protocol import Request

# Seconds that one file may take.
DEFAULT_TIMEOUT = 120
_LEAST_SECONDS = 1.0
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
    """`decoding.decode` in a helper process. Has settings alone, so it can be pickled and shared by threads.

    Attributes:
        max_pixels: the most pixels of a picture.
        timeout_seconds: for reading and decoding one file.
        spent_seconds: those that reading has taken.
    """

    max_pixels: int
    timeout_seconds: float = DEFAULT_TIMEOUT
    spent_seconds: float = 0.0

    def after(self, spent_seconds: float) -> "Decoder":
        """Returns a decoder for a file whose reading has taken a part of the time."""
        return dataclasses.replace(self, spent_seconds=spent_seconds)

    def decode(self, data: bytes, *, draft_size: int = 0, page: int = 0) -> Picture:
        """Decodes an image file as decoding.decode does.

        Raises:
            DataError: as decoding.decode, and DecodeError with the reasons above.
            PhotochromError: no helper can be started.
        """
        return self._ask(Request("decode", len(data), self.max_pixels, self._seconds_left, draft_size, page), data)

    def count_pages(self, data: bytes) -> int:
        """Counts the pages of a file as decoding.count_pages does.

        Raises:
            DataError: as `decode`.
        """
        return self._ask(Request("count_pages", len(data), self.max_pixels, self._seconds_left), data)

    @property
    def _seconds_left(self) -> float:
        return max(self.timeout_seconds - self.spent_seconds, _LEAST_SECONDS)

    def _ask(self, request: Request, data: bytes) -> Any:
        for fresh in (False, True):
            with pool.lend(fresh) as helper:
                begun, was_used = time.monotonic(), helper.answered > 0
                result = self._try(helper, request, data)
                if not (was_used and _may_be_of_earlier_files(result)):
                    break
                helper.close()
            # The second try has the rest of the time.
            left = request.timeout_seconds - (time.monotonic() - begun)
            request = dataclasses.replace(request, timeout_seconds=max(left, _LEAST_SECONDS))
        if isinstance(result, errors.DataError):
            try:
                raise result
            finally:
                del result  # or this frame keeps the file, and its error keeps the frame, until garbage is collected
        return result

    def _try(self, helper: Helper, request: Request, data: bytes) -> Any:
        """Returns the result or the error."""
        try:
            return _result(helper.ask(request, data), request.task)
        except TimeoutError:
            return self._timeout()
        except HelperDied as death:
            return self._timeout() if death.status == -signal.SIGALRM else _to_error(death)
        except protocol.ProtocolError as error:
            helper.close()
            return _crashed(f"invalid answer of the decoder: {error}")

    def _timeout(self) -> errors.DecodeError:
        text = f"reading and decoding took longer than {self.timeout_seconds:g} s, which is the limit"
        text += "; prepare and colorize set it by --image_timeout"
        return errors.DecodeError(text, "decode_timeout")


def _may_be_of_earlier_files(result: Any) -> bool:
    """Whether earlier files may have caused the error: they can damage or fill a helper."""
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
