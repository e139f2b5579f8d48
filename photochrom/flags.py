"""The parser of a command: bad usage is one line that names the nearest flag, and a hyphen counts as an underscore."""

import argparse
import difflib
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from photochrom import errors

# Similarity of two names, 0 to 1, from which on one may be meant by the other: --out and --output have 0.77.
_SIMILAR = 0.7


# The flag that `with_file` replaces before a parser sees it.
CONFIG = "--config"
_MAXCONFIG_BYTES = 1 << 20


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises UsageError; the caller prints it."""

    def __init__(self, **settings: Any):
        """Args: settings: those of ArgumentParser."""
        super().__init__(allow_abbrev=False, **settings)
        self._given: list[str] = []

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parses all arguments.

        Raises:
            UsageError: one is unknown or missing, or has a value that does not fit.
        """
        flags, unknown = self.parse_known_args(args, namespace)
        if unknown:
            raise errors.UsageError(describe_unknown(unknown[0], names(self)))
        return flags

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parses the arguments that it knows; raises as `parse_args` does, and returns the others as well."""
        self._given = spelled(self, sys.argv[1:] if args is None else args)
        return super().parse_known_args(self._given, namespace)

    def _check_value(self, action: Any, value: Any) -> None:
        near = _nearest(value, action.choices) if action.choices is not None and isinstance(value, str) else ""
        if near and not action.option_strings:
            raise errors.UsageError(f"there is no {action.dest} {value!r}, did you mean {near}?")
        super()._check_value(action, value)

    def error(self, message: str) -> NoReturn:
        known = names(self)
        strange = [arg.partition("=")[0] for arg in self._given if arg.startswith("--") and arg != "--"]
        hints = [f"; instead of {one}, did you mean {near}?" for one in strange if (near := _nearest(one, known))]
        raise errors.UsageError(message + "".join(hints))


def names(parser: argparse.ArgumentParser) -> list[str]:
    """Returns the flags of a parser, with their hyphens."""
    return [name for name in parser._option_string_actions if name.startswith("--")]


def spelled(parser: argparse.ArgumentParser, args: Sequence[str]) -> list[str]:
    """Returns arguments with the flags of a parser spelled as it does: a hyphen counts as an underscore."""
    known = {_underscored(name): name for name in names(parser)}
    end = args.index("--") if "--" in args else len(args)
    return [*(_spelled(arg, known) for arg in args[:end]), *args[end:]]


def _spelled(arg: str, known: dict[str, str]) -> str:
    name, equals, value = arg.partition("=")
    return known.get(_underscored(name), name) + equals + value


def _underscored(name: str) -> str:
    return name[:2] + name[2:].replace("-", "_")


def describe_unknown(arg: str, known: Iterable[str]) -> str:
    """Returns the message about an argument that no parser knows."""
    name = arg.partition("=")[0]
    if not name.startswith("--"):
        return f"unexpected argument {arg[:100]!r}: expected flags such as --output=DIR; see --help"
    nearest = _nearest(name, known)
    return f"unknown flag {name!r}" + (f", did you mean {nearest}?" if nearest else "; see --help")


def _nearest(name: str, known: Iterable[str]) -> str:
    """Returns the most similar flag, "" for none and for a known one."""
    known = list(known)
    found = [] if name in known else difflib.get_close_matches(name, known, 1, _SIMILAR)
    return found[0] if found else ""


def with_file(args: Sequence[str]) -> list[str]:
    """Returns arguments with `--config FILE` replaced by the flags in that file; those given beside it replace its own.

    A TOML file of `name = value`: text, a number, true or false for a switch, a list for a flag given several times.

    Raises:
        UsageError: the file cannot be read, or has another content.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument(CONFIG)
    try:
        given, others = parser.parse_known_args(list(args))
    except argparse.ArgumentError as error:
        raise errors.UsageError(f"{CONFIG} expects a TOML file") from error
    if not given.config:
        return list(args)
    own = {_positive(arg) for arg in others}
    found = [flag for flag in _flags_of(given.config) if _positive(flag) not in own]
    return [*found, *others]


def _positive(flag: str) -> str:
    """Returns the name of the flag that an argument sets or, as --no-name, clears."""
    name = _underscored(flag.partition("=")[0])
    return f"--{name[5:]}" if name.startswith("--no_") else name


def _flags_of(path: str) -> Iterator[str]:
    """Yields the flags that a TOML file states."""
    try:
        with open(path, "rb") as file:
            values = tomllib.loads(file.read(_MAXCONFIG_BYTES).decode())
    except OSError as error:
        raise errors.UsageError(f"{CONFIG} {path}: {error.strerror}") from error
    except ValueError as error:
        raise errors.UsageError(f"{CONFIG} {path} is no TOML file: {error}") from error
    yield from to_args(values, f"{CONFIG} {path}: ")


def to_args(values: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """Yields arguments from names of flags and values: text, a number, true or false, or a list of these.

    Args:
        values: by name, without hyphens; None and an empty list give no argument.
        place: begins the message.

    Raises:
        UsageError: a value of another type.
    """
    for name, value in values.items():
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(one, bool):
                yield f"--{name}" if one else f"--no-{name}"
            elif isinstance(one, (str, int, float)):
                yield f"--{name}={one}"
            elif one is not None:
                raise errors.UsageError(
                    f"{place}{name} is {one!r:.100}, expected text, a number, true, false or a list of these"
                )
