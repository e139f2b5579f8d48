"""The graph of `photochrom review`: rows -> thumbnails of new and changed copies -> data files -> the page."""

import dataclasses
import functools
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsIter, TaggedOutput
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.windowed_value import WindowedValue

from photochrom.imaging.sandbox.decoder import Decoder
from photochrom.jobs import progress
from photochrom.jobs.ahead_dofn import AheadDoFn
from photochrom.storage import files
from serving.manifest import layout, reader
from serving.manifest.layout import OutputPaths
from serving.manifest.rows import Row
from serving.review import items, site, thumbnails
from serving.review.items import Item, Order
from serving.review.layout import ReviewPaths, Thumbnail

_OBSOLETE = "obsolete"
# Assumed for a copy that is read ahead.
_USUAL_BYTES = 8 << 20


@dataclasses.dataclass
class MakeReview(beam.PTransform):
    """Pipeline -> path of the page.

    Attributes:
        output: the output folder.
        order: the places of all its rows.
        about: facts for the index.
        decoder: decodes the copies.
    """

    output: str
    order: Order
    about: dict[str, Any]
    decoder: Decoder

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        output = pipeline | "Output" >> beam.Create([self.output])
        rows = (
            output
            | "ListRows" >> beam.FlatMap(lambda folder: OutputPaths(folder).row_files(layout.ITEMS))
            | "SpreadRows" >> beam.Reshuffle()
            | "ReadRows" >> beam.FlatMap(lambda name, folder: reader.read_file(folder, name), self.output)
        )
        pictures = rows | "Pictures" >> beam.Filter(items.is_picture)
        others = rows | "Others" >> beam.Filter(lambda row: not items.is_picture(row)) | "Other" >> beam.Map(Item)
        existing = output | "ListThumbnails" >> beam.FlatMap(thumbnails.existing)
        shown = (
            {
                "rows": pictures | "KeyRows" >> beam.WithKeys(lambda row: row.output_sha256),
                "existing": existing | "KeyThumbnails" >> beam.WithKeys(lambda thumbnail: thumbnail.sha256),
            }
            | "JoinThumbnails" >> beam.CoGroupByKey()
            | "MakeThumbnails"
            >> beam.ParDo(MakeThumbnails(self.output, self.decoder)).with_outputs(_OBSOLETE, main="items")
        )
        written = (
            (shown.items, others)
            | "AllItems" >> beam.Flatten()
            | "Place" >> beam.WithKeys(lambda item, order: order.place(item.row), self.order)
            | "GroupItems" >> beam.GroupByKey()
            | "WriteData" >> beam.Map(items.write, self.output)
        )
        page = output | "WritePage" >> beam.Map(site.write, AsIter(written), self.about)
        # Last, so that an earlier page is whole until the new one is.
        _ = shown[_OBSOLETE] | "DeleteObsolete" >> beam.Map(_delete, self.output, AsIter(page))
        return page


class MakeThumbnails(AheadDoFn):
    """(digest, rows of copies with it and its thumbnails) -> Items; paths of obsolete files. Makes a missing one."""

    def __init__(self, output: str, decoder: Decoder):
        self._output = output
        self._decoder = decoder

    def process(self, element: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[Any]:
        sha256, found = element
        rows, existing = list(found["rows"]), sorted(found["existing"], key=lambda thumbnail: thumbnail.path)
        kept = existing[:1] if rows else []
        for path in sorted(_paths(existing) - _paths(kept)):
            yield TaggedOutput(_OBSOLETE, path)
        if kept:
            yield from self._items(rows, kept[0])
        elif rows:
            call = functools.partial(thumbnails.make, self._output, [row.output for row in rows], sha256, self._decoder)
            for made, result in self._ahead.add(rows, call, _USUAL_BYTES, not files.is_local(self._output)):
                yield from self._made(made, result())

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for rows, result in self._ahead.flush():
            yield from (GlobalWindows.windowed_value(item) for item in self._made(rows, result()))

    def _made(self, rows: list[Row], made: Thumbnail | str) -> Iterator[Item]:
        kind = "missing" if isinstance(made, str) else "made"
        beam.metrics.Metrics.counter(MakeReview, f"thumbnails-{kind}").inc()
        return self._items(rows, made)

    def _items(self, rows: list[Row], found: Thumbnail | str) -> Iterator[Item]:
        progress.Tally.add(ReviewPaths(self._output).progress, "done", len(rows))
        for row in rows:
            yield Item(row, problem=found) if isinstance(found, str) else Item(row, found)


def _paths(found: Iterable[Thumbnail]) -> set[str]:
    return {path for one in found for path in one.paths}


def _delete(name: str, output: str, _: Any) -> None:
    """Deletes a file of the review; the last argument is a side input to wait for."""
    files.delete_within(ReviewPaths(output).folder, [name])
