"""Settings of a job: one frozen dataclass that documents them, from which its flags are made."""

import argparse
import dataclasses
import hashlib
import json
import types
import typing
from typing import Any, TypeVar

from photochrom import errors

Settings = TypeVar("Settings")


def setting(help: str, default: Any = dataclasses.MISSING, *, group: str = "settings", **flag: Any) -> Any:
    """Returns a dataclass field that knows its flag.

    Args:
        help: what it does, with its unit; the default is added by the parser.
        default: the default; without one the flag is required.
        group: the heading under which `--help` lists it.
        **flag: passed to `add_argument` (choices, metavar, action ...).
    """
    return dataclasses.field(default=default, metadata={"help": help, "group": group, "flag": flag})


def add_flags(parser: argparse.ArgumentParser, cls: type) -> None:
    """Adds a flag for each field of the settings dataclass `cls`, under the headings of its groups."""
    groups: dict[str, Any] = {}
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        title = field.metadata["group"]
        group = groups.get(title) or groups.setdefault(title, parser.add_argument_group(title))
        group.add_argument(f"--{field.name}", **_argument(field, hints[field.name]))


def _argument(field: dataclasses.Field, hint: Any) -> dict[str, Any]:
    flag = dict(field.metadata["flag"])
    if field.default is dataclasses.MISSING:
        flag["required"] = True
    else:
        flag["default"] = field.default
    text = field.metadata["help"].replace("%", "%%")
    shown = field.default is not dataclasses.MISSING and field.default not in ((), "", None)
    flag["help"] = f"{text} (default: %(default)s)" if shown else text
    if hint is bool:
        flag["action"] = argparse.BooleanOptionalAction
    elif typing.get_origin(hint) is tuple:
        flag["action"] = "append"
        flag["type"] = typing.get_args(hint)[0]
        if "default" in flag:
            flag["default"] = list(flag["default"])  # argparse appends to a copy of it
    else:
        flag.setdefault("type", _optional(hint))
        flag.setdefault("metavar", _optional(hint).__name__.upper() if "choices" not in flag else None)
    return flag


def _optional(hint: Any) -> Any:
    """Returns T for T | None, else the hint."""
    if isinstance(hint, types.UnionType):
        return next(t for t in typing.get_args(hint) if t is not type(None))
    return hint


def from_flags(cls: type[Settings], flags: argparse.Namespace) -> Settings:
    """Builds the settings from parsed flags.

    Raises:
        UsageError: what the settings' own checks say.
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
