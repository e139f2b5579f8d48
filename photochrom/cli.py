"""The command `photochrom`: finds a job by its name, and turns what a job raises into one line and an exit status.

Exit status: 0 done, 1 a failure that is ours, the engine's or the disk's (one line, which names the file with the
trace), 2 bad usage, 3 finished but more inputs failed than `--max_failures` allows, 130 and 143 stopped by SIGINT
(Ctrl-C) and SIGTERM: the same command continues.
"""

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from photochrom import __version__, errors
from photochrom.jobs import crash_report, signals

# command: (module, what it does). Modules are imported when called, so that `photochrom --help` answers at once.
COMMANDS = {
    "features": ("trainer.features", "pretrained network -> features bundle, for prepare --embed"),
    "prepare": ("pipelines.prepare", "colour photographs -> Lab TFRecords, statistics, dataset card"),
    "train": ("trainer.train", "Lab TFRecords -> model bundle, resumable"),
    "evaluate": ("trainer.evaluate", "model bundle + records or photographs -> metrics and sheets of pictures"),
    "colorize": ("serving.colorize", "grayscale archive + model bundle -> coloured copies + manifest"),
    "status": (
        "serving.status",
        "the folder of a colorize -> how many are done, why others are not, what its runs were",
    ),
    "verify": ("serving.verify", "reads every copy of a colorize again, against the digests of the manifest"),
    "bag": ("serving.bag", "a finished colorize -> BagIt bag with checksums and PREMIS events, for the repository"),
    "demo": ("photochrom.demo", "all of the above on photographs that come with the project"),
}


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of the bare command; the jobs have parsers of their own."""
    width = max(map(len, COMMANDS))
    listing = "\n".join(f"  {name:{width}}  {text}" for name, (_, text) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="photochrom",
        description="Colorizes archives of black-and-white photographs: prepares data, trains, evaluates, colorizes.",
        epilog=f"commands:\n{listing}\n\n`photochrom COMMAND --help` explains each.\n\nexit status: 0 done, 1 failed, "
        "2 bad usage, 3 finished but too many inputs failed, 130 and 143 stopped by a signal",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="photochrom [--help] [--version] COMMAND [flags]",
    )
    parser.add_argument("--version", action="version", version=f"photochrom {__version__}")
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of the commands below")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    flags = build_parser().parse_args(argv[:1])
    module = importlib.import_module(COMMANDS[flags.command][0])
    return call(module.run, argv[1:])


def call(run: Callable[[Sequence[str] | None], Any], argv: Sequence[str] | None = None) -> int:
    """Calls a job's `run(argv)` and returns the exit status; whatever ends it is one line on stderr, the last one."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    log = _start_log()
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        with signals.handled():
            run(argv)
    except errors.PhotochromError as error:
        print(f"photochrom: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt as error:
        print(signals.message(f"stopped by {str(error) or 'SIGINT'}"), file=sys.stderr)
        return getattr(error, "exit_status", 130)
    except Exception as error:
        line, status = crash_report.report(error, _module_of(run), argv, log)
        print(f"photochrom: {line}", file=sys.stderr)
        return status
    return 0


def _start_log() -> Sequence[str]:
    """Has records shown as lines on stderr; returns those of other libraries in full, as they come."""
    shown = logging.StreamHandler()
    shown.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    handler = crash_report.OneLine(shown)
    logging.basicConfig(level=logging.ERROR, handlers=[handler])
    logging.getLogger("photochrom").setLevel(logging.INFO)
    return handler.kept


def _module_of(run: Callable[..., Any]) -> str:
    """Returns the name of a job's module, also where it is the program itself (`python -m serving.colorize`)."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.name if run.__module__ == "__main__" and spec else run.__module__
