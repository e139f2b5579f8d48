import argparse
import dataclasses

import pytest

from photochrom import errors, settings


@dataclasses.dataclass(frozen=True)
class Example:
    source: tuple[str, ...] = settings.setting("where from", group="input")
    size: int = settings.setting("side, px", 256)
    rate: float = settings.setting("share, %", 0.5)
    fast: bool = settings.setting("quickly", False)
    kind: str = settings.setting("which", "a", choices=("a", "b"))
    limit: int | None = settings.setting("at most", None)

    def __post_init__(self):
        if self.size <= 0:
            raise ValueError(f"--size is {self.size}, expected at least 1")


def parse(*argv):
    parser = argparse.ArgumentParser()
    settings.add_flags(parser, Example)
    return settings.from_flags(Example, parser.parse_args(argv))


def test_flags_fill_the_settings():
    assert parse("--source=x") == Example(("x",))
    full = ("--source=x", "--source=y", "--size=8", "--rate=1", "--fast", "--kind=b", "--limit=3")
    assert parse(*full) == Example(("x", "y"), 8, 1.0, True, "b", 3)


def test_help_has_groups_units_and_defaults():
    parser = argparse.ArgumentParser()
    settings.add_flags(parser, Example)
    text = " ".join(parser.format_help().split())
    for part in ("input:", "settings:", "side, px (default: 256)", "share, % (default: 0.5)", "--no-fast"):
        assert part in text
    assert "at most (default" not in text


def test_the_check_of_the_settings_is_bad_usage():
    with pytest.raises(errors.UsageError, match="--size is 0, expected at least 1"):
        parse("--source=x", "--size=0")


def test_a_digest_does_not_hang_on_the_order():
    assert settings.digest({"a": 1, "b": [2]}) == settings.digest({"b": [2], "a": 1})
    assert settings.digest({"a": 1}) != settings.digest({"a": 2})
    assert len(settings.digest({})) == len("sha256:") + 64
