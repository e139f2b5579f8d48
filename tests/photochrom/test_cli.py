import pathlib
import signal
import subprocess
import sys
import tempfile

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
def test_deliberate_error_is_line_and_status(error, status, capsys):
    def run(argv):
        raise error

    assert cli.call(run) == status
    assert capsys.readouterr().err == f"photochrom: {error}\n"


def test_ctrl_c_shows_command_to_continue(capsys):
    def run(argv):
        raise KeyboardInterrupt

    assert cli.call(run) == 130
    assert "photochrom: stopped by SIGINT; the same command continues: " in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_unwinds_interruptible_job(number, capsys):
    before, unwound = signal.getsignal(number), []

    def run(argv):
        try:
            signal.raise_signal(number)
        finally:
            unwound.append(number)

    assert cli.call(run) == 128 + number and unwound == [number]
    assert f"stopped by {number.name}; the same command continues: " in capsys.readouterr().err
    assert signal.getsignal(number) == before


def test_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as under nohup
    try:
        assert cli.call(lambda argv: signal.raise_signal(signal.SIGINT)) == 0
    finally:
        signal.signal(signal.SIGINT, before)


def test_unexpected_error_keeps_trace_in_file(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert cli.call(lambda argv: 1 / 0) == 1
    said = capsys.readouterr().err
    assert (
        said.count("\n") == 1 and "unexpected error: ZeroDivisionError: division by zero; the full trace is in" in said
    )
    assert "cli.call(lambda argv: 1 / 0)" in pathlib.Path(said.split()[-1]).read_text()


def test_flags_of_a_file_reach_the_command(capsys, tmp_path):
    (tmp_path / "run.toml").write_text("jsn = true\n")
    assert cli.main(["verify", "OUT", "--config", str(tmp_path / "run.toml")]) == 2
    assert capsys.readouterr().err == "photochrom: unknown flag '--jsn', did you mean --json?\n"


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0 and capsys.readouterr().out == f"photochrom {__version__}\n"


def test_help_lists_commands_without_heavy_imports():
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


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["paint"], "argument COMMAND: invalid choice: 'paint' (choose from"),
        (["colorise"], "there is no command 'colorise', did you mean colorize?"),
    ],
)
def test_unknown_command_is_bad_usage(argv, message, capsys):
    assert cli.main(argv) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"photochrom: {message}") and said.count("\n") == 1


def _piped(code, reader) -> tuple[int, str]:
    """Returns the exit status and stderr of a command whose stdout goes to another program."""
    program = f"import sys; from photochrom import cli; sys.exit(cli.call(lambda argv: {code}))"
    command = f'"$1" -c "$2" | {reader}; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", command, "bash", sys.executable, program], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("lines", [3, 100_000])
def test_reader_that_leaves_ends_command_in_silence(lines):
    assert _piped(f"[print(i) for i in range({lines})]", "head -0") == (141, "")
    assert _piped(f"[print(i) for i in range({lines})]", "cat > /dev/null") == (0, "")


def test_broken_pipe_elsewhere_is_an_error():
    status, said = _piped("(_ for _ in ()).throw(BrokenPipeError(32, 'a pipe of its own'))", "cat")
    assert status == 1 and "unexpected error: BrokenPipeError" in said


@pytest.mark.parametrize(("name", "command"), cli.COMMANDS.items())
def test_resumable_command_states_it(name, command, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def run(argv):
        raise OSError(28, "No space left on device")

    run.__module__ = command.module
    assert cli.call(run, [f"--output={tmp_path}"]) == 1
    assert ("what is done is kept" in capsys.readouterr().err) == (name in ("prepare", "train", "colorize"))
