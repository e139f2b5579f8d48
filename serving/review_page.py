"""`photochrom review`: the output folder of `photochrom colorize` -> a static page to look at and judge the copies."""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from photochrom import cli, settings
from photochrom.flags import names
from photochrom.imaging.sandbox.decoder import DEFAULT_MAX_PIXELS, DEFAULT_TIMEOUT, Decoder
from photochrom.jobs import output_lock, progress
from photochrom.settings import check, setting
from photochrom.storage import files
from serving.manifest import reader
from serving.review.layout import PAGE, ReviewPaths

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

_EPILOG = """\
examples:
  photochrom review coloured
  photochrom review gs://bucket/coloured --runner=DataflowRunner ...

Open OUT/review/index.html from disk, from a bucket or from any web server; it needs no internet. The page shows each
copy beside its gray picture, the least confident first, and keeps decisions in the browser; export them to a file. The
same command again makes only the thumbnails of new and changed copies. Flags that are not listed go to Beam, as with
colorize.
"""


@dataclasses.dataclass(frozen=True)
class ReviewConfig:
    """Settings of the command; flags of the same names fill it."""

    max_pixels: int = setting(
        "a copy with more gets no thumbnail, px; as of colorize", DEFAULT_MAX_PIXELS, unit="px", at_least=1
    )
    image_timeout: int = setting("time limit for decoding one copy, seconds", DEFAULT_TIMEOUT, unit="s", at_least=1)

    def __post_init__(self) -> None:
        check(self)


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this command's flags."""
    parser = settings.parser(
        "review", "Makes a static page of the coloured copies, to look at, accept and reject them.", _EPILOG
    )
    parser.add_argument("folder", metavar="OUT", help="the --output of `photochrom colorize`")
    settings.add_flags(parser, ReviewConfig)
    return parser


def run(argv: Sequence[str] | None = None) -> Any:
    """Makes the page and returns Beam's pipeline result.

    Raises:
        UsageError: there is no manifest, or it is broken, or the page cannot be written.
    """
    parser = build_parser()
    flags, beam_flags = parser.parse_known_args(argv)
    config = settings.from_flags(ReviewConfig, flags)
    from photochrom.jobs import beam_job

    folder, options = beam_job.parse_folder_options("review", flags.folder, beam_flags, names(parser))
    return make(folder, Decoder(config.max_pixels, config.image_timeout), options)


def make(output: str, decoder: Decoder, options: "PipelineOptions") -> Any:
    """Makes the review page of an output folder, prints where it is, and returns Beam's pipeline result.

    Args:
        output: the output folder.
        decoder: decodes the copies.
        options: Beam's.

    Raises:
        UsageError: there is no manifest, or it is broken, or the page cannot be written.
    """
    from photochrom.jobs import beam_job
    from serving.review import items, pipeline, site

    account, order, paths = reader.read(output), items.Order(), ReviewPaths(output)
    for _, row in reader.read_rows(output):
        order.add(row)
    files.check_writable(paths.folder, "OUT")
    with output_lock.held(paths.folder, paths.scratch), progress.shown(paths.progress, "review"):
        progress.Tally.add(paths.progress, "listed", order.pictures)
        review = pipeline.MakeReview(output, order, site.describe(output, account), decoder)
        result = beam_job.run(lambda root: root | "Review" >> review, options, paths.folder)
    _report(result, paths, order.pictures, account.is_open)
    return result


def _report(result: Any, paths: ReviewPaths, pictures: int, is_open: bool) -> None:
    counts = {found.key.metric.name: found.committed for found in result.metrics().query()["counters"]}
    made, missing = counts.get("thumbnails-made", 0), counts.get("thumbnails-missing", 0)
    impossible = f", {missing} impossible" if missing else ""
    print(f"{paths.folder}: {pictures} pictures, {made} thumbnails made{impossible}")
    if is_open:
        print(f"  {reader.UNDER_WAY}: the page shows the run before it")
    print(f"open {paths.at(PAGE)} in a browser")


if __name__ == "__main__":
    sys.exit(cli.end(cli.call(run)))
