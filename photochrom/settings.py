"""Settings of a job: one frozen dataclass that documents and checks them, and the command line made from it."""

import argparse
import dataclasses
import hashlib
import json
import operator
import types
import typing
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from photochrom import errors
from photochrom.flags import CONFIG, Parser
from photochrom.storage.names import printable

Settings = TypeVar("Settings")
_MOST_TEXT = 2000  # characters


# Limit -> the test that a value has to pass, and its words in a message.
_LIMITS = {
    "at_least": (operator.ge, "at least {}"),
    "above": (operator.gt, "above {}"),
    "at_most": (operator.le, "at most {}"),
    "below": (operator.lt, "below {}"),
    "multiple_of": (lambda value, step: value % step == 0, "a multiple of {}"),
    "choices": (lambda value, choices: value in choices, "one of {}"),
}


def setting(
    help: str,
    default: Any = dataclasses.MISSING,
    *,
    group: str = "settings",
    metavar: str | None = None,
    unit: str = "",
    **limits: Any,
) -> Any:
    """Returns a dataclass field that knows its flag and its limits, which `check` tests.

    Args:
        help: effect of the setting, with its unit; the parser adds the default.
        default: the default; without one the flag is required.
        group: the heading under which `--help` lists it.
        metavar: the name of the value in `--help`; by default its type.
        unit: unit of the limits, for messages.
        **limits: any of `at_least`, `above`, `at_most`, `below`, `multiple_of` (numbers) and `choices` (a tuple).
    """
    unknown = limits.keys() - _LIMITS.keys()
    if unknown:
        raise TypeError(f"unknown limits {sorted(unknown)}, expected some of {sorted(_LIMITS)}")
    metadata = {"help": help, "group": group, "metavar": metavar, "unit": unit, "limits": limits}
    return dataclasses.field(default=default, metadata=metadata)


def check(values: Any) -> None:
    """Checks a settings dataclass against the limits of its fields; for `__post_init__`.

    Raises:
        ValueError: names the flag, the value and the limits.
    """
    for field in dataclasses.fields(values):
        limits, unit = field.metadata["limits"], field.metadata["unit"]
        value = getattr(values, field.name)
        if value is not None and not all(_LIMITS[name][0](value, limit) for name, limit in limits.items()):
            expected = " and ".join(_expectations(limits))
            raise ValueError(f"--{field.name} is {value!r}, expected {expected}{unit and ' '}{unit}")


def check_lines(values: Any, names: Iterable[str]) -> None:
    """Checks that settings are short texts of one line, which cards and documents show.

    Raises:
        ValueError: names the flag and the text.
    """
    for name in names:
        text = getattr(values, name)
        if printable(text) != text or len(text) > _MOST_TEXT:
            raise ValueError(
                f"--{name} is {printable(text)[:100]!r}, expected at most {_MOST_TEXT} characters on one line"
            )


def _expectations(limits: dict[str, Any]) -> Iterator[str]:
    for name, limit in limits.items():
        yield _LIMITS[name][1].format(", ".join(map(str, limit)) if name == "choices" else limit)


def parser(command: str, description: str, epilog: str = "", cls: type | None = None) -> Parser:
    """Returns the parser of `photochrom COMMAND`, with the flags of the settings dataclass `cls`."""
    made = Parser(
        prog=f"photochrom {command}",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(CONFIG, metavar="FILE", help="TOML file of flags; flags beside it replace its own")
    if cls:
        add_flags(made, cls)
    return made


def add_flags(parser: argparse.ArgumentParser, cls: type) -> None:
    """Adds a flag for each field of the settings dataclass `cls`, under the headings of its groups."""
    groups: dict[str, Any] = {}
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        title = field.metadata["group"]
        group = groups.get(title) or groups.setdefault(title, parser.add_argument_group(title))
        group.add_argument(f"--{field.name}", **_argument(field, hints[field.name]))


def _argument(field: dataclasses.Field, hint: Any) -> dict[str, Any]:
    flag: dict[str, Any] = {"choices": field.metadata["limits"].get("choices")}
    if field.default is dataclasses.MISSING:
        flag["required"] = True
    else:
        flag["default"] = field.default
    text = field.metadata["help"].replace("%", "%%")
    shown = field.default is not dataclasses.MISSING and field.default not in ((), "", None)
    flag["help"] = f"{text} (default: %(default)s)" if shown else text
    if _optional(hint) is bool:
        flag["action"] = argparse.BooleanOptionalAction
        del flag["choices"]
    elif typing.get_origin(hint) is tuple:
        flag["action"] = "append"
        flag["metavar"] = field.metadata["metavar"]
        flag["type"] = typing.get_args(hint)[0]
        if "default" in flag:
            flag["default"] = list(flag["default"])  # argparse appends to a copy of it
    else:
        flag["type"] = _optional(hint)
        named = field.metadata["metavar"] or flag["choices"]
        flag["metavar"] = field.metadata["metavar"] if named else _optional(hint).__name__.upper()
    return flag


def _optional(hint: Any) -> Any:
    """Returns T for T | None, else the hint."""
    if isinstance(hint, types.UnionType):
        return next(t for t in typing.get_args(hint) if t is not type(None))
    return hint


def from_flags(cls: type[Settings], flags: argparse.Namespace) -> Settings:
    """Builds the settings from parsed flags.

    Raises:
        UsageError: a value that the settings refuse.
    """
    values = {field.name: getattr(flags, field.name) for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    try:
        return cls(**values)
    except ValueError as error:
        raise errors.UsageError(str(error)) from error


def digest(values: Any) -> str:
    """Returns a digest of anything that JSON can hold: `sha256:` and 64 hex digits."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
