"""Names of files: which are safe below an output folder, and how untrusted ones are shown."""

import re
import unicodedata

from photochrom import errors

_DRIVE = re.compile(r"^[A-Za-z]:")


_MAX_NAME_BYTES = 1024


# Categories of Unicode: control and format characters, surrogates, unassigned ones, line and paragraph separators.
_HIDDEN = ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp")


def check_name(name: str) -> str:
    """Returns the member's or file's name if it stays below the folder that it is written to.

    Raises:
        UnsafeName: it is empty, absolute, has a drive letter, a `..`, a NUL or a backslash, or is too long.
    """
    problem = (
        "is empty" if not name
        else "has a NUL" if "\0" in name
        else "is absolute" if name.startswith("/")
        else "has a drive letter" if _DRIVE.match(name)
        else "has a backslash" if "\\" in name
        else "has '..' or an empty part" if any(part in ("", "..") for part in name.split("/"))
        else f"is longer than {_MAX_NAME_BYTES} bytes" if len(name.encode("utf-8", "surrogateescape")) > _MAX_NAME_BYTES
        else ""
    )  # fmt: skip
    if problem:
        raise errors.UnsafeName(f"the name {name[:100]!r} {problem}; expected a relative path below the archive")
    return name


def printable(text: str) -> str:
    """Returns text that can go into JSON, a terminal or a log: undecodable bytes and control characters escaped."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return "".join(f"\\x{ord(c):02x}" if unicodedata.category(c) in _HIDDEN else c for c in text)
