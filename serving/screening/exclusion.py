"""The exclusion list of colorize: restricted or sensitive items, which are listed but never read.

A line is a key, or a glob in fnmatch's syntax for the whole key, case-sensitive: `*` matches anything, slashes too,
`?` one character, `[...]` one of these, `[!...]` one of the others. A line that ends with a slash matches everything
below. An excluded archive includes its members, an excluded file its pages. In doubt the list wins: a name with
brackets in it excludes the file of that name too, and letters are compared by Unicode's NFC.

Keys are looked up in a set. A glob is tried only on keys that contain one sequence of four characters from it, the one
that occurs in the fewest other globs; fnmatch compiles it to atomic groups, so time grows with the length of a key
times that of a glob and no faster.
"""

import dataclasses
import fnmatch
import functools
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator

from photochrom import errors
from photochrom.sources import keys
from photochrom.storage import files

MAX_BYTES = 64 << 20
MAX_GLOBS = 10_000
_MAX_LINE = 4096
_WILDCARD = re.compile(r"\*|\?|\[!?\]?[^\]]*\]")
_GRAM = 4


class Patterns:
    """Keys and globs, compiled for matching keys."""

    def __init__(self, lines: Iterable[str]):
        """Args: lines: keys and globs; no comments, no blanks."""
        self._lines = {unicodedata.normalize("NFC", keys.with_normal_member(line)) for line in lines}
        self._globs: dict[str, list[str]] = {}  # four characters, or "" -> globs that contain them
        for line in sorted(self._lines):
            glob = _glob(line)
            if glob:
                asked = (gram for text in _WILDCARD.split(glob) for gram in _grams(text))
                rarest = min(asked, key=lambda gram: len(self._globs.get(gram, ())), default="")
                self._globs.setdefault(rarest, []).append(glob)
        self._compiled = {gram: _compile(globs) for gram, globs in self._globs.items()}

    def cover(self, key: str) -> bool:
        """Whether a key, the file of which it is a page, or the archive of which it is a member is excluded."""
        return any(name in self._lines or self._has_glob(name) for name in _wholes(key))

    def idle(self, excluded: Iterable[str]) -> list[str]:
        """Returns the lines that match none of these excluded keys, sorted: perhaps mistyped."""
        left = set(self._lines)
        globs = {gram: [(glob, _compile([glob])) for glob in group] for gram, group in self._globs.items()}
        for key in excluded:
            for name in _wholes(key):
                left.discard(name)
                for gram in globs.keys() & {"", *_grams(name)}:
                    fit = [glob for glob, compiled in globs[gram] if compiled.match(name)]
                    left -= {*fit, *(glob.removesuffix("*") for glob in fit if glob.endswith("/*"))}
                    globs[gram] = [one for one in globs[gram] if one[0] not in fit]
        return sorted(left)

    def _has_glob(self, name: str) -> bool:
        grams = self._compiled.keys() & {"", *_grams(name)} if self._compiled else ()
        return any(self._compiled[gram].match(name) for gram in grams)


def _grams(text: str) -> Iterator[str]:
    return (text[start : start + _GRAM] for start in range(len(text) - _GRAM + 1))


def _glob(line: str) -> str:
    """Returns the glob that a line is, or "" for a key."""
    glob = f"{line}*" if line.endswith("/") else line
    return glob if _WILDCARD.search(glob) else ""


def _compile(globs: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(fnmatch.translate, globs)))


def _wholes(key: str) -> Iterator[str]:
    """Yields a key in NFC, the key of the file of which it is a page, and those of the archives that may hold it."""
    key = unicodedata.normalize("NFC", key)
    yield key
    if (file := keys.of_file(key)) != key:
        yield file
    end = key.find(keys.SEPARATOR)
    while end >= 0:
        yield key[:end]
        end = key.find(keys.SEPARATOR, end + 1)


@dataclasses.dataclass(frozen=True)
class ExclusionList:
    """A list that was checked. Workers receive its path, and read it when they need it.

    Attributes:
        path: of the file; "" for none.
        sha256: digest of its content, hex.
    """

    path: str = ""
    sha256: str = ""

    def covers(self, key: str) -> bool:
        """Whether a key is excluded.

        Raises:
            PhotochromError: the file has changed since the start.
        """
        return bool(self.path) and _load(self.path, self.sha256).cover(key)

    def idle(self, excluded: Iterable[str]) -> list[str]:
        """Returns the lines that match none of these excluded keys."""
        return _load(self.path, self.sha256).idle(excluded) if self.path else []


def open_list(path: str) -> ExclusionList:
    """Reads and checks a list; "" gives an empty one.

    Raises:
        UsageError: it is missing, too large, no text, or exceeds the limits on lines or globs.
    """
    if not path:
        return ExclusionList()
    path = files.absolute(path)
    data = _read(path)
    count = sum(bool(_glob(line)) for line in _lines(path, data))
    if count > MAX_GLOBS:
        raise errors.UsageError(f"--exclude {path} has {count} globs, at most {MAX_GLOBS}; write keys, or fewer globs")
    return ExclusionList(path, hashlib.sha256(data).hexdigest())


@functools.lru_cache(maxsize=2)
def _load(path: str, sha256: str) -> Patterns:
    data = _read(path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise errors.PhotochromError(f"--exclude {path} has changed since the job began; run the same command again")
    return Patterns(_lines(path, data))


def _read(path: str) -> bytes:
    try:
        with files.open_read(path) as file:
            data = file.read(MAX_BYTES + 1)
    except Exception as error:  # the same message for any error of a file system
        raise errors.UsageError(f"--exclude {path} cannot be read: {error}; expected a text file of keys") from error
    if len(data) > MAX_BYTES:
        raise errors.UsageError(
            f"--exclude {path} has more than {MAX_BYTES >> 20} MiB; exclude folders by globs instead"
        )
    return data


def _lines(path: str, data: bytes) -> Iterator[str]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise errors.UsageError(f"--exclude {path} is no UTF-8 text (byte {error.start}); save it as UTF-8") from error
    for number, line in enumerate(map(str.strip, text.split("\n")), 1):
        if len(line) > _MAX_LINE:
            raise errors.UsageError(
                f"--exclude {path}, line {number}: {len(line)} characters, at most {_MAX_LINE}; expected a key or glob"
            )
        if line and not line.startswith("#"):
            yield line
