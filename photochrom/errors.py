"""The exceptions that cross module borders.

PhotochromError            exit status 1: of this project or of the engine
├── UsageError             exit status 2: a flag, an input or a folder does not fit (also a ValueError)
│   └── BucketError        a bucket of Google Cloud Storage does not serve (also an OSError)
│       ├── NoBucket       there is none of that name (also a FileNotFoundError)
│       ├── Denied         the credentials do not give the right (also a PermissionError)
│       └── NoCredentials  there are none, or they are not accepted (also a PermissionError)
├── TooManyFailures        exit status 3: the job finished, more inputs failed than allowed
├── NothingDone            exit status 3: the job finished, and none of its inputs is done
└── DataError              bad data: fails that input alone and records its `reason`
    ├── ReadError          unreadable: the file or the archive member could not be read
    ├── UnsafeName         unsafe_name: a member's name would leave the output folder
    ├── Excluded           excluded: on the exclusion list; the input is skipped, nothing is broken
    ├── Ignored            hidden, system_file, link_loop: no scan; the input is skipped, nothing is broken
    ├── NotAnImage         not_an_image: the content is no image of a format on the allow-list
    ├── DecodeError        undecodable: an image, but broken
    │                      unsupported_format: a picture format that is known by name, and not read
    │                      unsupported_depth, unsupported_range, unsupported_colour, unsupported_compression: whole,
    │                      but its samples, their range, its colour space or its compression are not read
    │                      no_such_page: fewer pages than that
    │                      decoder_crashed, decode_timeout, out_of_memory: its decoder process ended with it
    ├── TooLarge           too_large: more pixels or bytes than the limit
    ├── TooSmall           too_small: fewer pixels than the job can use
    ├── Uncolored          uncolored: the model found next to no colour; the input is skipped, nothing is broken
    ├── Colourless         grayscale, toned: no colour to learn from
    └── ModelError         inference: the model failed on this image
                           out_of_memory: out of memory in the model, even for this image alone and small
"""

import dataclasses
import re
import struct
from typing import Any

# The reasons of Ignored.
IGNORED = frozenset(("hidden", "system_file", "link_loop"))


class PhotochromError(Exception):
    """Base of all errors that this project raises on purpose."""

    exit_status = 1


class UsageError(PhotochromError, ValueError):
    """A flag, an input or an output folder does not fit; nothing was started."""

    exit_status = 2


class BucketError(UsageError, OSError):
    """A bucket is missing, access is denied, or there are no credentials: no retry would help."""

    def __init__(self, message: str):
        super().__init__(message)
        self._message = message

    def __str__(self) -> str:
        return self._message


class NoBucket(BucketError, FileNotFoundError):
    """There is no bucket of that name."""


class Denied(BucketError, PermissionError):
    """The credentials do not give the right."""


class NoCredentials(BucketError, PermissionError):
    """There are no credentials, or they are not accepted."""


class TooManyFailures(PhotochromError):
    """The job finished, but more inputs failed than its limit allows."""

    exit_status = 3


class NothingDone(PhotochromError):
    """The job finished, but none of its inputs is done."""

    exit_status = 3


class DataError(PhotochromError):
    """Bad data. `stage` and `reason` are short codes for counting, the message is for people."""

    stage = "decode"
    reason = "bad_data"

    def __init__(self, message: str, reason: str = "", stage: str = ""):
        super().__init__(message)
        self.reason = reason or self.reason
        self.stage = stage or self.stage

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.reason, self.stage)


class ReadError(DataError):
    """The file or the archive member could not be read."""

    stage = "read"
    reason = "unreadable"


class UnsafeName(DataError):
    """A member's name would leave the output folder."""

    stage = "list"
    reason = "unsafe_name"


class Excluded(DataError):
    """The input is on the exclusion list."""

    stage = "list"
    reason = "excluded"


class Ignored(DataError):
    """A file that is no scan: hidden, or of an operating system."""

    stage = "list"
    reason = "hidden"


class NotAnImage(DataError):
    """The content is no image of a format on the allow-list."""

    reason = "not_an_image"


class DecodeError(DataError):
    """An image, but broken, without the page asked for, or of a kind that is not read."""

    reason = "undecodable"


class TooLarge(DataError):
    """More pixels or bytes than the limit allows."""

    reason = "too_large"


class TooSmall(DataError):
    """Fewer pixels than the job can use."""

    reason = "too_small"


class Colourless(DataError):
    """No colour to learn from; the reason is `grayscale` or `toned`."""

    stage = "screen"
    reason = "grayscale"


class Uncolored(DataError):
    """The model found next to no colour: not enough for a coloured copy."""

    stage = "compose"
    reason = "uncolored"


class ModelError(DataError):
    """The model failed on this image; the reason is `out_of_memory` where memory was the only problem."""

    stage = "infer"
    reason = "inference"


# Errors that Python itself raises where broken data surprises a library, and the words of its ValueErrors.
_OF_PYTHON = (
    TypeError, ArithmeticError, AssertionError, AttributeError, LookupError, NameError, NotImplementedError,
    RecursionError, UnicodeError, struct.error,
)  # fmt: skip
_WORDS_OF_PYTHON = re.compile(
    r"\w\(\)|NoneType|\bobject\b|\bargument\b|not iterable|invalid literal|unpack|could not convert|embedded null"
    r"|buffer|broadcast|reshape|base 10|\bself\."
)
_QUOTED_BYTES = re.compile(r"""\bb'[^']*'|\bb"[^"]*\"|\bbytearray\(.*\)""")


def said(error: BaseException) -> str:
    """Returns what a library says about bad data, for a row: neither Python's own words nor bytes of the data."""
    text = _QUOTED_BYTES.sub("...", " ".join(str(error).split()))
    is_of_python = isinstance(error, ValueError) and _WORDS_OF_PYTHON.search(text)
    if is_of_python or isinstance(error, _OF_PYTHON):
        return f"unexpected content ({type(error).__name__})"
    return text[:500] or type(error).__name__


@dataclasses.dataclass(frozen=True, order=True)
class Failure:
    """The reason why one input failed: never holds the bytes themselves."""

    key: str
    stage: str
    reason: str
    message: str

    @classmethod
    def of(cls, key: str, error: DataError) -> "Failure":
        """Returns the failure that `error` means for `key`."""
        return cls(key, error.stage, error.reason, str(error))

    def to_error(self) -> DataError:
        """Returns an error with the same content."""
        return DataError(self.message, self.reason, self.stage)
