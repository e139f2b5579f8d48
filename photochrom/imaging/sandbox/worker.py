"""The program of a decoder helper: `python -m photochrom.imaging.sandbox.worker`, started by helper_process.py.

It reads a request and a file from its standard input, answers on its standard output, and ends with its input: when
the job dies, so does the helper. Before each file it limits its time and its memory. An alarm, which the kernel
delivers into native code as well, ends it a few seconds after the job's own timeout, in case the job is dead by then.

Its address space may grow by a gigabyte, some multiples of the file, and 64 bytes for each pixel; a file of at most
10 MB gets no more than 1.75 GiB, whatever its header claims. The pixels are those
that the header claims, rounded up to 4, 32 or 256 million (and so on), and not --max_pixels, which most files are far
below. So a small picture with a bomb in it (a tile, a profile, a text that unpacks to gigabytes) is stopped at little
more than the gigabyte, and a large one gets no more than --max_pixels allows. `decoding.decode` itself reads the claim:
it refuses a picture by its header if that is too large for the first of these limits, and then gets the next one.

Address space is limited on Linux alone; macOS ignores the limit.
"""

import contextlib
import functools
import logging
import os
import resource
import signal
import sys
from typing import IO, Any

from photochrom import errors
from photochrom.imaging import decoding
from photochrom.imaging.picture import Picture
from photochrom.imaging.sandbox import protocol
from photochrom.imaging.sandbox.protocol import Request

# For libraries and a decoder's own tables, bytes; cv2, tifffile and imagecodecs map 0.4 GB when imported.
_FIXED_BYTES = 1 << 30
_COPIES_OF_FILE = 8
# The most measured, over 28 kinds of files, is 28 a pixel (16 bit with a profile; JPEG 2000); JPEG takes 10 to 21.
_BYTES_PER_PIXEL = 64
_FIRST_PIXELS, _PIXEL_STEP = 4_000_000, 8
# The most for a small file, and for each byte that a larger one has more: no input of 10 MB takes 2.5 GB.
_SMALL_FILE_BYTES, _MOST_FOR_SMALL, _MOST_PER_BYTE = 10_000_000, 1792 << 20, 256
# A helper whose resident memory has grown by this much asks to be replaced, bytes.
_GROWN_BYTES = 512 << 20
# The helper's timeout is later than the job's by this, seconds.
_GRACE_SECONDS = 5.0
_PAGE_BYTES = resource.getpagesize()
_MEMORY_WORDS = ("out of memory", "insufficient memory", "cannot allocate", "failed to allocate", "bad_alloc",
                 "decoder error -9")  # fmt: skip  # Pillow's IMAGING_CODEC_MEMORY


def main() -> int:
    """Answers requests until the input ends; returns the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the job handles interrupts: it ends, and the worker's input with it
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # a DataError reports broken files
    answers, requests = _take_stdout(), os.fdopen(0, "rb", closefd=False)
    started_with = _memory()[1]
    with contextlib.suppress(BrokenPipeError):
        _send(answers, {"ready": True})
        while (request := _next_request(requests)) is not None:
            grown = _memory()[1] - started_with > _GROWN_BYTES
            signal.setitimer(signal.ITIMER_REAL, request.timeout_seconds + _GRACE_SECONDS)
            _limit_memory(_allowed_bytes(request.data_bytes, _FIRST_PIXELS))
            _send(answers, {**_answer(request, requests.read(request.data_bytes)), "retire": grown})
            signal.setitimer(signal.ITIMER_REAL, 0)
    return 0


def _take_stdout() -> int:
    """Returns the pipe to the job; from then on the output of libraries goes to standard error."""
    answers = os.dup(1)
    os.dup2(2, 1)
    return answers


def _send(answers: int, message: dict[str, Any]) -> None:
    parts = protocol.pack(message)
    while parts:  # one call for a small picture: the job wakes once
        parts = protocol.rest(parts, os.writev(answers, parts[: protocol.MAX_PARTS]))


def _next_request(requests: IO[bytes]) -> Request | None:
    length = requests.read(protocol.LENGTH_BYTES)
    return Request(**protocol.parse(requests.read(int.from_bytes(length, "big")))) if length else None


def _answer(request: Request, data: bytes) -> dict[str, Any]:
    """Runs a request; any exception of a decoder is the file's fault and becomes an error in the answer."""
    try:
        if request.task == "count_pages":
            return {"pages": decoding.count_pages(data)}
        picture = _decode(data, request.max_pixels, draft_size=request.draft_size, page=request.page)
        if not picture.pixels.size:
            raise errors.DecodeError("broken image: it has no pixels")
        return {"picture": picture}
    except Exception as error:
        return {"error": _describe(error)}


def _decode(data: bytes, max_pixels: int, **options: int) -> Picture:
    """Decodes with memory in proportion to the pixels that the header claims."""
    pixels = _FIRST_PIXELS
    while pixels < max_pixels:
        try:
            return decoding.decode(data, max_pixels=pixels, **options)
        except errors.TooLarge:
            pixels *= _PIXEL_STEP
            _limit_memory(_allowed_bytes(len(data), min(pixels, max_pixels)))
    return decoding.decode(data, max_pixels=max_pixels, **options)


def _allowed_bytes(data_bytes: int, pixels: int) -> int:
    """Returns the bytes that the address space may grow by, for a file of that size that claims these pixels."""
    most = _MOST_FOR_SMALL + _MOST_PER_BYTE * max(data_bytes - _SMALL_FILE_BYTES, 0)
    return min(_FIXED_BYTES + _COPIES_OF_FILE * data_bytes + _BYTES_PER_PIXEL * pixels, most)


def _describe(error: Exception) -> dict[str, str]:
    if _is_memory(error):
        text = f"decoding took more memory than a picture of its size may: {error}"
        error = errors.DecodeError(text, "out_of_memory")
    elif not isinstance(error, errors.DataError):
        error = errors.DecodeError(f"broken image: {errors.said(error)}")
    return {"kind": type(error).__name__, "message": str(error), "reason": error.reason, "stage": error.stage}


def _is_memory(error: BaseException | None) -> bool:
    """Whether an error or one of its causes is out of memory, in the words of any library."""
    while error is not None:
        if isinstance(error, MemoryError) or any(words in str(error).lower() for words in _MEMORY_WORDS):
            return True
        error = error.__cause__
    return False


def _limit_memory(more: int) -> None:
    """Lets the address space grow by `more` bytes from its present size."""
    size, hard = _memory()[0], resource.getrlimit(resource.RLIMIT_AS)[1]
    if size:
        limit = size + more if hard == resource.RLIM_INFINITY else min(size + more, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _memory() -> tuple[int, int]:
    """Returns address space and resident memory, bytes; zeros where there is no /proc."""
    try:
        size, resident = os.pread(_statm(), 200, 0).split()[:2]
    except OSError:
        return 0, 0
    return int(size) * _PAGE_BYTES, int(resident) * _PAGE_BYTES


@functools.lru_cache
def _statm() -> int:
    return os.open("/proc/self/statm", os.O_RDONLY)


if __name__ == "__main__":
    sys.exit(main())
