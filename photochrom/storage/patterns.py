"""Patterns of object names, with the meaning of Python's glob.glob(recursive=True).

* and ? and [...] match within a part of the name and skip a leading dot; ** as a whole part matches any number of
parts.
"""

import fnmatch
import re

_MAGIC = re.compile(r"[*?\[]")


def is_pattern(name: str) -> bool:
    """Whether a name has a wildcard."""
    return bool(_MAGIC.search(name))


def fixed_start(pattern: str) -> str:
    """Returns the part of a pattern before its first wildcard."""
    return _MAGIC.split(pattern)[0]


def matches(pattern: str, name: str) -> bool:
    """Whether an object's name matches a pattern; a placeholder of a folder, which ends with a slash, never does."""
    return not name.endswith("/") and _match(tuple(pattern.split("/")), tuple(name.split("/")))


def _match(pattern: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    if not pattern:
        return not parts
    head, rest = pattern[0], pattern[1:]
    if head == "**" and not rest:
        return bool(parts) and not any(map(_is_hidden, parts))
    if head == "**":
        return _match(rest, parts) or (bool(parts) and not _is_hidden(parts[0]) and _match(pattern, parts[1:]))
    return bool(parts) and _matches_part(head, parts[0]) and _match(rest, parts[1:])


def _matches_part(pattern: str, part: str) -> bool:
    if not is_pattern(pattern):
        return pattern == part
    return fnmatch.fnmatchcase(part, pattern) and (_is_hidden(pattern) or not _is_hidden(part))


def _is_hidden(part: str) -> bool:
    return part.startswith(".")
