"""The names of the copies: each key of a run has a path of its own, also where the file system ignores case.

A copy's path is images/ and the parts of its key; docs/formats.md has the rules for parts that get a `~`. By them

- no folder has the name of a file: a file's name ends like a picture, a folder's does not;
- no folder of loose files has the path of an archive;
- two paths are never equal, case and Unicode normal form aside. Keys whose plain paths would be (twins) are marked by
  digits of their digests, and all claims to such a path are in one group: so one worker sees them together.

`serving.copies.formats` adds the suffix of a copy's format, `kept_name` that of a file that is copied as it is.
"""

import collections
import functools
import itertools
import re
from collections.abc import Iterable

from photochrom.imaging import decoding, picture
from photochrom.sources import keys
from photochrom.storage.names import folded
from serving.copies import formats
from serving.manifest import layout

_PAGE = re.compile(r"#page=\d{4,}$")
# Parts that listings take for an unfinished file, or readers of bags for a line break; the same with marks.
_RESERVED = ((re.compile(r"\.(?=~*photochrom-tmp-)"), ".~"), (re.compile("%(?=(?:25)*0[ad])", re.IGNORECASE), "%25"))
# Parts that no file or folder may have as its name, and the same with marks.
_NO_NAME = re.compile(r"\.{0,2}~*")
# The ends of the names of files that a run may write, or of archives, and the same with marks.
_ENDS = "|".join(map(re.escape, sorted(decoding.IMAGE_SUFFIXES | formats.SUFFIXES)))
_LIKE_A_FILE = re.compile(rf".*(?:{_ENDS}|{keys.ARCHIVE_SUFFIX}|{re.escape(formats.MARK)}\.[^.]*)~*", re.IGNORECASE)
# The suffix of a path, which may be "", and what distinguishes twins before it.
_SUFFIX = re.compile(r"(?:\.[^./]*)?$")
_DIGITS = re.compile(rf"~[0-9a-f]{{8}}{_SUFFIX.pattern}", re.IGNORECASE)


def group(key: str) -> str:
    """Returns a text that all keys share which may claim one path: the pages of a file, and twins of any of them."""
    return _PAGE.sub("", folded(plain_path(key)), count=1)


def of_whole_file(key: str) -> str:
    """Returns the name by which a page's key claims the path of a copy of its whole file."""
    file = keys.of_file(key)
    return f"{file}#page=0000" if _PAGE.search(file) else file  # the page of that number of another file exists


def paths(claims: Iterable[str]) -> dict[str, str]:
    """Returns claim -> path below the output folder, of a copy whose name needs no suffix.

    Args:
        claims: all keys, and names by `of_whole_file`, of one group.
    """
    alike: dict[str, dict[str, str]] = collections.defaultdict(dict)
    for claim in sorted(set(claims)):
        path = plain_path(claim)
        alike[folded(path)][claim] = path
    return {claim: path for twins in alike.values() for claim, path in _distinguished(twins).items()}


def plain_path(claim: str) -> str:
    """Returns the path of a claim that has no twins: an injective function, but for case and normal form."""
    for reserved, replacement in _RESERVED:
        claim = reserved.sub(replacement, claim)
    archive, member = keys.split_member(claim)
    *folders, name = archive.split("/")
    folders = [*map(_as_folder, folders)]
    if archive != claim:
        *inner, last = member.split("/")
        folders, name = [*folders, name, *map(_as_folder, inner)], last
    return "/".join([layout.IMAGES, *folders, f"{name}~" if _NO_NAME.fullmatch(name) else name])


@functools.lru_cache(1 << 12)
def _as_folder(part: str) -> str:
    return f"{part}~" if _LIKE_A_FILE.fullmatch(folded(part)) or _NO_NAME.fullmatch(part) else part


def _distinguished(twins: dict[str, str]) -> dict[str, str]:
    """Returns the paths of claims whose plain paths are alike; a single one stays, unless it looks like a twin's."""
    if len(twins) == 1 and not any(map(_DIGITS.search, twins.values())):
        return twins
    found, used = {}, set[str]()
    for claim, path in twins.items():
        seeds = (f"~{keys.digest(claim, seed) & 0xFFFFFFFF:08x}" for seed in itertools.count())
        digits = next(one for one in seeds if one not in used)  # two alike may be made on purpose
        used.add(digits)
        end = _SUFFIX.search(path).start()  # type: ignore[union-attr]
        found[claim] = f"{path[:end]}{digits}{path[end:]}"
    return found


def is_name(name: str, path: str) -> bool:
    """Whether a copy whose path is one of `paths` may have a name, in one of the formats."""
    is_plain = name == path and formats.ends_in(path, decoding.IMAGE_SUFFIXES)
    return is_plain or (name.startswith(path) and name in names(path))


def names(path: str) -> list[str]:
    """Returns the possible names of a copy whose path is one of `paths`: any result of `file_name` or `kept_name`."""
    coloured = (formats.file_name(path, format) for format in formats.FORMATS.values())
    return sorted({*coloured, *(kept_name(path, format) for format in picture.FORMATS)})


def kept_name(path: str, format: str) -> str:
    """Returns the name of an input that is copied as it is: with a suffix added where it has none, or has the mark.

    Args:
        path: one of `paths`.
        format: of the input, one of `picture.FORMATS`.
    """
    if formats.ends_in(path, decoding.IMAGE_SUFFIXES):
        return path
    own = path[path.rfind(".") :].lower()
    known = formats.FORMATS[format].suffixes[0] if format in formats.FORMATS else f".{format.lower()}"
    return path + formats.MARK + (own if own in decoding.IMAGE_SUFFIXES else known)
