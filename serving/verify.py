"""`photochrom verify`: reads every copy again and compares it with the digests of the manifest."""

import argparse
import collections
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from photochrom import cli, errors, settings
from photochrom.jobs import progress
from photochrom.storage import files

if TYPE_CHECKING:
    from serving.manifest.fixity import Finding, Named, Read

_EPILOG = """\
examples:
  photochrom verify coloured
  photochrom verify coloured --json > report.json

A line on stdout for each file that differs from the manifest, then the totals:
  missing     a row names it, it does not exist
  changed     its digest is not that of its row
  unreadable  it exists and cannot be read, is no regular file, or leads out of OUT by a link
  foreign     it is below OUT and no row names it
  temporary   an interrupted write left it (.photochrom-tmp-*)
  manifest    rows that do not add up, or a run that did not finish
Nothing is changed. `photochrom colorize --retry=all` makes all copies again; a deleted copy is made again without it.

exit status: 0 all files agree with the manifest, 1 something differs, 2 there is no manifest, or it is broken
"""


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this command's flags."""
    parser = settings.parser(
        "verify", "Reads every coloured copy again: which are missing or changed, which files no row names.", _EPILOG
    )
    parser.add_argument("folder", metavar="OUT", help="the --output of `photochrom colorize`")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def run(argv: Sequence[str] | None = None) -> None:
    """Verifies an output folder and prints what it finds.

    Raises:
        UsageError: there is no manifest, or it is broken; no copy was opened.
        PhotochromError: something differs from the manifest; stdout has a line for each difference.
    """
    flags = build_parser().parse_args(argv)
    from serving.manifest import fixity

    folder = files.absolute(flags.folder)
    read = fixity.Read()
    counts: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory(prefix="photochrom-verify-") as scratch:
        progress_folder = files.join(scratch, "progress")
        with progress.shown(progress_folder, "verify"):
            named = fixity.survey(folder, progress_folder)
            if flags.json:
                print(f'{{"output": {json.dumps(flags.folder)}, "findings": [')
            for finding in _findings(folder, named, read, progress_folder):
                print(_json_item(finding, not counts) if flags.json else _line(finding))
                counts[finding.kind] += 1
    totals = {"named": len(named.digests), "read": read.files, "bytes": read.bytes}
    found = {kind: counts[kind] for kind in fixity.KINDS}
    if flags.json:
        print(f"], {json.dumps({**totals, **found})[1:]}")
    else:
        _report(flags.folder, read, len(named.digests), found)
    if counts:
        raise errors.PhotochromError(
            f"{flags.folder}: {sum(counts.values())} findings; the folder is not as its manifest says"
        )


def _findings(folder: str, named: "Named", read: "Read", progress_folder: str) -> Iterator["Finding"]:
    from serving.manifest import fixity

    for problem in named.problems:
        yield fixity.Finding(fixity.MANIFEST, "manifest", problem)
    yield from fixity.check_named(folder, read, progress_folder)
    yield from fixity.check_foreign(folder, named)


def _line(finding: "Finding") -> str:
    return f"{finding.kind}: {finding.path}: {finding.detail}"


def _json_item(finding: "Finding", first: bool) -> str:
    item = {"kind": finding.kind, "path": finding.path, "detail": finding.detail}
    return f"{'' if first else ','}{json.dumps(item)}"


def _report(folder: str, read: "Read", named: int, found: dict[str, int]) -> None:
    print(f"{folder}: {named} files named by the manifest, {read.files} read, {read.bytes} bytes")
    print(", ".join(f"{count} {kind}" for kind, count in found.items() if count) or "all as the manifest says")


if __name__ == "__main__":
    sys.exit(cli.end(cli.call(run)))
