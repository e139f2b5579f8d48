import subprocess
import sys

import pytest

from photochrom import __version__, cli, errors


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.UsageError("what to do"), 2),
        (errors.TooManyFailures("too many"), 3),
        (errors.PhotochromError("ours"), 1),
        (errors.DecodeError("broken"), 1),
    ],
)
def test_an_error_that_was_foreseen_is_one_line_and_a_status(error, status, capsys):
    def run(argv):
        raise error

    assert cli.call(run) == status
    assert capsys.readouterr().err == f"photochrom: {error}\n"


def test_ctrl_c_says_how_to_continue(capsys):
    def run(argv):
        raise KeyboardInterrupt

    assert cli.call(run) == 130
    assert "the same command continues" in capsys.readouterr().err


def test_an_error_that_was_not_foreseen_keeps_its_trace():
    with pytest.raises(ZeroDivisionError):
        cli.call(lambda argv: 1 / 0)


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0 and capsys.readouterr().out == f"photochrom {__version__}\n"


def test_help_lists_the_commands_and_imports_nothing_heavy():
    code = """
import sys
from photochrom import cli
try:
    cli.main(["--help"])
except SystemExit as error:
    assert error.code == 0
heavy = {"numpy", "cv2", "PIL", "tensorflow", "apache_beam", "keras", "google.cloud.storage"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for command in ("prepare", "train", "evaluate", "colorize", "demo"):
        assert f"\n  {command}" in done.stdout


@pytest.mark.parametrize("argv", [[], ["paint"]])
def test_no_such_command_is_bad_usage(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(argv)
    assert caught.value.code == 2 and "photochrom: error" in capsys.readouterr().err
