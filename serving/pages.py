"""Makes an input of each page of a TIFF: for this alone files are opened while they are listed."""

import dataclasses
from collections.abc import Iterator

import apache_beam as beam

from photochrom import archives, errors, files, keys, progress
from photochrom.archives import Source
from photochrom.decoder import Decoder

# TIFF 6.0 and BigTIFF, in either byte order.
_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# More is a chain of directories without end rather than a file of that many pages.
MAX_PAGES = 10_000


@dataclasses.dataclass
class SplitPages(beam.PTransform):
    """Source -> a source for each page, as it is where it is no TIFF, has one page, or its pages cannot be counted.

    Attributes:
        decoder: counts the pages.
        progress_folder: where workers leave their counts.
    """

    decoder: Decoder
    progress_folder: str

    def expand(self, sources: beam.PCollection) -> beam.PCollection:
        return (
            sources
            | "SpreadMembers" >> beam.Reshuffle()
            | "CountPages" >> beam.ParDo(CountPages(self.decoder, self.progress_folder))
        )


class CountPages(beam.DoFn):
    """Source -> a source for each page."""

    def __init__(self, decoder: Decoder, progress_folder: str):
        self._decoder = decoder
        self._progress_folder = progress_folder

    def setup(self) -> None:
        self._reader = archives.Reader(files.open_read)

    def process(self, source: Source) -> Iterator[Source]:
        count = 1 if source.failure else self._count(source)
        if count > 1:
            progress.Tally.add(self._progress_folder, "listed", count - 1)
        for page in range(count):
            yield dataclasses.replace(source, key=keys.of_page(source.key, page, count), page=page, page_count=count)

    def _count(self, source: Source) -> int:
        """Returns how many pages are inputs; whoever decodes a broken file meets the fault again and says why."""
        try:
            if self._reader.read_start(source, 4) not in _SIGNATURES:
                return 1
            count = self._decoder.count_pages(self._reader.read(source))
        except errors.DataError:
            return 1
        return count if count <= MAX_PAGES else 1
