"""The graph of `photochrom publish`: rows -> places of their scans -> pictures and manifests -> collections, table."""

import dataclasses
import functools
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsIter, TaggedOutput
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.windowed_value import WindowedValue

from photochrom.jobs import progress
from photochrom.jobs.ahead_dofn import AheadDoFn
from photochrom.sources.source import Source
from photochrom.storage import files
from serving.iiif import documents, layout, scans
from serving.iiif.documents import Item, Terms
from serving.iiif.items import Maker, is_wanted
from serving.iiif.layout import PublishPaths
from serving.manifest import layout as manifest_layout
from serving.manifest import reader
from serving.manifest.layout import OutputPaths
from serving.manifest.rows import Row

_NEW = "new"
# About the memory that a scan and its copy take while they are made.
_BYTES_PER_PIXEL = 12


@dataclasses.dataclass
class Publish(beam.PTransform):
    """Pipeline -> path of the top collection.

    Attributes:
        maker: makes the items.
        accepted_only: whether copies that no reviewer accepted stay out.
    """

    maker: Maker
    accepted_only: bool

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        maker, folder = self.maker, self.maker.output
        output = pipeline | "Output" >> beam.Create([folder])
        rows = (
            output
            | "ListRows" >> beam.FlatMap(lambda folder: OutputPaths(folder).row_files(manifest_layout.ITEMS))
            | "SpreadRows" >> beam.Reshuffle()
            | "ReadRows" >> beam.FlatMap(lambda name, folder: reader.read_file(folder, name), folder)
            | "Wanted" >> beam.Filter(is_wanted, self.accepted_only)
        )
        known = rows | "Known" >> beam.ParDo(FindKnown(maker)).with_outputs(_NEW, main="known")
        located = (
            known[_NEW]
            | "KeyPlaces" >> beam.WithKeys(scans.place)
            | "GroupPlaces" >> beam.GroupByKey()
            | "Locate" >> beam.FlatMap(scans.locate, PublishPaths(folder).spool)
        )
        items = (
            (known.known, located)
            | "AllRows" >> beam.Flatten()
            | "SpreadItems" >> beam.Reshuffle()
            | "MakeItems" >> beam.ParDo(MakeItems(maker))
        )
        page = self._write_collections(output, items)
        self._delete_obsolete(output, items, page)
        return page

    def _write_collections(self, output: beam.PCollection, items: beam.PCollection) -> beam.PCollection:
        folders = (
            items
            | "Published" >> beam.Filter(lambda item: not item.problem)
            | "KeyFolders" >> beam.WithKeys(lambda item: item.folder)
            | "GroupFolders" >> beam.GroupByKey()
            | "WriteCollections" >> beam.Map(_write_collection, self.maker.output, self.maker.terms)
        )
        return output | "WriteTop" >> beam.Map(_write_top, AsIter(folders), AsIter(items), self.maker.terms)

    def _delete_obsolete(self, output: beam.PCollection, items: beam.PCollection, page: beam.PCollection) -> None:
        """Deletes pictures and documents that no item has any more, once the new collections stand."""
        _ = (
            {
                "named": items | "Named" >> beam.FlatMap(_units) | "KeyNamed" >> beam.Map(lambda unit: (unit, "")),
                "existing": output | "ListUnits" >> beam.FlatMap(_existing),
            }
            | "JoinUnits" >> beam.CoGroupByKey()
            | "NamedNoMore" >> beam.Filter(lambda element: not any(True for _ in element[1]["named"]))
            | "Delete" >> beam.Map(_delete, self.maker.output, AsIter(page))
        )


def count_picture() -> None:
    """Counts a picture that a Maker made, in Beam's metrics."""
    beam.metrics.Metrics.counter(Publish, "pictures-made").inc()


class FindKnown(AheadDoFn):
    """Row -> (row, None) if its scan was published before, else the row to NEW; in a bucket several at a time."""

    def __init__(self, maker: Maker):
        self._maker = maker

    def process(self, row: Row) -> Iterator[Any]:
        wait = not files.is_local(self._maker.output)
        for one, result in self._ahead.add(row, functools.partial(self._maker.has_scan, row), 0, wait):
            yield (one, None) if result() else TaggedOutput(_NEW, one)

    def finish_bundle(self) -> Iterator[Any]:
        for row, result in self._ahead.flush():
            if result():
                yield GlobalWindows.windowed_value((row, None))
            else:
                yield TaggedOutput(_NEW, GlobalWindows.windowed_value(row))


class MakeItems(AheadDoFn):
    """(row, source of its scan) -> Item, its pictures and its manifest written; several at a time in a bucket."""

    def __init__(self, maker: Maker):
        self._maker = maker

    def process(self, element: tuple[Row, Source | None]) -> Iterator[Item]:
        row, source = element
        wait = not files.is_local(self._maker.output)
        size = _BYTES_PER_PIXEL * row.height * row.width
        call = functools.partial(self._maker.make, row, source)
        yield from (self._made(result()) for _, result in self._ahead.add(None, call, size, wait))

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for _, result in self._ahead.flush():
            yield GlobalWindows.windowed_value(self._made(result()))

    def _made(self, item: Item) -> Item:
        name = "items-impossible" if item.problem else "items-published"
        beam.metrics.Metrics.counter(Publish, name).inc()
        progress.Tally.add(PublishPaths(self._maker.output).progress, "done")
        return item


def _write_collection(element: tuple[str, Iterable[Item]], output: str, terms: Terms) -> str:
    """Writes the collection of a folder of the archive and returns the folder."""
    folder, items = element
    members = (documents.item_reference(item, terms) for item in sorted(items, key=lambda item: item.row.key))
    name = layout.document(layout.COLLECTIONS, folder)
    document = documents.collection(name, documents.folder_label(folder), members, terms)
    PublishPaths(output).write(name, documents.encode(document))
    return folder


def _write_top(output: str, folders: Iterable[str], items: Iterable[Item], terms: Terms) -> str:
    """Writes the table and the top collection, last, and returns the path of that."""
    paths = PublishPaths(output)
    paths.write(layout.TABLE, documents.table(list(items), terms))
    members = (documents.collection_reference(folder, terms) for folder in sorted(folders))
    top = documents.collection(layout.COLLECTION, {"none": [terms.title]}, members, terms)
    paths.write(layout.COLLECTION, documents.encode(top))
    return paths.at(layout.COLLECTION)


def _units(item: Item) -> Iterator[str]:
    """Yields the image services and documents of an item, below OUT/publish."""
    if item.scan and item.copy and not item.problem:
        yield from (item.scan.service, item.copy.service, item.manifest)
        yield layout.document(layout.COLLECTIONS, item.folder)


def _existing(output: str) -> Iterator[tuple[str, str]]:
    """Yields what a publication has, as pairs of itself; by a sorted listing, so that neighbours are one unit."""
    folder, last = PublishPaths(output).folder, ""
    for info in files.list_folder(folder):
        unit = layout.unit(info.path.removeprefix(f"{folder}/"))
        if unit and unit != last:
            yield unit, unit
            last = unit


def _delete(element: tuple[str, Any], output: str, _: Any) -> None:
    """Deletes an image service or a document; the last argument is a side input to wait for."""
    unit, folder = element[0], PublishPaths(output).folder
    if unit.startswith(f"{layout.IMAGES}/"):
        names = [info.path.removeprefix(f"{folder}/") for info in files.list_folder(files.join(folder, unit))]
    else:
        names = [unit]
    files.delete_within(folder, names)
    for parent in sorted({name.rpartition("/")[0] for name in names}, key=len, reverse=True):
        files.remove_empty(folder, parent)
