"""The command `photochrom`: finds a job by its name, and turns its errors into one line and an exit status.

Exit status: 0 done, 1 a failure of this project, the engine or the disk (one line, which names the file with the
trace), 2 bad usage, 3 finished but more inputs failed than `--max_failures` allows, 130 and 143 stopped by SIGINT
(Ctrl-C) and SIGTERM: the same command continues, 141 nothing reads stdout any more (`photochrom status OUT | head -1`).
"""

import argparse
import atexit
import dataclasses
import importlib
import logging
import os
import select
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from photochrom import __version__, errors, flags
from photochrom.jobs import crash_report, extras, signals

# As of a program that SIGPIPE ends, which Python ignores.
_UNREAD = 128 + signal.SIGPIPE
# Seconds that the end of a failed command may take.
_SECONDS_TO_END = 10


@dataclasses.dataclass(frozen=True)
class Command:
    """A job.

    Attributes:
        module: has `run(argv)` and `build_parser()`; imported when called, so that `photochrom --help` answers at once.
        summary: input and output, for the listing.
        resumable: whether the same command continues from what an ended run has left.
        needs: optional modules that it imports, beside those of colorize.
    """

    module: str
    summary: str
    resumable: bool = False
    needs: tuple[str, ...] = ()


_METRICS = ("skimage", "scipy")

COMMANDS = {
    "features": Command("trainer.features", "pretrained network -> features bundle, for prepare --embed"),
    "prepare": Command(
        "pipelines.prepare", "colour photographs -> Lab TFRecords, statistics, dataset card", resumable=True,
        needs=("tensorflow_transform",),
    ),
    "train": Command("trainer.train", "Lab TFRecords -> model bundle, resumable", resumable=True, needs=_METRICS),
    "evaluate": Command(
        "trainer.evaluate", "model bundle + records or photographs -> metrics and sheets of pictures",
        needs=(*_METRICS, "jinja2"),
    ),
    "colorize": Command(
        "serving.colorize", "grayscale archive + model bundle -> coloured copies + manifest", resumable=True
    ),
    "status": Command(
        "serving.status", "output folder of colorize -> counts of finished inputs, reasons of the others, its runs"
    ),
    "verify": Command("serving.verify", "reads every copy of a colorize again, against the digests of the manifest"),
    "bag": Command(
        "serving.bag", "a finished colorize -> BagIt bag with checksums and PREMIS events, for the repository"
    ),
    "review": Command(
        "serving.review_page", "a finished colorize -> static page to look at, accept and reject its copies"
    ),
    "publish": Command(
        "serving.publish", "a finished colorize -> IIIF manifests and tiles for the web: scans beside copies"
    ),
    "demo": Command(
        "photochrom.demo", "all of the above on photographs that come with the project",
        needs=("tensorflow_transform", *_METRICS, "jinja2"),
    ),
}  # fmt: skip


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of the bare command; the jobs have parsers of their own."""
    width = max(map(len, COMMANDS))
    listing = "\n".join(f"  {name:{width}}  {command.summary}" for name, command in COMMANDS.items())
    parser = flags.Parser(
        prog="photochrom",
        description="Colorizes archives of black-and-white photographs: prepares data, trains, evaluates, colorizes.",
        epilog=f"commands:\n{listing}\n\n`photochrom COMMAND --help` explains each.\n\nexit status: 0 done, 1 failed, "
        "2 bad usage, 3 finished but too many inputs failed or none is done, 130 and 143 stopped by a signal",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="photochrom [--help] [--version] COMMAND [flags]",
    )
    parser.add_argument("--version", action="version", version=f"photochrom {__version__}")
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of the commands below")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    chosen: list[Command] = []
    status = call(lambda name: chosen.append(COMMANDS[build_parser().parse_args(name).command]), argv[:1])
    return status or call(lambda args: _run(argv[0], chosen[0], args), argv[1:], chosen[0])


def _run(name: str, command: Command, args: Sequence[str] | None) -> Any:
    if not {"--help", "-h"} & set(args or ()):
        extras.check(f"photochrom {name}", command.needs)
    return importlib.import_module(command.module).run(args)


def program() -> int:
    """Runs the command line of this process."""
    return end(main())


def end(status: int) -> int:
    """Returns the exit status of this process, or ends it at once after a failure.

    Threads of a library that could not start its other threads, or open its files, may wait for ever, and the
    interpreter would wait for them.
    """
    if status:
        signal.signal(signal.SIGALRM, lambda number, frame: os._exit(status))
        signal.alarm(_SECONDS_TO_END)
        atexit._run_exitfuncs()  # which remove temporary files
        os._exit(status)
    return status


def call(
    run: Callable[[Sequence[str] | None], Any], argv: Sequence[str] | None = None, command: Command | None = None
) -> int:
    """Calls a job's `run(argv)` and returns the exit status; an error that ends it is the last line on stderr.

    Args:
        run: the job.
        argv: its flags; by default those of this program.
        command: the job's; by default that of the module of `run`.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    log = _start_log()
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        with signals.handled():
            run(flags.with_file(argv))
            _flush()
    except errors.PhotochromError as error:
        return _ended(f"photochrom: {error}", error.exit_status)
    except KeyboardInterrupt as error:
        return _ended(signals.message(f"stopped by {str(error) or 'SIGINT'}"), getattr(error, "exit_status", 130))
    except SystemExit:  # of --help and --version
        if status := _ended("", 0):
            return status
        raise
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _is_unread():
            return _ended("", _UNREAD)
        resumable = command.resumable if command else _is_resumable(run)
        line, status = crash_report.report(error, argv, log, resumable)
        return _ended(f"photochrom: {line}", status)
    return 0


def _flush() -> None:
    if sys.stdout:  # None where it is closed
        sys.stdout.flush()


def _is_unread() -> bool:
    """Whether stdout is a pipe whose reader has ended."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _ended(line: str, status: int) -> int:
    """Prints the last line, and returns the exit status: that of SIGPIPE if nothing reads stdout any more."""
    try:
        _flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter's end reports it again
        status = status or (_UNREAD if isinstance(error, BrokenPipeError) else 1)
    if line:
        print(line, file=sys.stderr)
    return status


def _start_log() -> Sequence[str]:
    """Shows log records as lines on stderr; returns the growing list of those of other libraries, in full."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, crash_report.OneLine):
            return handler.kept
    shown = logging.StreamHandler()
    shown.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    handler = crash_report.OneLine(shown)
    logging.basicConfig(level=logging.ERROR, handlers=[handler])
    logging.getLogger("photochrom").setLevel(logging.INFO)
    return handler.kept


def _is_resumable(run: Callable[..., Any]) -> bool:
    """Whether a job's command is resumable, also where it is the program itself (`python -m serving.colorize`)."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    module = spec.name if run.__module__ == "__main__" and spec else run.__module__
    return any(command.resumable for command in COMMANDS.values() if command.module == module)
