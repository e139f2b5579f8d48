"""Makes an input of each page of a TIFF: for this alone files are opened while they are listed."""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from photochrom import errors
from photochrom.imaging.sandbox.decoder import Decoder
from photochrom.jobs import progress
from photochrom.sources import keys, member_reader
from photochrom.sources.source import Source
from serving.manifest.manifest import Row

# TIFF 6.0 and BigTIFF, in either byte order.
_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# More is a chain of directories without end rather than a file of that many pages.
MAX_PAGES = 10_000


@dataclasses.dataclass
class SplitPages(beam.PTransform):
    """Source -> a source for each page, as it is where it is no TIFF, has one page, or its pages cannot be counted.

    How many pages a file has is taken from an earlier row of it if the listing says that it has not changed.

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
    return keys.of_file(key), (row.get("source_version", ""), row["source_bytes"], row.get("pages", 1))


class CountPages(beam.DoFn):
    """(key of a file, its sources and what is known of its pages) -> a source for each page."""

    def __init__(self, decoder: Decoder, progress_folder: str):
        self._decoder = decoder
        self._progress_folder = progress_folder

    def process(self, element: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[Source]:
        known = {(version, size): pages for version, size, pages in element[1]["known"] if version}
        for source in element[1]["sources"]:
            yield from self._split(source, known.get((source.version, source.size), 0))

    def _split(self, source: Source, known: int) -> Iterator[Source]:
        count = known or (1 if source.failure else self._count(source))
        if count > 1:
            progress.Tally.add(self._progress_folder, "listed", count - 1)
        for page in range(count):
            yield dataclasses.replace(source, key=keys.of_page(source.key, page, count), page=page, page_count=count)

    def _count(self, source: Source) -> int:
        """Returns how many pages are inputs; whoever decodes a broken file meets the fault again and says why."""
        try:
            if member_reader.read_start(source, 4) not in _SIGNATURES:
                return 1
            count = self._decoder.count_pages(member_reader.read(source))
        except errors.DataError:
            return 1
        return count if count <= MAX_PAGES else 1
