import argparse

import pytest

from photochrom import errors, flags


@pytest.fixture
def parser():
    made = flags.Parser(prog="photochrom paint")
    made.add_argument("--output", required=True)
    made.add_argument("--mark_text", default="")
    made.add_argument("--quality", type=int, default=95)
    made.add_argument("--cached_features", action=argparse.BooleanOptionalAction, default=True)
    return made


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--output=x", "--qualty=3"], "unknown flag '--qualty', did you mean --quality?"),
        (["--output=x", "--mark-txt", "a"], "unknown flag '--mark-txt', did you mean --mark_text?"),
        (["--output=x", "--colour=yes"], "unknown flag '--colour'; see --help"),
        (["--output=x", "scans"], "unexpected argument 'scans': expected flags such as --output=DIR; see --help"),
        ([], "the following arguments are required: --output"),
        (
            ["--outptu=x"],
            "the following arguments are required: --output; instead of --outptu, did you mean --output?",
        ),
        (["--output=x", "--quality=high"], "argument --quality: invalid int value: 'high'"),
        (["--output"], "argument --output: expected one argument"),
        (["--out=x"], "the following arguments are required: --output; instead of --out, did you mean --output?"),
    ],
)
def test_bad_usage_is_one_line(parser, argv, message, capsys):
    with pytest.raises(errors.UsageError) as refused:
        parser.parse_args(argv)
    assert str(refused.value) == message
    assert capsys.readouterr() == ("", "")


def test_hyphens_count_as_underscores(parser):
    given = parser.parse_args(["--output=a-b", "--mark-text", "c-d", "--no-cached-features"])
    assert (given.output, given.mark_text, given.cached_features) == ("a-b", "c-d", False)
    assert parser.parse_args(["--output=x", "--no_cached_features"]).cached_features is False


def test_unknown_flags_are_returned_as_given(parser):
    _, unknown = parser.parse_known_args(["--output=x", "--direct-num-workers=2", "--", "--mark-text"])
    assert unknown[0] == "--direct-num-workers=2"


def test_spelled_leaves_values_alone(parser):
    argv = ["--mark-text=a-b=c", "in-put", "-x", "--", "--mark-text"]
    assert flags.spelled(parser, argv) == ["--mark_text=a-b=c", "in-put", "-x", "--", "--mark-text"]


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('output = "o p"\nquality = 80\ninput = ["a", "b"]\ncached_features = false\nsaturation = 0.5\n')
    return str(path)


def test_file_of_flags_stands_for_them(config):
    expected = ["--output=o p", "--quality=80", "--input=a", "--input=b", "--no-cached_features", "--saturation=0.5"]
    assert flags.with_file(["--config", config]) == expected
    assert flags.with_file(["--verbose", f"--config={config}", "x"]) == [*expected, "--verbose", "x"]
    assert flags.with_file(["--output", "x"]) == ["--output", "x"]


def test_flags_replace_those_of_the_file(config, parser):
    args = flags.with_file(["--input=c", "--cached-features", "--config", config, "--quality", "70"])
    assert args == ["--output=o p", "--saturation=0.5", "--input=c", "--cached-features", "--quality", "70"]
    given, _ = parser.parse_known_args(args)
    assert (given.output, given.quality, given.cached_features) == ("o p", 70, True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"output = ", "is no TOML file"),
        (b"\xff\xfe", "is no TOML file"),
        (b"[colorize]\noutput = 1", "colorize is {'output': 1}, expected text, a number, true, false or a list"),
        (b"input = [[1]]", r"input is \[1\], expected text"),
    ],
)
def test_broken_file_of_flags_is_refused(tmp_path, content, message):
    path = tmp_path / "run.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(errors.UsageError, match=message):
        flags.with_file(["--config", str(path)])


def test_file_of_flags_needs_a_name():
    with pytest.raises(errors.UsageError, match="--config expects a TOML file"):
        flags.with_file(["--config"])
