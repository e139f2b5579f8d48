"""`photochrom publish`: the output folder of `photochrom colorize` -> IIIF manifests, image tiles, a CSV."""

import argparse
import dataclasses
import sys
import urllib.parse
from collections.abc import Sequence
from typing import Any

from photochrom import cli, errors, settings
from photochrom.flags import names
from photochrom.imaging.sandbox.decoder import DEFAULT_MAX_PIXELS, DEFAULT_TIMEOUT, Decoder
from photochrom.jobs import output_lock, progress
from photochrom.settings import check, check_lines, setting
from photochrom.storage import files
from photochrom.storage.names import printable
from serving.iiif import layout
from serving.iiif.documents import Terms
from serving.iiif.items import Maker, is_wanted
from serving.iiif.layout import PublishPaths
from serving.manifest import reader
from serving.manifest.rows import ACCEPTED

_EPILOG = """\
examples:
  photochrom publish coloured --base_url https://archive.example/coloured \\
      --licence http://creativecommons.org/licenses/by/4.0/ --credit "City Archive"

Upload OUT/publish to that URL, to any web server or bucket that allows requests of other sites (CORS), and open
URL/collection.json in a IIIF viewer (Mirador, Universal Viewer). The scans are read where colorize found them. The same
command again makes only the pictures of new and changed copies. Flags that are not listed go to Beam, as with colorize.
"""
_MOST_URL = 1000  # characters
# Source: RFC 3986; and ? and #, for names are added to the URL.
_NOT_IN_URLS = frozenset(' "<>\\^`{|}?#')


@dataclasses.dataclass(frozen=True)
class PublishConfig:
    """Settings of the command; flags of the same names fill it."""

    base_url: str = setting("URL at which OUT/publish will be found", metavar="URL")
    licence: str = setting(
        "licence or rights statement of all pictures: a URL of creativecommons.org or rightsstatements.org, which "
        "viewers understand, or a text",
        "",
        metavar="LICENCE",
    )
    credit: str = setting("line that viewers show with the pictures", "", metavar="TEXT")
    title: str = setting("title of the collection; without it the name of OUT", "", metavar="TEXT")
    accepted_only: bool | None = setting(
        "only copies that a reviewer accepted (`colorize --decisions`); without the flag so, if any was accepted, else "
        "all. Rejected copies are always left out",
        None,
    )
    max_pixels: int = setting(
        "a picture with more is not published, px; as of colorize", DEFAULT_MAX_PIXELS, unit="px", at_least=1
    )
    image_timeout: int = setting(
        "time limit for reading and for decoding one picture, seconds", DEFAULT_TIMEOUT, unit="s", at_least=1
    )

    def __post_init__(self) -> None:
        check(self)
        if not _is_url(self.base_url):
            raise ValueError(
                f"--base_url is {self.base_url[:200]!r}, expected a URL without ? and #, such as "
                "https://archive.example/coloured"
            )
        check_lines(self, ("licence", "credit", "title"))


def _is_url(text: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(text)
    except ValueError:
        return False
    is_plain = text.isascii() and printable(text) == text and len(text) <= _MOST_URL and not _NOT_IN_URLS & set(text)
    return is_plain and parts.scheme in ("http", "https") and bool(parts.hostname)


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this command's flags."""
    parser = settings.parser(
        "publish", "Publishes scans beside their coloured copies by IIIF: static files for any web server.", _EPILOG
    )
    parser.add_argument("folder", metavar="OUT", help="the --output of `photochrom colorize`")
    settings.add_flags(parser, PublishConfig)
    return parser


def run(argv: Sequence[str] | None = None) -> Any:
    """Makes the publication and returns Beam's pipeline result.

    Raises:
        UsageError: a flag does not fit, there is no manifest, or it is broken, or OUT/publish cannot be written.
        NothingDone: there is no copy to publish, or none could be.
    """
    parser = build_parser()
    flags, beam_flags = parser.parse_known_args(argv)
    config = settings.from_flags(PublishConfig, flags)
    from photochrom.jobs import beam_job

    output, options = beam_job.parse_folder_options("publish", flags.folder, beam_flags, names(parser))
    from serving.iiif import pipeline

    account, paths = reader.read(output), PublishPaths(output)
    accepted_only, count = _choose(output, config)
    title = config.title or printable(output.rpartition("/")[2])
    terms = Terms(config.base_url.rstrip("/"), title, config.licence, config.credit)
    models = {run.run: run.model_name for run in account.runs.values()}
    decoder = Decoder(config.max_pixels, config.image_timeout)
    job = pipeline.Publish(Maker(output, terms, models, decoder, pipeline.count_picture), accepted_only)
    files.check_writable(paths.folder, "OUT")
    with output_lock.held(paths.folder, paths.scratch), progress.shown(paths.progress, "publish"):
        progress.Tally.add(paths.progress, "listed", count)
        result = beam_job.run(lambda root: root | "Publish" >> job, options, paths.folder)
    if account.is_open:
        print(f"  {reader.UNDER_WAY}: the run before it is published")
    _report(result, paths, terms, count)
    return result


def _choose(output: str, config: PublishConfig) -> tuple[bool, int]:
    """Returns whether only accepted copies are published, and how many that are.

    Raises:
        NothingDone: none.
    """
    accepted = unasked = 0
    for _, row in reader.read_rows(output):
        if is_wanted(row, accepted_only=False):
            accepted += row.decision == ACCEPTED
            unasked += 1
    accepted_only = accepted > 0 if config.accepted_only is None else config.accepted_only
    count = accepted if accepted_only else unasked
    if not count:
        why = f"none of {unasked} was accepted (`colorize --decisions`)" if unasked else "no input is coloured"
        raise errors.NothingDone(f"{output} has no copy to publish: {why}")
    if accepted_only:
        print(f"publishing the {accepted} accepted of {unasked} coloured copies")
    else:
        print(f"publishing all {unasked} coloured copies, {accepted} of them accepted by a reviewer")
    return accepted_only, count


def _report(result: Any, paths: PublishPaths, terms: Terms, count: int) -> None:
    counts = {found.key.metric.name: found.committed for found in result.metrics().query()["counters"]}
    published, made = counts.get("items-published", 0), counts.get("pictures-made", 0)
    print(f"{paths.folder}: {published} manifests, {made} pictures made")
    if not published:
        raise errors.NothingDone(f"none of {count} copies could be published; {paths.at(layout.TABLE)} states why")
    if count > published:
        print(f"  {count - published} could not be published: see the column `problem` of {paths.at(layout.TABLE)}")
    print(f"upload {paths.folder} to {terms.base_url}, and open {terms.url(layout.COLLECTION)} in a IIIF viewer")


if __name__ == "__main__":
    sys.exit(cli.end(cli.call(run)))
