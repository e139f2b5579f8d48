"""The graph of `photochrom colorize`, step by step: list -> read -> batch -> infer -> write -> row of the manifest."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference

from photochrom import beam_io, files, progress
from photochrom.bundle import Bundle
from photochrom.inputs import Input
from serving import copying, inference, manifest, pages, provenance, reading
from serving.config import ColorizeConfig
from serving.exclusion import ExclusionList
from serving.manifest import Row


@dataclasses.dataclass
class ColorizeArchive(beam.PTransform):
    """Inputs -> summary: every listed input becomes one row of the manifest, and a coloured copy if it can."""

    config: ColorizeConfig
    bundle: Bundle
    today: str  # as YYYY-MM-DD: told, not looked up, so that all workers say the same
    exclusions: ExclusionList

    def expand(self, listed_inputs: beam.PCollection) -> beam.PCollection:
        scratch = self.config.scratch
        progress_folder = files.join(scratch, "progress")
        sources = listed_inputs | "List" >> beam_io.ListSources(
            files.join(scratch, "spool"), progress_folder, self.exclusions.covers
        )
        if self.config.pages == "all":
            sources = sources | "Pages" >> pages.SplitPages(self.config.decoder(), progress_folder)
        scanned = (
            (
                sources | "KeySources" >> beam.WithKeys(lambda source: source.key),
                self._earlier_rows(listed_inputs.pipeline),
            )
            | "JoinEarlierRows" >> beam.CoGroupByKey()
            | "Read"
            >> beam.ParDo(reading.ReadScan(self.config, self.bundle, self.exclusions)).with_outputs(
                reading.ROWS, reading.OBSOLETE, main="scans"
            )
        )
        written = (
            scanned.scans
            | "Batch" >> beam.ParDo(inference.BatchByShape(self.config.batch_size))
            | "Infer" >> RunInference(self._handler().with_no_batching())
            | "Write" >> beam.Map(copying.write, self.config, self.bundle, self.today)
        )
        rows = (
            (scanned[reading.ROWS], written)
            | "AllRows" >> beam.Flatten()
            | "Count" >> beam.ParDo(CountRow(progress_folder))
        )
        deleted = self._delete_obsolete(scanned[reading.OBSOLETE], rows)
        return self._write_manifest(sources, rows, deleted)

    def _handler(self) -> inference.BundleHandler:
        return inference.BundleHandler(self.bundle.location, self.bundle.ab_stride, self.config.ensemble)

    def _earlier_rows(self, pipeline: beam.Pipeline) -> beam.PCollection:
        return (
            pipeline
            | "Output" >> beam.Create([self.config.output])
            | "ReadManifest" >> beam.FlatMap(manifest.read)
            | "KeyRows" >> beam.WithKeys(lambda row: row["key"])
        )

    def _delete_obsolete(self, paths: beam.PCollection, rows: beam.PCollection) -> beam.PCollection:
        """Deletes what an earlier run wrote and no row names any more, once all rows are known."""
        of_rows = rows | "ObsoleteOfRows" >> beam.FlatMap(lambda row: row.get(manifest.OBSOLETE, ()))
        obsolete = (
            (paths, of_rows) | "Obsolete" >> beam.Flatten() | "KeyObsolete" >> beam.Map(lambda path: (path, True))
        )
        named = rows | "Named" >> beam.FlatMap(lambda row: [(path, True) for path in manifest.paths_of(row)])
        return (
            {"obsolete": obsolete, "named": named}
            | "JoinPaths" >> beam.CoGroupByKey()
            | "NamedNoMore" >> beam.Filter(lambda element: element[1]["obsolete"] and not element[1]["named"])
            | "Delete"
            >> beam.Map(lambda element, output: files.delete(files.join(output, element[0])), self.config.output)
        )

    def _write_manifest(
        self, sources: beam.PCollection, rows: beam.PCollection, deleted: beam.PCollection
    ) -> beam.PCollection:
        """Writes the rows, after the deletions: of a run that is killed between, the next one mends what is missing."""
        total = beam.pvalue.AsSingleton(sources | "CountSources" >> beam.combiners.Count.Globally())
        listed = sources | "ListedKeys" >> beam.Map(
            lambda source, n: (manifest.shard_of(source.key, n), source.key), total
        )
        keyed_rows = rows | "ShardRows" >> beam.Map(lambda row, n: (manifest.shard_of(row["key"], n), row), total)
        shards = (
            {"listed": listed, "rows": keyed_rows}
            | "Reconcile" >> beam.CoGroupByKey()
            | "WriteRows" >> beam.Map(manifest.write_shard, self.config.output, beam.pvalue.AsList(deleted))
        )
        return (
            sources.pipeline
            | "Once" >> beam.Create([None])
            | "Summarize" >> beam.Map(manifest.write_summary, beam.pvalue.AsList(shards), self.config.output)
        )


def build(
    pipeline: beam.Pipeline, inputs: list[Input], config: ColorizeConfig, bundle: Bundle, exclusions: ExclusionList
) -> Any:
    """Adds the whole job to a pipeline."""
    job = ColorizeArchive(config, bundle, provenance.today(), exclusions)
    return pipeline | "Inputs" >> beam.Create(inputs) | "Colorize" >> job


class CountRow(beam.DoFn):
    """Row -> the same row, counted for the eye and for Beam's metrics."""

    def __init__(self, progress_folder: str):
        self._progress_folder = progress_folder

    def process(self, row: Row) -> Iterator[Row]:
        progress.Tally.add(self._progress_folder, "done")
        name = "-".join(filter(None, ("rows", row["status"], row["reason"].replace("_", "-"))))
        beam.metrics.Metrics.counter(ColorizeArchive, name).inc()
        yield row
