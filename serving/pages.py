"""Makes an input of each page of a TIFF or PDF: the only step that opens files while they are listed."""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from photochrom import errors
from photochrom.imaging.sandbox.decoder import Decoder
from photochrom.jobs import progress
from photochrom.sources import keys, member_reader
from photochrom.sources.source import Source
from serving.manifest.rows import MAX_PAGES, Row

# Reasons that would cost the time limit once more where the file is decoded.
_TIMEOUTS = ("read_timeout", "decode_timeout")
# TIFF 6.0 and BigTIFF, in either byte order, and PDF.
_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"%PDF")


@dataclasses.dataclass
class SplitPages(beam.PTransform):
    """Source -> a source for each page; unchanged if it has one page, or they cannot be counted.

    The number of pages is taken from an earlier row of the file if the listing shows that it has not changed.

    Attributes:
        finished: (key, row) of earlier runs.
        decoder: counts the pages.
        progress_folder: where workers leave their counts.
    """

    finished: beam.PCollection
    decoder: Decoder
    progress_folder: str

    def expand(self, sources: beam.PCollection) -> beam.PCollection:
        return (
            {
                "sources": sources | "KeyFiles" >> beam.WithKeys(lambda source: source.key),
                "known": self.finished | "KnownPages" >> beam.MapTuple(_known_pages),
            }
            | "JoinKnown" >> beam.CoGroupByKey()
            | "CountPages" >> beam.ParDo(CountPages(self.decoder, self.progress_folder))
        )


def _known_pages(key: str, row: Row) -> tuple[str, tuple[str, int, int]]:
    """Returns the file's key, and version, bytes and pages that the row states."""
    return keys.of_file(key), (row.source_version, row.source_bytes, row.pages)


class CountPages(beam.DoFn):
    """(key of a file, its sources and the known numbers of pages) -> a source for each page."""

    def __init__(self, decoder: Decoder, progress_folder: str):
        self._decoder = decoder
        self._progress_folder = progress_folder

    def process(self, element: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[Source]:
        known = {(version, size): pages for version, size, pages in element[1]["known"] if version}
        for source in element[1]["sources"]:
            yield from self._split(source, known.get((source.version, source.size), 0))

    def _split(self, source: Source, known: int) -> Iterator[Source]:
        try:
            count = known or (1 if source.failure else self._count(source))
        except errors.DataError as error:
            source, count = dataclasses.replace(source, failure=errors.Failure.of(source.key, error)), 1
        if count > 1:
            progress.Tally.add(self._progress_folder, "listed", count - 1)
        for page in range(count):
            yield dataclasses.replace(source, key=keys.of_page(source.key, page, count), page=page, page_count=count)

    def _count(self, source: Source) -> int:
        """Returns how many pages are inputs; any fault but a timeout is reported when the file is decoded."""
        try:
            if member_reader.read_start(source, 4) not in _SIGNATURES:
                return 1
            count = self._decoder.count_pages(member_reader.read(source, self._decoder.timeout_seconds))
        except errors.DataError as error:
            if error.reason in _TIMEOUTS:
                raise
            return 1
        return count if count <= MAX_PAGES else 1
