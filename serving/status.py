"""`photochrom status`: totals, reasons, runs and state of an output folder, from its manifest alone."""

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from photochrom import cli, errors, settings
from photochrom.jobs.progress import duration
from photochrom.storage import files
from photochrom.storage.names import inert, printable
from serving.manifest import reader
from serving.manifest.rows import DONE, FAILED, SKIPPED, Summary

_EPILOG = """\
examples:
  photochrom status coloured
  photochrom status coloured --json
  photochrom status coloured --list failed --csv > failed.csv

No scan and no copy is opened; `photochrom verify` reads the copies.

exit status: 0 the last run finished and adds up, 1 it did not finish or rows do not add up, 2 there is no manifest, or
it is broken. With --list: 0 the list is complete
"""
# Fields of a row that --list prints.
_LISTED = ("key", "status", "reason", "stage", "message", "source", "output", "run")
_WIDTH = 9  # of a count
_FATES = {
    "kept": "keep",
    "failed": "try again: failed",
    "without_digests": "look at again, as each run does: not read, so the row has no digests",
    "other_model": "make again: by another model than the last run's",
    "other_settings": "make again: by other settings or another version than the last run's",
}


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this command's flags."""
    parser = settings.parser(
        "status",
        "Tells from the manifest of an output folder how many inputs are done, why others are not, and "
        "what its runs were.",
        _EPILOG,
    )
    parser.add_argument("folder", metavar="OUT", help="the --output of `photochrom colorize`")
    parser.add_argument(
        "--list", choices=(DONE, SKIPPED, FAILED), help="print the inputs of that status alone, one a line"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object; with --list one for each input")
    form.add_argument("--csv", action="store_true", help="with --list: print CSV, with a header")
    return parser


def run(argv: Sequence[str] | None = None) -> None:
    """Prints the state of an output folder.

    Raises:
        UsageError: there is no manifest, or it is broken.
        PhotochromError: the last run did not finish, or its rows do not add up.
    """
    flags = build_parser().parse_args(argv)
    from serving.manifest import status_report

    if flags.csv and not flags.list:
        raise errors.UsageError("--csv is for a list of inputs: give --list failed, or --json for the totals")
    if flags.list:
        _print_list(flags)
        return
    state = status_report.read(files.absolute(flags.folder))
    print(
        json.dumps({"output": flags.folder, **state}, indent=2)
        if flags.json
        else "\n".join(_lines(flags.folder, state))
    )
    if state["problems"]:
        more = f" and {len(state['problems']) - 1} more" if len(state["problems"]) > 1 else ""
        raise errors.PhotochromError(f"{flags.folder}: rows do not add up: {state['problems'][0]}{more}")
    if state["unfinished"]:
        raise errors.PhotochromError(f"{flags.folder}: the last run did not finish: {state['unfinished']}")


def _print_list(flags: argparse.Namespace) -> None:
    """Prints the inputs of one status, in the order of the manifest."""
    folder = files.absolute(flags.folder)
    reader.read(folder)
    if flags.csv:
        csv.writer(sys.stdout, lineterminator="\n").writerow(_LISTED)
    for _, row in reader.read_rows(folder):
        if row.status == flags.list:
            _print_row({name: getattr(row, name) for name in _LISTED}, flags)


def _print_row(fields: dict[str, Any], flags: argparse.Namespace) -> None:
    if flags.json:
        print(json.dumps(fields, ensure_ascii=False))
    elif flags.csv:
        csv.writer(sys.stdout, lineterminator="\n").writerow([inert(printable(str(text))) for text in fields.values()])
    else:
        print(": ".join(printable(fields[name]) for name in ("key", "reason", "message") if fields[name]))


def _lines(folder: str, state: dict[str, Any]) -> Iterator[str]:
    totals = {name: state[name] for name in ("listed", "done", "skipped", "failed", "reasons")}
    yield from Summary(**totals).lines(folder)
    if state["share_done"] is not None:
        yield f"done: {state['share_done']:.1%}"
    kinds = ", ".join(f"{count} {kind}" for kind, count in state["kinds"].items())
    yield f"kinds: {kinds or 'none known'}"
    yield ""
    yield from _run_lines(state)
    yield ""
    yield from _again_lines(state["again"])
    yield ""
    yield from _verdict_lines(state)


def _run_lines(state: dict[str, Any]) -> Iterator[str]:
    shown = len(state["runs"])
    yield f"{state['finished_runs']} finished runs" + (f", the last {shown}:" if shown else "; runs.jsonl has none")
    for run in state["runs"]:
        model, settings = (_short(run[name]) for name in ("model_digest", "settings_digest"))
        yield (
            f"  run {run['run']}, {run['started']}, {duration(run['seconds'])}: {run['listed']} inputs, "
            f"{run['done']} done, {run['skipped']} skipped, {run['failed']} failed; {run['rows']} rows are its own"
        )
        yield (
            f"    photochrom {printable(run['version'])[:40]}, model {printable(run['model_name'])[:60]} "
            f"{model}, settings {settings}"
        )
    if shown and state["runs"][-1]["listed_per_second"] is not None:
        last = state["runs"][-1]
        yield f"  the last run went through {last['listed_per_second']:.2f} inputs a second, kept ones included"


def _again_lines(again: dict[str, Any]) -> Iterator[str]:
    if not again["known"]:
        yield "what the same command would do again is not known: no run is recorded"
        return
    yield "the last run's command again, with --retry=failed as by default and the scans unchanged, would"
    for name, text in _FATES.items():
        if again[name]:
            yield f"  {again[name]:>{_WIDTH}}  {text}"
    if again["other_version"]:
        yield f"  (the last run was by photochrom {printable(again['other_version'])[:40]}, this is another one)"
    yield "the manifest cannot tell " + "; ".join(again["cannot_tell"])


def _verdict_lines(state: dict[str, Any]) -> Iterator[str]:
    for problem in state["problems"]:
        yield f"does not add up: {problem}"
    if state["unfinished"]:
        age = state["seconds_since_sign_of_life"]
        sign = f"; its last heartbeat was {duration(age)} ago" if age is not None else ""
        yield f"not finished: {state['unfinished']}{sign}; {state['noted']} rows are noted for the next run to keep"
    if not state["problems"] and not state["unfinished"]:
        yield "the last run finished, and its rows add up"


def _short(digest: str) -> str:
    return printable(digest)[:19]  # sha256: and 12 digits


if __name__ == "__main__":
    sys.exit(cli.end(cli.call(run)))
