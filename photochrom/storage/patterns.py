"""Patterns of object names, with the meaning of Python's glob.glob(recursive=True).

* and ? and [...] match within a part of the name and skip a leading dot; ** as a whole part matches any number of
parts.
"""

import fnmatch
import re

_MAGIC = re.compile(r"[*?\[]")
_ESCAPED = re.compile(r"\[([*?\[])\]")


def is_pattern(name: str) -> bool:
    """Whether a name has a wildcard."""
    return bool(_MAGIC.search(name))


def escape(name: str) -> str:
    """Returns the pattern that matches this name alone."""
    return _MAGIC.sub(lambda match: f"[{match[0]}]", name)


def split(pattern: str) -> tuple[str, str]:
    """Returns the folder without wildcards at the start of a pattern, with a slash at its end or "", and the rest."""
    parts = pattern.split("/")
    literal = [_ESCAPED.sub(r"\1", part) for part in parts[:-1]]
    count = next((i for i, part in enumerate(literal) if escape(part) != parts[i]), len(literal))
    return "".join(f"{part}/" for part in literal[:count]), "/".join(parts[count:])


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
