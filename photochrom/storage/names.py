"""Names of files: which are safe below an output folder, and how untrusted ones are shown."""

import re
import unicodedata

from photochrom import errors

_DRIVE = re.compile(r"^[A-Za-z]:")


_MAX_NAME_BYTES = 1024


# Characters that are escaped: controls, format characters, surrogates, line and paragraph separators, noncharacters. A
# table of its own, of Unicode 15.1: the one of the interpreter changes with its version, and keys would change with it.
_HIDDEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff\U000110bd\U000110cd\U00013430-\U0001343f"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f"
    + "".join(chr(plane << 16 | end) for plane in range(1, 17) for end in (0xFFFE, 0xFFFF))
    + "]"
)

_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2,4})|u[0-9a-f]{4}|U00(?:0[0-9a-f]|10)[0-9a-f]{4})")


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


def parts_below(name: str) -> list[str]:
    """Returns the parts of the untrusted path of a file, relative to the folder that it must not leave.

    Raises:
        PhotochromError: it is empty, absolute, ends with a slash or a dot, or has a NUL or a `..`.
    """
    parts = name.split("/")
    if "" in parts or ".." in parts or "\0" in name or parts[-1] == ".":
        raise errors.PhotochromError(f"{name[:300]!r} leads out of its folder; expected a relative path of a file")
    return parts


def join_below(folder: str, name: str) -> str:
    """Returns the path of a file in a bucket, by its untrusted path relative to a folder.

    Raises:
        PhotochromError: it leaves the folder.
    """
    return "/".join([folder.rstrip("/"), *parts_below(name)])


def folded(path: str) -> str:
    """Returns a path as file systems compare it that ignore case, Unicode's normal form, or both.

    Two paths are equal so if they are a canonical caseless match (Unicode 16.0, section 3.13, D145).
    """
    plain = "/".join(part for part in path.split("/") if part not in ("", "."))
    if plain.isascii():  # which is in all normal forms, and most paths are
        return plain.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", plain).casefold())


def printable(text: str) -> str:
    r"""Returns text that can go into JSON, XML, a terminal or a log: hidden characters escaped, as \x0a.

    Undecodable bytes, which are surrogates in a string, are escaped as \udce9. No escape is the start of another one.
    """
    return _HIDDEN.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    digits = f"{code:02x}"
    if 0xD800 <= code <= 0xDFFF:
        return f"\\u{digits}"
    if code > 0xFFFF or (code > 0xFF and _HIDDEN.match(chr(int(digits[:2], 16)))):
        return f"\\U{code:08x}"
    return f"\\x{digits}"


def inert(text: str) -> str:
    """Returns a text that no spreadsheet takes for a formula. Source: OWASP, CSV Injection."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text


def unescaped(text: str) -> str:
    """Returns the name that a printable text, or a part of a key, was made from."""
    return _ESCAPE.sub(_unescape, text)


def _unescape(match: re.Match[str]) -> str:
    digits = match[0][2:]
    if not match[1]:
        return chr(int(digits, 16))
    # No escape is the start of another one; those of other characters, which keys have, are of two digits.
    lengths = (length for length in range(2, len(digits) + 1) if _HIDDEN.match(chr(int(digits[:length], 16))))
    end = next(lengths, 2)
    return chr(int(digits[:end], 16)) + digits[end:]
