"""`photochrom bag`: the output folder of a finished `photochrom colorize` -> a BagIt bag with PREMIS events."""

import argparse
import dataclasses
import datetime
import logging
import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from photochrom import __version__, cli, errors, settings
from photochrom.settings import setting
from photochrom.sources import inputs
from photochrom.storage import files
from photochrom.storage.names import printable

if TYPE_CHECKING:
    from serving.bagit.payload import Payload

_EPILOG = """\
examples:
  photochrom bag coloured --info "Source-Organization=City Archive"
  photochrom bag coloured --output /mnt/transfer/coloured-2026 --link
  bagit.py --validate coloured-bag

OUT is not changed, and serves the next run of `photochrom colorize`. Every copy is read and compared with its row; one
that differs or is missing is named, and no bag is made (exit status 1). Files that no row names are named and left out.
"""
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_OURS = ("bagging-date", "bag-software-agent", "payload-oxum", "external-description")
_MAX_VALUE = 2000


@dataclasses.dataclass(frozen=True)
class BagConfig:
    """Settings of the command; flags of the same names fill it."""

    output: str = setting("folder of the bag, must not exist yet; without it OUT-bag, beside OUT", "", metavar="BAG")
    link: bool = setting(
        "hard links to the copies in OUT instead of copies of them: no more space, but hard links share content, so an "
        "edit in place changes both",
        False,
    )
    accepted_only: bool = setting(
        "only copies that a reviewer accepted (`colorize --decisions`); the bag's manifest has all rows. Rejected "
        "copies are always left out",
        False,
    )
    date: str = setting("Bagging-Date, YYYY-MM-DD; without it today", "", metavar="DATE")
    info: tuple[str, ...] = setting(
        'a line of bag-info.txt, such as "Source-Organization=City Archive"; repeatable', (), metavar="LABEL=VALUE"
    )

    def __post_init__(self) -> None:
        if self.date:
            try:
                fits = datetime.date.fromisoformat(self.date).isoformat() == self.date
            except ValueError:
                fits = False
            if not fits:
                raise ValueError(f"--date is {self.date!r}, expected a day such as 2026-11-30")
        for text in self.info:
            _check_info(text)

    def bag_info(self) -> dict[str, list[str]]:
        """Returns label -> values of the user's own lines."""
        found: dict[str, list[str]] = {}
        for text in self.info:
            label, _, value = text.partition("=")
            found.setdefault(label, []).append(value.strip())
        return found


def _check_info(text: str) -> None:
    label, equals, value = text.partition("=")
    shown = f"--info {text[:100]!r}"
    if not equals or not _LABEL.fullmatch(label):
        raise ValueError(f"{shown}: expected LABEL=VALUE with a label of letters, digits and hyphens")
    if label.lower() in _OURS:
        more = "; --date sets it" if label.lower() == "bagging-date" else ""
        raise ValueError(f"{shown}: {label} is written by photochrom bag itself{more}")
    if not value.strip() or printable(value) != value or len(value) > _MAX_VALUE:
        raise ValueError(
            f"{shown}: expected a value of 1 to {_MAX_VALUE} characters on one line, without control characters"
        )


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this command's flags."""
    parser = settings.parser(
        "bag", "Makes a BagIt bag (RFC 8493) of a finished run: coloured copies, manifest, PREMIS events.", _EPILOG
    )
    parser.add_argument("folder", metavar="OUT", help="the --output of `photochrom colorize`, a local folder")
    settings.add_flags(parser, BagConfig)
    return parser


def run(argv: Sequence[str] | None = None) -> Any:
    """Makes the bag and returns it, a `bagit.Bag`.

    Raises:
        UsageError: a flag does not fit, the run did not finish, or the bag's folder exists already.
        Disagreement: rows and files do not fit together; stderr has a line for each.
    """
    flags = build_parser().parse_args(argv)
    config = settings.from_flags(BagConfig, flags)
    folder = files.absolute(flags.folder)
    target = config.output.rstrip("/") or f"{folder}-bag"
    _check_target(folder, target)
    from serving.bagit import payload

    try:
        found = payload.collect(folder, config.accepted_only)
        from serving.bagit import bag_writer

        logging.getLogger("bagit").setLevel(logging.CRITICAL)  # it raises all that it logs with a traceback
        bag = bag_writer.write(folder, found, target, _bag_info(config, found), link=config.link)
    except payload.Disagreement as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        raise
    _report(target, bag, found)
    return bag


def _check_target(folder: str, target: str) -> None:
    if not files.is_local(folder):
        raise errors.UsageError(f"{folder} is not a local folder; copy it to a disk, where bags are made")
    if not files.is_local(target):
        raise errors.UsageError(f"--output {target} is not a local folder; bags are made on a disk")
    if os.path.lexists(target):
        raise errors.UsageError(f"{target} exists already; delete it, or name another bag by --output")
    if inputs.inside(target, folder):
        raise errors.UsageError(f"--output {target} is inside {folder}; choose a folder beside it")


def _bag_info(config: BagConfig, found: "Payload") -> dict[str, list[str]]:
    import bagit

    summary, runs = found.summary, list(found.runs.values())
    description = (
        f"Coloured copies of scans, made by a model: {summary.listed} inputs, {summary.done} done, "
        f"{summary.skipped} skipped, {summary.failed} failed. The last run of Photochrom finished "
        f"{runs[-1].finished}. data/manifest has a row for each input, metadata/premis-*.xml an event."
    )
    return {
        **config.bag_info(),
        "Bagging-Date": [config.date or datetime.date.today().isoformat()],
        "Bag-Software-Agent": [f"Photochrom {__version__}, bagit-python {bagit.VERSION}"],
        "External-Description": [description],
    }


def _report(target: str, bag: Any, found: "Payload") -> None:
    size, _, count = bag.info["Payload-Oxum"].partition(".")
    print(f"{target}: BagIt {bag.version_info[0]}.{bag.version_info[1]}, {count} files, {size} bytes")
    print(f"{len(found.copies)} coloured copies, an event for each of {found.summary.listed} inputs")
    for name in found.foreign:
        print(f"left out, in no row of the manifest: {name}")


if __name__ == "__main__":
    sys.exit(cli.end(cli.call(run)))
