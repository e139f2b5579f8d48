"""model.json, the description of a bundle: read as untrusted input, every value of a known name checked."""

import dataclasses
import json
import math
import re
from collections.abc import Callable
from typing import Any

from photochrom.model import signature
from photochrom.storage.names import printable

FILE = "model.json"
# Version 2: the digest covers the description as well; version 1: the SavedModel's files alone.
FORMAT_VERSION = 2
READ_VERSIONS = (1, 2)
# The kinds of bundles, `kind` in model.json.
COLORIZER, FEATURES = "colorizer", "features"
# Bytes of a file; those that Photochrom writes have 3 KB.
MAX_BYTES = 1 << 20
_MAX_DEPTH = 16
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class _Rule:
    """The values that a name may have, in words and as a test."""

    expected: str
    fits: Callable[[Any], bool]


def _is_text(value: Any, length: int) -> bool:
    return isinstance(value, str) and len(value) <= length and printable(value) == value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return (_is_whole(value) and abs(value) < 1 << 63) or (isinstance(value, float) and math.isfinite(value))


def _is_simple(value: Any) -> bool:
    return value is None or isinstance(value, bool) or _is_number(value) or _is_text(value, 1000)


def _is_setting(value: Any) -> bool:
    many = value if isinstance(value, (list, tuple)) else (value,)
    return len(many) <= 1000 and all(map(_is_simple, many))


def _is_mapping(value: Any, fits: Callable[[Any], bool]) -> bool:
    return isinstance(value, dict) and all(_is_text(name, 100) and fits(one) for name, one in value.items())


_NAME = _Rule("printable text of 1 to 200 characters", lambda value: _is_text(value, 200) and bool(value))
_TEXT = _Rule("printable text of at most 1000 characters", lambda value: _is_text(value, 1000))
_SHA256 = _Rule("sha256: and 64 hex digits", lambda value: isinstance(value, str) and bool(_DIGEST.fullmatch(value)))
_TEXTS = _Rule("names with texts", lambda value: _is_mapping(value, _TEXT.fits))
_NUMBERS = _Rule("names with numbers", lambda value: _is_mapping(value, _is_number))
_RULES = {
    "name": _NAME,
    "version": _TEXT,
    "digest": _SHA256,
    "data_digest": _TEXT,
    "image_size": _Rule(
        f"a multiple of {signature.SIZE_STEP} px, at most {signature.MAX_IMAGE_SIZE}",
        lambda value: _is_whole(value) and 0 < value <= signature.MAX_IMAGE_SIZE and value % signature.SIZE_STEP == 0,
    ),
    "ab_stride": _Rule(f"one of {signature.STRIDES}", lambda value: _is_whole(value) and value in signature.STRIDES),
    "backbone": _TEXT,
    "backbone_weights": _Rule("a text, or names with texts", lambda value: _TEXT.fits(value) or _TEXTS.fits(value)),
    "weights_digest": _SHA256,
    "init": _TEXT,
    "licences": _TEXTS,
    "metrics": _NUMBERS,
    "calibration": _NUMBERS,
    "subsets": _Rule("names with numbers of each", lambda value: _is_mapping(value, _NUMBERS.fits)),
    "settings": _Rule(
        "names with numbers, texts, truth values or lists of them", lambda value: _is_mapping(value, _is_setting)
    ),
    "steps": _Rule("a whole number", lambda value: _is_whole(value) and 0 <= value < 1 << 63),
}
# The names without which a bundle cannot be used.
_REQUIRED = {
    COLORIZER: ("digest", "name", "image_size", "ab_stride"),
    FEATURES: ("digest", "backbone", "weights_digest"),
}


def parse(data: bytes) -> Any:
    """Returns the JSON of a description, its values unchecked.

    Raises:
        ValueError: it is larger than MAX_BYTES, no JSON in UTF-8, nested too deep, or has a NaN or an infinity.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES} bytes")
    try:
        found = json.loads(data.decode(), parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if not _is_shallow(found, _MAX_DEPTH):
        raise ValueError("it is nested too deep")
    return found


def _is_shallow(value: Any, levels: int) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(_is_shallow(part, levels - 1) for part in parts)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


def check_name(flag: str, name: str) -> None:
    """Raises ValueError if a bundle cannot have that name."""
    if not _NAME.fits(name):
        raise ValueError(f"{flag} is {name[:60]!r}, expected {_NAME.expected}")


def check(info: dict[str, Any], kind: str) -> None:
    """Checks that a description has the required names of its kind, and values that fit theirs.

    Raises:
        ValueError: names all values that do not fit.
    """
    wrong = [f"{name} is missing" for name in _REQUIRED[kind] if name not in info]
    wrong += [
        f"{name} is {_shown(info[name])}, expected {rule.expected}"
        for name, rule in _RULES.items()
        if name in info and not rule.fits(info[name])
    ]
    if wrong:
        raise ValueError("; ".join(wrong))


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
