"""Checks of untrusted JSON against the fields of a dataclass."""

import dataclasses
from collections.abc import Callable
from typing import Any

# Fields with a default that every version wrote.
_ALWAYS = frozenset(
    ("reason", "stage", "message", "output", "output_sha256", "source_sha256", "model_digest", "settings_digest",
     "format", "confidence", "notes", "reasons")
)  # fmt: skip


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and _is_encodable(value)


def _is_encodable(text: str) -> bool:
    """Whether UTF-8 can hold a text: JSON can state half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def is_texts(value: Any) -> bool:
    """Whether a JSON value is a list of texts."""
    return isinstance(value, list) and all(map(_is_text, value))


def _is_dict(value: Any, is_value: Callable[[Any], bool]) -> bool:
    return isinstance(value, dict) and all(_is_text(name) and is_value(one) for name, one in value.items())


# Type of a field -> the expectation in words, and the check of its JSON.
_CHECKS: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    str: ("a text", _is_text),
    int: ("a whole number of at least 0", _is_count),
    float: ("a number", lambda value: type(value) in (int, float)),
    tuple[str, ...]: ("a list of texts", is_texts),
    dict[str, str]: ("an object of texts", lambda value: _is_dict(value, _is_text)),
    dict[str, int]: ("an object of whole numbers", lambda value: _is_dict(value, _is_count)),
}


def checked(kind: Any, value: Any) -> dict[str, Any]:
    """Returns the fields of a dataclass that an untrusted JSON value has; fields that `kind` does not know are dropped.

    Raises:
        ValueError: one is missing or of another type.
    """
    if not isinstance(value, dict):
        raise ValueError(f"is {str(value)[:40]!r}, expected a JSON object")
    found = {}
    for field in dataclasses.fields(kind):
        expected, is_right = _CHECKS[field.type]
        if field.name not in value:
            if field.name in _ALWAYS or field.default is field.default_factory:  # both are MISSING
                raise ValueError(f"has no {field.name}")
        elif not is_right(value[field.name]):
            raise ValueError(f"{field.name} is {str(value[field.name])[:40]!r}, expected {expected}")
        else:
            found[field.name] = value[field.name]
    return found
