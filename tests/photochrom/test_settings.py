import argparse
import dataclasses
import re

import pytest

from photochrom import errors, settings


@dataclasses.dataclass(frozen=True)
class Example:
    source: tuple[str, ...] = settings.setting("where from", group="input")
    size: int = settings.setting("side, px", 256, unit="px", at_least=1, multiple_of=8)
    rate: float = settings.setting("share, %", 0.5, above=0, below=1)
    fast: bool = settings.setting("quickly", False)
    kind: str = settings.setting("which", "a", choices=("a", "b"))
    limit: int | None = settings.setting("at most", None, at_most=3)
    both: bool | None = settings.setting("one or the other", None)

    def __post_init__(self):
        settings.check(self)


def parse(*argv):
    parser = argparse.ArgumentParser()
    settings.add_flags(parser, Example)
    return settings.from_flags(Example, parser.parse_args(argv))


def test_flags_fill_the_settings():
    assert parse("--source=x") == Example(("x",))
    full = ("--source=x", "--source=y", "--size=8", "--rate=0.9", "--fast", "--kind=b", "--limit=3")
    assert parse(*full) == Example(("x", "y"), 8, 0.9, True, "b", 3)


def test_optional_switch_has_three_values():
    assert [parse("--source=x", *flags).both for flags in ([], ["--both"], ["--no-both"])] == [None, True, False]


def test_help_has_groups_units_and_defaults():
    parser = argparse.ArgumentParser()
    settings.add_flags(parser, Example)
    text = " ".join(parser.format_help().split())
    for part in ("input:", "settings:", "side, px (default: 256)", "share, % (default: 0.5)", "--no-fast"):
        assert part in text
    assert "at most (default" not in text


def test_bad_flag_is_a_usage_error():
    with pytest.raises(errors.UsageError, match="--size is 0, expected at least 1 and a multiple of 8 px"):
        parse("--source=x", "--size=0")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 12}, "--size is 12, expected at least 1 and a multiple of 8 px"),
        ({"kind": "c"}, "--kind is 'c', expected one of a, b"),
        ({"rate": 1.0}, "--rate is 1.0, expected above 0 and below 1"),
        ({"rate": float("nan")}, "--rate is nan, expected above 0 and below 1"),
        ({"limit": 4}, "--limit is 4, expected at most 3"),
    ],
)
def test_check_names_flag_value_and_limits(values, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Example(("x",), **values)


def test_setting_refuses_an_unknown_limit():
    with pytest.raises(TypeError, match="unknown limits"):
        settings.setting("side, px", 1, at_lest=1)


def test_digest_ignores_the_order_of_names():
    assert settings.digest({"a": 1, "b": [2]}) == settings.digest({"b": [2], "a": 1})
    assert settings.digest({"a": 1}) != settings.digest({"a": 2})
    assert len(settings.digest({})) == len("sha256:") + 64
